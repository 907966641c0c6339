//! Limits on slow and greedy clients, by clients that are.

use axum::Router;
use axum::routing::{get, post};
use runtime::{BindError, Limits, Shutdown, ShutdownTrigger, server};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(30);

type Served = JoinHandle<io::Result<()>>;

fn serve(router: Router, limits: Limits) -> (SocketAddr, Shutdown, ShutdownTrigger, Served) {
    let bound = server::bind("127.0.0.1:0".parse().unwrap(), "--test-listen").unwrap();
    let addr = bound.local_addr();
    let (shutdown, trigger) = Shutdown::manual();
    let served = tokio::spawn(bound.serve(router, limits, shutdown.clone()));
    (addr, shutdown, trigger, served)
}

fn hello() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: String| async { body }))
}

async fn send(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The server may close while we write: then the answer is already there.
    let _ = stream.write_all(bytes).await;
    stream
}

/// Everything until the server closes; that it closes is half of the test.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes))
        .await
        .expect("the server keeps the connection");
    // A reset instead of an end is fine, what came before it counts.
    let _ = read;
    String::from_utf8_lossy(&bytes).into_owned()
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const ASK_ONCE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[test]
fn a_taken_port_says_what_to_do() {
    let taken = server::bind("127.0.0.1:0".parse().unwrap(), "--admin-listen").unwrap();
    let addr = taken.local_addr();
    let error: BindError = server::bind(addr, "--admin-listen").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {addr} (--admin-listen): the port is taken; stop the program that uses it, or choose another port"
        )
    );
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    let foreign = server::bind("192.0.2.1:0".parse().unwrap(), "--admin-listen").unwrap_err();
    assert_eq!(foreign.source.kind(), io::ErrorKind::AddrNotAvailable);
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed() {
    let limits = Limits {
        header_timeout: SOON,
        ..Limits::default()
    };
    let (addr, ..) = serve(hello(), limits);
    assert_eq!(rest(send(addr, b"").await).await, "");
    let slow = rest(send(addr, b"GET / HTTP/1.1\r\nhost: x\r\nx-").await).await;
    assert!(!slow.contains("hello"), "{slow}");
    let kept = rest(send(addr, ASK).await).await;
    assert!(kept.ends_with("hello"), "{kept}");
}

#[tokio::test]
async fn slow_clients_do_not_keep_others_out_for_long() {
    let limits = Limits {
        header_timeout: SOON,
        max_connections: 1,
        ..Limits::default()
    };
    let (addr, ..) = serve(hello(), limits);
    let _slow = send(addr, b"GET /").await;
    let other = rest(send(addr, ASK_ONCE).await).await;
    assert!(other.ends_with("hello"), "{other}");
}

#[tokio::test]
async fn greedy_requests_are_refused() {
    let (addr, ..) = serve(
        hello(),
        Limits {
            max_body_bytes: 10,
            ..Limits::default()
        },
    );
    let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(20_000));
    let answer = rest(send(addr, head.as_bytes()).await).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let body = b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 11\r\n\r\n01234567890";
    let answer = rest(send(addr, body).await).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let body = b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n0123456789";
    let answer = rest(send(addr, body).await).await;
    assert!(answer.ends_with("0123456789"), "{answer}");
}

#[tokio::test]
async fn a_request_has_its_time() {
    let never = || Router::new().route("/", get(std::future::pending::<String>));
    let (addr, ..) = serve(
        never(),
        Limits {
            request_timeout: Some(SOON),
            ..Limits::default()
        },
    );
    let answer = rest(send(addr, ASK_ONCE).await).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    // A body that never comes is cut the same way.
    let (addr, ..) = serve(
        hello(),
        Limits {
            request_timeout: Some(SOON),
            ..Limits::default()
        },
    );
    let body = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12";
    let answer = rest(send(addr, body).await).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn an_answer_on_its_way_arrives_after_the_end() {
    let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (in_handler, gate) = (Arc::clone(&started), Arc::clone(&go));
    let router = Router::new().route(
        "/",
        get(move || async move {
            in_handler.notify_one();
            gate.notified().await;
            "finished"
        }),
    );
    let (addr, shutdown, trigger, served) = serve(
        router,
        Limits {
            grace: LONG,
            ..Limits::default()
        },
    );
    let stream = send(addr, ASK).await;
    started.notified().await;
    trigger.trigger();
    shutdown.finish();
    // The port is closed before the answer is out.
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!served.is_finished());
    go.notify_one();
    let answer = rest(stream).await;
    assert!(answer.ends_with("finished"), "{answer}");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_grace_ends_too() {
    let router = Router::new().route("/", get(std::future::pending::<String>));
    let (addr, shutdown, _trigger, served) = serve(
        router,
        Limits {
            grace: SOON,
            ..Limits::default()
        },
    );
    let stream = send(addr, ASK).await;
    shutdown.finish();
    tokio::time::timeout(LONG, served)
        .await
        .expect("the server hangs on an open request")
        .unwrap()
        .unwrap();
    assert_eq!(rest(stream).await, "");
}
