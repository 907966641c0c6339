//! Listening: bind before any other work with an error that says what to do, then serve a router with limits on slow and
//! greedy clients, and end gracefully. The admin port is built on it; a tool's other ports use it directly.

use crate::shutdown::Shutdown;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// hyper refuses smaller buffers.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// What clients of a port may do. The defaults suit a port with small requests that others in the network can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time to send a request's head; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Largest request head in bytes, and at least 8 KiB; beyond it the answer is 431.
    pub max_header_bytes: usize,
    /// Largest body that extractors read, in bytes; beyond it the answer is 413.
    pub max_body_bytes: usize,
    /// Longest time until the answer's head is ready, the request's body included; beyond it the answer is 503.
    /// `None` for long polling.
    pub request_timeout: Option<Duration>,
    /// Open connections; more wait in the system's queue.
    pub max_connections: usize,
    /// After the end of the drain period, the time for answers on their way.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_header_bytes: 16 * 1024,
            max_body_bytes: 1024 * 1024,
            request_timeout: Some(Duration::from_mins(1)),
            max_connections: 256,
            grace: Duration::from_millis(500),
        }
    }
}

/// Nobody can listen at this address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr} ({option}): {}", advice(source.kind()))]
pub struct BindError {
    /// The address that was asked for.
    pub addr: SocketAddr,
    /// The option it came from, such as `--admin-listen`.
    pub option: &'static str,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => "the port is taken; stop the program that uses it, or choose another port",
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address; use 127.0.0.1 or 0.0.0.0",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose a higher port",
        _ => "choose another address",
    }
}

/// A port that is ours already, but not served yet: early connections wait in the system's queue.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    addr: SocketAddr,
}

/// Takes a port. Works before the async runtime starts, so it can be a tool's first step. `option` is what users call
/// the address, for the error.
///
/// # Errors
/// The port is taken, the address is not ours, or it is not allowed.
pub fn bind(addr: SocketAddr, option: &'static str) -> Result<Bound, BindError> {
    let bound = || {
        // The standard library sets SO_REUSEADDR on Unix, so a restart does not trip over old connections.
        let listener = std::net::TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Bound { listener, addr })
    };
    bound().map_err(|source| BindError { addr, option, source })
}

impl Bound {
    /// The address with its real port (asking for port 0 gives a free one).
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves `router` until [`Shutdown::over`], then lets answers on their way end. Dropping the future closes all
    /// connections at once.
    ///
    /// # Errors
    /// The runtime cannot take the socket over; accepting itself never ends in an error.
    pub async fn serve(self, router: Router, limits: Limits, shutdown: Shutdown) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let router = limited(router, limits);
        let slots = Arc::new(Semaphore::new(limits.max_connections.max(1)));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let over = shutdown.over();
        tokio::pin!(over);
        loop {
            let next = async {
                // The semaphore is never closed, so there is always a permit in the end.
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            };
            tokio::select! {
                biased;
                () = &mut over => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                (slot, accepted) = next => match accepted {
                    Ok((stream, _)) => {
                        let connection = graceful.watch(connection(stream, router.clone(), limits));
                        connections.spawn(async move {
                            let _slot = slot;
                            // A client that breaks off or breaks the rules is its own problem.
                            if let Err(error) = connection.await {
                                tracing::debug!(%error, "connection ended early");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, address = %self.addr, "cannot accept a connection");
                        // Out of file descriptors, most likely: without a pause this loop would burn a core.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(listener);
        // Whatever is not done after the grace is closed when `connections` is dropped.
        let _ = tokio::time::timeout(limits.grace, graceful.shutdown()).await;
        Ok(())
    }
}

type Connection = hyper::server::conn::http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, limits: Limits) -> Connection {
    // Small answers must not wait for more; where that cannot be set they are only slower.
    let _ = stream.set_nodelay(true);
    let head = limits.max_header_bytes.max(SMALLEST_BUFFER);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(head)
        .max_buf_size(head.saturating_mul(4))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

fn limited(router: Router, limits: Limits) -> Router {
    let router = router.layer(DefaultBodyLimit::max(limits.max_body_bytes));
    match limits.request_timeout {
        Some(timeout) => router.layer(middleware::from_fn(move |request, next| {
            in_time(timeout, request, next)
        })),
        None => router,
    }
}

async fn in_time(timeout: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the request took too long\n").into_response(),
    }
}
