//! TCP and TLS, timed.

use crate::clock::Clock;
use crate::counted::Counted;
use crate::origin::Origin;
use crate::stamped::{Stamp, Stamped};
use load_verdict::Outcome;
use rustls::pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name is unknown.
    #[error("the host {host} cannot be resolved")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// No address answered.
    #[error("cannot connect to {address}")]
    Tcp {
        /// The last address that was tried.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The handshake failed.
    #[error("the TLS handshake with {authority} failed")]
    Tls {
        /// The server.
        authority: String,
        /// What rustls said.
        #[source]
        source: io::Error,
    },
    /// HTTP/2 was asked for and the server does not speak it.
    #[error("{authority} does not offer HTTP/2 (ALPN gave {found}); use HTTP/1.1 or auto")]
    NoHttp2 {
        /// The server.
        authority: String,
        /// What was negotiated.
        found: String,
    },
    /// Nothing happened for too long.
    #[error("no connection to {authority} within {} ms", limit.as_millis())]
    Timeout {
        /// The server.
        authority: String,
        /// The limit.
        limit: Duration,
    },
}

impl ConnectError {
    /// How a request ends that was waiting for this connection.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Dns { .. } => Outcome::Dns,
            Self::Tcp { .. } | Self::Timeout { .. } => Outcome::Connect,
            Self::Tls { .. } | Self::NoHttp2 { .. } => Outcome::Tls,
        }
    }
}

/// What connecting needs besides the origin.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) server_name: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) only_http2: bool,
}

/// A fresh connection.
pub(crate) struct Opened {
    pub(crate) io: Counted<Stream>,
    /// When what is read from it had arrived.
    pub(crate) stamp: Rc<Stamp>,
    /// When opening began.
    pub(crate) began_ns: u64,
    pub(crate) connect_ns: u64,
    pub(crate) tls_ns: u64,
    pub(crate) http2: bool,
}

impl Dialer {
    /// Opens a connection to the first address that accepts one.
    pub(crate) async fn open(&self, origin: &Origin, clock: &Clock) -> Result<Opened, ConnectError> {
        match tokio::time::timeout(self.timeout, self.open_now(origin, clock)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout {
                authority: origin.authority.clone(),
                limit: self.timeout,
            }),
        }
    }

    async fn open_now(&self, origin: &Origin, clock: &Clock) -> Result<Opened, ConnectError> {
        let began_ns = clock.now();
        let tcp = dial(origin).await?;
        let connected_ns = clock.now();
        let tcp = Stamped::new(tcp).map_err(|source| ConnectError::Tcp {
            address: origin.authority.clone(),
            source,
        })?;
        let stamp = tcp.stamp();
        let (stream, http2) = match &self.tls {
            Some(config) if origin.is_tls() => self.handshake(config, tcp, origin).await?,
            _ => (Stream::Plain(tcp), self.only_http2),
        };
        let done_ns = clock.now();
        Ok(Opened {
            io: Counted::new(stream),
            stamp,
            began_ns,
            connect_ns: connected_ns - began_ns,
            tls_ns: if origin.is_tls() { done_ns - connected_ns } else { 0 },
            http2,
        })
    }

    async fn handshake(
        &self,
        config: &Arc<rustls::ClientConfig>,
        tcp: Stamped,
        origin: &Origin,
    ) -> Result<(Stream, bool), ConnectError> {
        let failed = |source| ConnectError::Tls {
            authority: origin.authority.clone(),
            source,
        };
        let name = self.server_name.clone().unwrap_or_else(|| origin.host.clone());
        let name = ServerName::try_from(name).map_err(|error| failed(io::Error::other(error)))?;
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, tcp)
            .await
            .map_err(failed)?;
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        let http2 = alpn.as_deref() == Some(b"h2");
        if self.only_http2 && !http2 {
            return Err(ConnectError::NoHttp2 {
                authority: origin.authority.clone(),
                found: alpn.map_or_else(
                    || "nothing".to_owned(),
                    |name| String::from_utf8_lossy(&name).into_owned(),
                ),
            });
        }
        Ok((Stream::Tls(Box::new(stream)), http2))
    }
}

async fn dial(origin: &Origin) -> Result<TcpStream, ConnectError> {
    let mut last = None;
    for address in &origin.addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A request that waits for an acknowledgement of the one before is 40 ms late.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(source) => {
                last = Some(ConnectError::Tcp {
                    address: address.to_string(),
                    source,
                });
            }
        }
    }
    Err(last.unwrap_or_else(|| ConnectError::Dns {
        host: origin.host.clone(),
        source: io::Error::other("the name has no address"),
    }))
}

/// Plain or encrypted.
pub(crate) enum Stream {
    Plain(Stamped),
    Tls(Box<TlsStream<Stamped>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
