//! Owns the writer beside the work: updates of single rows at random, at a constant rate, each measured from the moment
//! at which it should have been sent.

use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Updates a second, over all connections.
const RATE: u32 = 400;
/// Enough that one that waits does not hold back the others for long.
const CONNECTIONS: u32 = 8;

/// A writer at work.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Vec<Sample>>>,
}

/// One update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// When it should have been sent.
    pub(crate) due: Instant,
    /// Until the commit was answered.
    pub(crate) ms: f64,
}

impl Writer {
    /// Starts to write to `events`, rows 1 to `rows`.
    pub(crate) fn start(url: &str, rows: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, told) = (url.to_owned(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                let start = Instant::now() + Duration::from_millis(200);
                for connection in 0..CONNECTIONS {
                    let first = start + Duration::from_secs(1) * connection / RATE;
                    tasks.spawn(write(url.clone(), rows, first, Arc::clone(&told)));
                }
                let mut samples = Vec::new();
                while let Some(done) = tasks.join_next().await {
                    samples.extend(done??);
                }
                anyhow::Ok(samples)
            })
        });
        Self { stop, thread }
    }

    /// Stops; all samples.
    pub(crate) fn stop(self) -> anyhow::Result<Vec<Sample>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| anyhow::anyhow!("the writer's thread panicked"))?
            .context("the writer beside the work")
    }
}

async fn write(url: String, rows: u64, first: Instant, stop: Arc<AtomicBool>) -> anyhow::Result<Vec<Sample>> {
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    let driven = tokio::spawn(connection);
    let update = client
        .prepare("UPDATE events SET touched = touched + 1 WHERE id = $1")
        .await?;
    let every = Duration::from_secs(1) * CONNECTIONS / RATE;
    let mut samples = Vec::new();
    let mut due = first;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep_until(due.into()).await;
        let id = i64::try_from(fastrand::u64(1..=rows))?;
        client.execute(&update, &[&id]).await?;
        samples.push(Sample {
            due,
            ms: due.elapsed().as_secs_f64() * 1000.0,
        });
        due += every;
    }
    drop(client);
    driven.await??;
    Ok(samples)
}
