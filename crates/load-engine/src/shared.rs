//! What the threads of a run tell each other and the outside: stop, gauges, causes, and the samples that nobody has taken.

use load_verdict::{Outcome, Sample};
use runtime::exit::chain_of;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connection attempts and requests without a single success before a run that fails fast is given up.
const HOPELESS: u64 = 20;

/// How a run is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Run,
    Soon,
    Now,
}

/// Samples of one thread that nobody has taken yet. The lock is held for a push or a swap and for nothing else: whoever
/// makes histograms of the samples never holds up the thread that sends.
pub(crate) type Outbox = Arc<Mutex<Vec<Sample>>>;

/// What threads tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    stop: AtomicU8,
    open: AtomicU64,
    most_open: AtomicU64,
    in_flight: AtomicU64,
    waiting: AtomicU64,
    succeeded: AtomicU64,
    broken: AtomicU64,
    opened: AtomicU64,
    connect_ns: AtomicU64,
    tls_ns: AtomicU64,
    causes: Mutex<BTreeMap<Outcome, String>>,
}

impl Shared {
    pub(crate) fn stop(&self) -> Stop {
        match self.stop.load(Relaxed) {
            0 => Stop::Run,
            1 => Stop::Soon,
            _ => Stop::Now,
        }
    }

    pub(crate) fn ask(&self, stop: u8) {
        self.stop.fetch_max(stop, Relaxed);
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        if outcome.answered() {
            if self.succeeded.load(Relaxed) == 0 && outcome == Outcome::Ok {
                self.succeeded.store(1, Relaxed);
            }
        } else {
            self.broken.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn note(&self, outcome: Outcome, error: &(dyn std::error::Error + 'static)) {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.entry(outcome).or_insert_with(|| chain_of(error));
    }

    pub(crate) fn opened(&self, connect_ns: u64, tls_ns: u64) {
        self.opened.fetch_add(1, Relaxed);
        self.connect_ns.fetch_add(connect_ns, Relaxed);
        self.tls_ns.fetch_add(tls_ns, Relaxed);
    }

    /// Whether there were attempts enough to say that nothing will succeed, and why.
    pub(crate) fn hopeless(&self) -> Option<(Outcome, String)> {
        if self.succeeded.load(Relaxed) > 0 || self.broken.load(Relaxed) < HOPELESS {
            return None;
        }
        self.causes().into_iter().next()
    }

    /// The first error message of each kind.
    pub(crate) fn causes(&self) -> BTreeMap<Outcome, String> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections that were opened, and the mean times that this and TLS took.
    pub(crate) fn connections(&self) -> (u64, Duration, Duration) {
        let opened = self.opened.load(Relaxed);
        let mean = |sum: &AtomicU64| Duration::from_nanos(sum.load(Relaxed).checked_div(opened).unwrap_or(0));
        (opened, mean(&self.connect_ns), mean(&self.tls_ns))
    }

    /// What the threads said last.
    pub(crate) fn latest(&self) -> Gauges {
        Gauges {
            connections: self.open.load(Relaxed),
            most_connections: self.most_open.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
        }
    }

    /// Replaces what a thread said before by what it says now.
    pub(crate) fn gauges(&self, before: (u64, u64, u64), now: (u64, u64, u64)) {
        let replace = |gauge: &AtomicU64, before: u64, now: u64| {
            let change = now.wrapping_sub(before);
            gauge.fetch_add(change, Relaxed).wrapping_add(change)
        };
        let open = replace(&self.open, before.0, now.0);
        self.most_open.fetch_max(open, Relaxed);
        replace(&self.in_flight, before.1, now.1);
        replace(&self.waiting, before.2, now.2);
    }
}

/// What a run looks like from outside, a tenth of a second old at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Open connections.
    pub connections: u64,
    /// Most that were open.
    pub most_connections: u64,
    /// Requests taken up and not ended.
    pub in_flight: u64,
    /// Of those, waiting for a connection.
    pub waiting: u64,
}

/// Moves the samples of all threads to the end of `samples`.
pub(crate) fn take(outboxes: &[Outbox], samples: &mut Vec<Sample>) {
    for outbox in outboxes {
        let mut outbox = outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.is_empty() {
            // The sender goes on with an allocation of the size that it needed last time.
            std::mem::swap(&mut *outbox, samples);
        } else {
            samples.append(&mut outbox);
        }
    }
}
