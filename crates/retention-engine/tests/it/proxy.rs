//! A TCP proxy in front of PostgreSQL that can swallow the answer to a COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Plan {
    every: AtomicU32,
    seen: AtomicU32,
    swallowed: AtomicU32,
    cut: AtomicBool,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    plan: Arc<Plan>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Plan::default());
        let shared = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                if shared.cut.load(Ordering::Relaxed) {
                    continue;
                }
                tokio::spawn(carry(from, to, Arc::clone(&shared)));
            }
        });
        Self { port, plan }
    }

    /// Swallows the answer to every `every`-th COMMIT of a batch, and cuts the connection.
    pub(crate) fn swallow_commits(&self, every: u32) {
        self.plan.every.store(every, Ordering::Relaxed);
    }

    pub(crate) fn swallowed(&self) -> u32 {
        self.plan.swallowed.load(Ordering::Relaxed)
    }

    /// Cuts all connections with their next byte, and lets none in any more.
    pub(crate) fn cut(&self) {
        self.plan.cut.store(true, Ordering::Relaxed);
    }
}

async fn carry(from: TcpStream, to: u16, plan: Arc<Plan>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let (mut from_read, mut from_write) = from.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let swallow = Arc::new(AtomicBool::new(false));
    let (up_plan, up_swallow) = (Arc::clone(&plan), Arc::clone(&swallow));
    let up = async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = from_read.read(&mut buffer).await {
            if up_plan.cut.load(Ordering::Relaxed) {
                return;
            }
            // The audit row and the COMMIT travel together.
            let commits =
                contains(&buffer[..read], b"INSERT INTO retention.audit") && contains(&buffer[..read], b"COMMIT");
            let every = up_plan.every.load(Ordering::Relaxed);
            if commits && every > 0 && (up_plan.seen.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every) {
                up_swallow.store(true, Ordering::SeqCst);
            }
            if server_write.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let down = async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = server_read.read(&mut buffer).await {
            if swallow.load(Ordering::SeqCst) {
                if contains(&buffer[..read], b"COMMIT") {
                    plan.swallowed.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                continue;
            }
            if plan.cut.load(Ordering::Relaxed) || from_write.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
