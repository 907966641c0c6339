//! Owns steady load: clients that ask one OPA the same question without pause, and what they were told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::{http::Http, opa::Revisions};

/// What the clients were told.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers of one revision.
    pub whole: u64,
    /// Answers that mix revisions.
    pub torn: u64,
    /// 200 without a result.
    pub undefined: u64,
    /// Any other status, or no answer.
    pub failed: u64,
    /// How many different revisions were seen.
    pub revisions: std::collections::BTreeSet<u64>,
    /// The slowest answer.
    pub slowest: Duration,
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts so many clients that ask `url` for the revisions of a sample pack, each with a pause between two questions.
    pub fn start(clients: usize, url: &str, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients)
            .map(|_| tokio::spawn(ask(Arc::clone(&stop), url.to_owned(), pause)))
            .collect();
        Self { stop, clients }
    }

    /// Ends the load and adds up.
    pub async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = Tally::default();
        for client in self.clients {
            let tally = client.await.unwrap();
            total.whole += tally.whole;
            total.torn += tally.torn;
            total.undefined += tally.undefined;
            total.failed += tally.failed;
            total.revisions.extend(tally.revisions);
            total.slowest = total.slowest.max(tally.slowest);
        }
        total
    }
}

async fn ask(stop: Arc<AtomicBool>, url: String, pause: Duration) -> Tally {
    let http = Http::default();
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        match http.post(&url, &json!({})).await {
            Some(answer) if answer.status == 200 => match Revisions::of(&answer.json()) {
                Some(revisions) => match revisions.one() {
                    Some(revision) => {
                        tally.whole += 1;
                        tally.revisions.insert(revision);
                    }
                    None => tally.torn += 1,
                },
                None => tally.undefined += 1,
            },
            _ => tally.failed += 1,
        }
        tally.slowest = tally.slowest.max(started.elapsed());
        tokio::time::sleep(pause).await;
    }
    tally
}
