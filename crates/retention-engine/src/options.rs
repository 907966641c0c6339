//! Owns what the engine is told: limits, patience, and the run that it works for.

use std::time::{Duration, Instant};

/// A batch takes seconds at most: more would be for ever.
const MOST_NICE: f64 = 1000.0;

/// Limits and patience.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a batch should take, commit included: as long, at most, a writer waits for a row.
    pub batch_target: Duration,
    /// How long a batch waits for somebody else's lock.
    pub lock_timeout: Duration,
    /// At most so many rows in the whole run.
    pub max_rows: Option<u64>,
    /// No batch begins after it.
    pub deadline: Option<Instant>,
    /// When to make room for others.
    pub throttle: Throttle,
    /// So many sweeps over a table may pass without less being left than before.
    pub max_sweeps: u32,
    /// How long a lost server is waited for.
    pub reconnect: Duration,
    /// How long in all one place of a table may stay locked by others before the rule is given up.
    pub lock_patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch_target: Duration::from_millis(20),
            lock_timeout: Duration::from_millis(100),
            max_rows: None,
            deadline: None,
            throttle: Throttle::default(),
            max_sweeps: 5,
            reconnect: Duration::from_mins(1),
            lock_patience: Duration::from_mins(1),
        }
    }
}

/// When to make room for others.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// A replica may be behind by so much time.
    pub max_lag: Duration,
    /// A replica may be behind by so many bytes of WAL.
    pub max_lag_bytes: u64,
    /// So many other sessions may be active at once; `None`: any number.
    pub max_active: Option<u32>,
    /// Pause while a replication slot is about to lose WAL that it needs.
    pub watch_slots: bool,
    /// After each batch, rest for so many times as long as it took; 0 never rests. Not more than 1,000 counts.
    pub nice_ratio: f64,
    /// How long in all a pause may last; then the run ends as with a used-up budget, and the next goes on.
    pub patience: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            max_lag: Duration::from_secs(30),
            max_lag_bytes: 1 << 30,
            max_active: None,
            watch_slots: true,
            nice_ratio: 0.0,
            patience: Duration::from_mins(30),
        }
    }
}

impl Throttle {
    /// How long to rest after a batch that took `elapsed`.
    pub(crate) fn rest(&self, elapsed: Duration) -> Duration {
        elapsed.mul_f64(self.nice_ratio.clamp(0.0, MOST_NICE))
    }
}

/// The run that the engine works for.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// Its id.
    pub run_id: String,
    /// Its fence: a newer run has another.
    pub fence: i64,
    /// SHA-256 of the policy, hex.
    pub policy_digest: String,
}
