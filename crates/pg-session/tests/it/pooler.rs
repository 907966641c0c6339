//! Poolers that share connections are refused; those that do not are not. The pooler is ours: it speaks just enough of
//! the protocol to do with real connections what pgbouncer does.

use crate::support::{self, Server};
use pg_session::{SessionOptions, Sql, Target, TargetError};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// When a client's connection goes back, and which one is taken next.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// After each transaction; the one used last is used next, as pgbouncer does by default.
    TransactionLastUsed,
    /// After each transaction; all in turn (`server_round_robin`).
    TransactionInTurn,
    /// After each statement; BEGIN is refused.
    Statement,
    /// Never.
    Session,
}

struct Pool {
    idle: Mutex<VecDeque<TcpStream>>,
    free: Semaphore,
    mode: Mode,
}

/// Reads one message: its type and the whole of it.
async fn message(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut whole = vec![0; 5];
    stream.read_exact(&mut whole).await?;
    let length = u32::from_be_bytes(whole[1..5].try_into().unwrap()) as usize;
    whole.resize(length + 1, 0);
    stream.read_exact(&mut whole[5..]).await?;
    Ok((whole[0], whole))
}

/// A connection to the real server, ready for a query.
async fn backend(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut body = vec![0, 3, 0, 0];
    body.extend(b"user\0postgres\0database\0postgres\0\0");
    let mut startup = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    startup.extend(body);
    stream.write_all(&startup).await.unwrap();
    while message(&mut stream).await.unwrap().0 != b'Z' {}
    stream
}

/// Starts a pooler before the server at `port`; gives its own port.
async fn pooler(port: u16, size: usize, mode: Mode) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let mut idle = VecDeque::new();
    for _ in 0..size {
        idle.push_back(backend(port).await);
    }
    let pool = Arc::new(Pool {
        idle: Mutex::new(idle),
        free: Semaphore::new(size),
        mode,
    });
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let pool = Arc::clone(&pool);
            client.set_nodelay(true).unwrap();
            tokio::spawn(async move { serve(client, &pool).await });
        }
    });
    own
}

async fn serve(mut client: TcpStream, pool: &Pool) -> Option<()> {
    loop {
        let length = client.read_u32().await.ok()? as usize;
        let mut body = vec![0; length - 4];
        client.read_exact(&mut body).await.ok()?;
        // SSLRequest, 80877103: there is no TLS.
        if body == 80_877_103_u32.to_be_bytes() {
            client.write_all(b"N").await.ok()?;
        } else {
            break;
        }
    }
    // AuthenticationOk, BackendKeyData of the pooler's own, ReadyForQuery.
    client.write_all(b"R\0\0\0\x08\0\0\0\0").await.ok()?;
    client.write_all(b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x02").await.ok()?;
    client.write_all(b"Z\0\0\0\x05I").await.ok()?;
    let mut held: Option<TcpStream> = None;
    loop {
        let (kind, whole) = message(&mut client).await.ok()?;
        if kind == b'X' {
            return None;
        }
        if pool.mode == Mode::Statement && whole[5..].starts_with(b"BEGIN") {
            let text = b"SFATAL\0C08P01\0Mtransaction blocks not allowed in statement pooling mode\0\0";
            let mut error = vec![b'E'];
            error.extend(u32::try_from(text.len() + 4).unwrap().to_be_bytes());
            error.extend(text);
            client.write_all(&error).await.ok()?;
            return None;
        }
        if held.is_none() {
            pool.free.acquire().await.ok()?.forget();
            held = pool.idle.lock().unwrap().pop_back();
        }
        let backend = held.as_mut()?;
        backend.write_all(&whole).await.ok()?;
        if !matches!(kind, b'Q' | b'S') {
            continue;
        }
        loop {
            let (kind, whole) = message(backend).await.ok()?;
            client.write_all(&whole).await.ok()?;
            if kind == b'Z' {
                let idle = whole[5] == b'I';
                if idle && pool.mode != Mode::Session {
                    let backend = held.take()?;
                    let mut all = pool.idle.lock().unwrap();
                    if pool.mode == Mode::TransactionInTurn {
                        all.push_front(backend);
                    } else {
                        all.push_back(backend);
                    }
                    pool.free.add_permits(1);
                }
                break;
            }
        }
    }
}

async fn connect(server: &Server, size: usize, mode: Mode) -> Result<pg_session::Session, TargetError> {
    let port = pooler(server.port(), size, mode).await;
    let target = Target::parse_with(
        &format!("postgres://postgres@127.0.0.1:{port}/postgres?connect_timeout=5"),
        support::no_env,
    )
    .unwrap();
    target.connect(&SessionOptions::new("test")).await
}

#[tokio::test]
async fn what_shares_connections_is_refused() {
    let server = Server::start(&[("max_connections", "400")], support::TRUST);
    for (name, size, mode) in [
        ("two, last used first", 2, Mode::TransactionLastUsed),
        ("five, last used first", 5, Mode::TransactionLastUsed),
        ("two in turn", 2, Mode::TransactionInTurn),
        ("three in turn", 3, Mode::TransactionInTurn),
        ("one by statement", 1, Mode::Statement),
        ("two by statement", 2, Mode::Statement),
    ] {
        // Not by luck.
        for _ in 0..10 {
            let error = connect(&server, size, mode).await.expect_err(name);
            assert!(matches!(error, TargetError::Pooler { .. }), "{name}: {error}");
            assert!(error.is_configuration(), "{name}");
            assert!(error.to_string().contains("connect directly"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_pool_of_one_connection_is_noticed_too() {
    let server = Server::start(&[], support::TRUST);
    // The second session has taken the only connection, so that the first one waits: for ever, if nobody looked.
    let error = connect(&server, 1, Mode::TransactionLastUsed)
        .await
        .expect_err("shared");
    assert!(matches!(error, TargetError::Pooler { .. }), "{error}");
}

#[tokio::test]
async fn a_pooler_by_session_is_as_good_as_none() {
    let server = Server::start(&[], support::TRUST);
    let session = connect(&server, 2, Mode::Session).await.expect("a session of its own");
    let row = session.one(&Sql::text("SELECT 1")).await.expect("row");
    assert_eq!(row.get::<_, i32>(0), 1);
}

/// Passes bytes on until a client says BEGIN; then that connection is over.
async fn cut_at_begin(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((mut from, mut to), (mut back, mut on)) = (client.into_split(), server.into_split());
                let answers = tokio::spawn(async move { tokio::io::copy(&mut back, &mut to).await });
                let mut bytes = vec![0; 8192];
                while let Ok(1..) = from.read(&mut bytes).await.inspect(|read| bytes.truncate(*read)) {
                    if bytes.windows(5).any(|five| five == b"BEGIN") {
                        break;
                    }
                    on.write_all(&bytes).await.unwrap();
                    bytes.resize(8192, 0);
                }
                answers.abort();
            });
        }
    });
    own
}

#[tokio::test]
async fn a_connection_that_breaks_meanwhile_is_no_pooler() {
    let server = Server::start(&[], support::TRUST);
    let port = cut_at_begin(server.port()).await;
    let target = Target::parse_with(
        &format!("postgres://postgres@127.0.0.1:{port}/postgres?connect_timeout=5"),
        support::no_env,
    )
    .unwrap();
    let error = target
        .connect(&SessionOptions::new("test"))
        .await
        .expect_err("it broke");
    assert!(matches!(error, TargetError::Unreachable { .. }), "{error}");
    assert!(!error.is_configuration());
}
