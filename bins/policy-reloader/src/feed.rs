//! Owns what the bundle server hands to OPA and what OPA posts back: one current bundle, and the newest status.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opa_client::{
    bundle::BundleBytes,
    status::{BundleStatus, StatusUpdate},
};
use pack_verify::Sha256Digest;
use tokio::{sync::watch, time::Instant};

/// A bundle as OPA gets it.
#[derive(Debug)]
pub struct Served {
    /// The pack it was made from.
    pub digest: Sha256Digest,
    /// Bundle revision: `<revision>@sha256:<hex>`, or `sha256:<hex>` for a pack without a revision.
    pub revision: String,
    /// The gzipped tar.
    pub body: BundleBytes,
}

impl Served {
    /// Strong validator, made from the bytes: a newer reloader that builds the bundle differently is asked again.
    pub fn etag(&self) -> String {
        self.body.etag()
    }
}

/// The newest status of the bundles of each OPA that reports, by OPA's own id.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    /// Counts every report.
    pub number: u64,
    /// By `labels.id`, which is new for each OPA process.
    pub by_opa: BTreeMap<String, BTreeMap<String, BundleStatus>>,
}

/// OPAs that came and went leave a status behind; more than this many at a time are never there.
const MOST_OPAS: usize = 256;

/// A bundle on offer, and how often it was handed out since.
#[derive(Debug)]
struct Offer {
    served: Arc<Served>,
    given: AtomicU64,
}

/// Connects the bundle server (one side) with the activation (other side).
#[derive(Debug, Clone)]
pub struct Feed {
    current: watch::Sender<Option<Arc<Offer>>>,
    reports: watch::Sender<Reports>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            current: watch::Sender::new(None),
            reports: watch::Sender::new(Reports::default()),
        }
    }
}

impl Feed {
    /// Offers `served` from now on; OPAs that wait in a long poll get it at once.
    pub fn offer(&self, served: &Arc<Served>) {
        let offer = Offer {
            served: Arc::clone(served),
            given: AtomicU64::new(0),
        };
        self.current.send_replace(Some(Arc::new(offer)));
    }

    /// What is offered now.
    pub fn current(&self) -> Option<Arc<Served>> {
        let offer = self.current.borrow().clone();
        offer.map(|offer| Arc::clone(&offer.served))
    }

    /// How often the bundle on offer was handed out since it was offered.
    pub fn given(&self) -> u64 {
        let offer = self.current.borrow().clone();
        offer.map_or(0, |offer| offer.given.load(Ordering::Relaxed))
    }

    /// The current bundle as soon as its validator is not `known`, to be handed out; `None` when `wait` is over before that.
    pub async fn newer_than(&self, known: Option<&str>, wait: Duration) -> Option<Arc<Served>> {
        let deadline = Instant::now() + wait;
        let mut current = self.current.subscribe();
        let differs = |offer: &Option<Arc<Offer>>| {
            offer
                .as_ref()
                .is_some_and(|offer| known.is_none_or(|known| known != offer.served.etag()))
        };
        let found = tokio::time::timeout_at(deadline, current.wait_for(differs)).await;
        let offer = found.ok()?.ok()?.clone()?;
        offer.given.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&offer.served))
    }

    /// Takes a status report.
    pub fn report(&self, update: StatusUpdate) {
        let id = update.opa_id().unwrap_or_default().to_owned();
        self.reports.send_modify(|reports| {
            reports.number += 1;
            if reports.by_opa.len() >= MOST_OPAS && !reports.by_opa.contains_key(&id) {
                reports.by_opa.clear();
            }
            reports.by_opa.insert(id, update.bundles);
        });
    }

    /// The newest reports, to be waited on.
    pub fn reports(&self) -> watch::Receiver<Reports> {
        self.reports.subscribe()
    }
}
