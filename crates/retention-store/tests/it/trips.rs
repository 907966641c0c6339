//! How often a batch waits for the network: a server whose answers are held back shows what is sent without them.

use std::sync::Arc;
use std::time::Duration;

use retention_store::gate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::{Database, PATIENCE};

/// Stands between a session and the server.
struct Wire {
    port: u16,
    /// Whether the server's answers pass.
    answers: watch::Sender<bool>,
    /// Types of the messages that the client sent while answers were held back.
    sent: watch::Receiver<Vec<u8>>,
}

impl Wire {
    async fn before(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, passing) = watch::channel(true);
        let (told, sent) = watch::channel(Vec::new());
        let server = database.cluster.port();
        let told = Arc::new(told);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = server.into_split();
                tokio::spawn(answer(server_read, client_write, passing.clone()));
                tokio::spawn(ask(client_read, server_write, passing.clone(), Arc::clone(&told)));
            }
        });
        Self { port, answers, sent }
    }

    /// Waits until the client has sent messages of these types without any answer.
    async fn until_sent(&mut self, types: &[u8]) {
        let wanted = types.to_vec();
        let seen = self.sent.wait_for(|sent| *sent == wanted);
        let seen = tokio::time::timeout(PATIENCE, seen)
            .await
            .map(|seen| seen.unwrap().clone());
        let last = self.sent.borrow().clone();
        assert!(
            seen.is_ok(),
            "sent without an answer: {:?}",
            String::from_utf8_lossy(&last)
        );
    }
}

async fn answer(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut passing: watch::Receiver<bool>,
) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        passing.wait_for(|pass| *pass).await.unwrap();
        to.write_all(&buffer[..read]).await.unwrap();
    }
}

async fn ask(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    passing: watch::Receiver<bool>,
    told: Arc<watch::Sender<Vec<u8>>>,
) {
    // The first message has no type.
    let mut startup = true;
    loop {
        let mut head = if startup { vec![0; 4] } else { vec![0; 5] };
        if from.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await.unwrap();
        if !startup && !*passing.borrow() {
            told.send_modify(|sent| sent.push(head[0]));
        }
        startup = false;
        to.write_all(&[head, body].concat()).await.unwrap();
    }
}

#[tokio::test]
async fn begin_lock_and_look_travel_together() {
    let (database, _owner) = Database::ready().await;
    let mut wire = Wire::before(&database).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/{}", wire.port, database.name);
    let session = database.open(&url, "wired").await;
    // Statements are prepared once.
    for _ in 0..2 {
        gate::begin(&session).await.unwrap();
        session.batch("COMMIT").await.unwrap();
    }
    wire.answers.send_replace(false);
    let beginning = tokio::spawn(async move {
        let gate = gate::begin(&session).await.unwrap();
        session.batch("COMMIT").await.unwrap();
        gate
    });
    // BEGIN with the lock (Query), the look (Bind, Execute, Sync): all before the first answer.
    wire.until_sent(b"QBES").await;
    assert!(!beginning.is_finished());
    wire.answers.send_replace(true);
    let gate = tokio::time::timeout(Duration::from_secs(30), beginning)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(gate.fence, 0);
}
