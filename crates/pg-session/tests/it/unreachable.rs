//! Nobody there, nobody answering, not yet ready: in time, and tried again only when asked to.

use crate::support::{self, CANARY, Server, connect, told};
use pg_cluster::Stop;
use pg_session::{SessionOptions, Target, TargetError};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// A port that nobody listens on.
pub(crate) fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port()
}

fn unreachable(error: &TargetError) -> String {
    assert!(matches!(error, TargetError::Unreachable { .. }), "{error:?}");
    assert!(!error.is_configuration());
    told(error)
}

#[tokio::test]
async fn a_closed_port() {
    let port = closed_port();
    let error = connect(&format!("postgres://app:{CANARY}@127.0.0.1:{port}/db"))
        .await
        .expect_err("closed");
    let said = unreachable(&error);
    assert!(
        said.starts_with(&format!("cannot reach PostgreSQL at 127.0.0.1:{port}/db: ")),
        "{said}"
    );
    assert!(said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_name_that_is_none() {
    let error = connect(&format!("postgres://app:{CANARY}@no-such-host.invalid/db"))
        .await
        .expect_err("no such name");
    assert!(unreachable(&error).contains("cannot be resolved"));
}

#[tokio::test]
async fn a_socket_that_is_not_there() {
    let folder = tempfile::tempdir().expect("folder");
    let error = connect(&format!("host={} user=app password=k4n4ry", folder.path().display()))
        .await
        .expect_err("no socket");
    unreachable(&error);
}

/// Accepts and never says a word.
async fn mute() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("port").port();
    let task = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            all.push(stream);
        }
    });
    (port, task)
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_the_time_limit_and_no_more() {
    let (port, _task) = mute().await;
    let start = Instant::now();
    let error = connect(&format!(
        "postgres://app:{CANARY}@127.0.0.1:{port}/db?connect_timeout=1"
    ))
    .await
    .expect_err("mute");
    assert!(unreachable(&error).contains("connect_timeout"));
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(900) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_mute_host_leaves_time_for_the_next() {
    let server = Server::start(&[], support::TRUST);
    let (port, _task) = mute().await;
    let address = format!(
        "postgres://postgres@127.0.0.1:{port},127.0.0.1:{}/postgres?connect_timeout=4",
        server.port()
    );
    let start = Instant::now();
    connect(&address).await.expect("the second host");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_no_postgres_at_all() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "E", "", "SSH-2.0-x\r\n"] {
        for mode in ["disable", "prefer", "require"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let port = listener.local_addr().expect("port").port();
            let _task = tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut some = [0; 8];
                    let _ = stream.read_exact(&mut some).await;
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await;
                }
            });
            let address = format!("postgres://app:{CANARY}@127.0.0.1:{port}/db?sslmode={mode}&connect_timeout=5");
            let error = connect(&address).await.expect_err(answer);
            told(&error);
        }
    }
}

#[tokio::test]
async fn a_server_that_comes_up_is_waited_for_when_asked() {
    let mut server = Server::start(&[], support::TRUST);
    server.cluster.stop(Stop::Fast).expect("stopped");
    let target = Target::parse_with(&server.url("postgres", "postgres"), support::no_env).expect("an address");
    let error = target.connect(&SessionOptions::new("test")).await.expect_err("down");
    unreachable(&error);
    let patient = SessionOptions {
        connect_retry: Duration::from_mins(1),
        ..SessionOptions::new("test")
    };
    let waiting = tokio::spawn(async move { target.connect(&patient).await });
    // Let it fail once at least, then start the server on this thread, which blocks everything else meanwhile.
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.cluster.start_again().expect("started");
    waiting.await.expect("task").expect("a session in the end");
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again() {
    let server = Server::start(&[], support::SCRAM);
    let target = Target::parse_with(&server.url("nobody:x", "postgres"), support::no_env).expect("an address");
    let patient = SessionOptions {
        connect_retry: Duration::from_mins(1),
        ..SessionOptions::new("test")
    };
    let error = target.connect(&patient).await.expect_err("wrong");
    assert!(matches!(error, TargetError::WrongLogin { .. }), "{error:?}");
    let log = server.cluster.log();
    assert_eq!(log.matches("password authentication failed").count(), 1, "{log}");
}
