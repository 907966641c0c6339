//! What the judge is given: counts and order statistics of each threshold, and figures of the whole run.

use crate::threshold::Threshold;
use std::{fmt, time::Duration};

/// The sorted judged latencies of a population, asked by rank. Failures are infinitely late and come last.
pub trait Ranked: fmt::Debug + Sync {
    /// Size of the population, failures included.
    fn count(&self) -> u64;

    /// The value of the given rank, from 1 (smallest) to [`count`](Self::count), in the metric's unit.
    /// `None`: infinite (it failed). Ranks outside the range are moved to its nearest end by the caller.
    fn value_at_rank(&self, rank: u64) -> Option<f64>;
}

/// A stretch of the counted schedule, by when requests were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Batch {
    /// Samples in it.
    pub n: u64,
    /// Those that are bad, in the sense of [`Evidence::bad`].
    pub bad: u64,
}

/// Everything that is known about one threshold.
///
/// Which sample is *bad* depends on the threshold, and is decided exactly, when the sample is recorded:
///
/// | threshold | bad |
/// |---|---|
/// | `p(95)<350`, and every aggregate of a latency with a limit | `!(latency < 350)`; failures are infinitely late |
/// | `p(95)>350` | `!(latency > 350)` |
/// | `rate<0.01` of a rate metric (`<=`, `==`, `!=` too) | the sample is true (for `http_req_failed`: failed) |
/// | `rate>0.99` of a rate metric (`>=` too) | the sample is false (for `checks`: failed) |
/// | counters and gauges | none: 0 |
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The threshold.
    pub threshold: Threshold,
    /// Its metric key as written: `http_req_duration{op:read}`.
    pub key: String,
    /// Samples that a full run has (an upper bound, where tags select by the answer).
    pub planned: u64,
    /// Samples so far.
    pub n: u64,
    /// Those that are bad.
    pub bad: u64,
    /// Those of `bad` that got a wrong answer or none, which the generator's own lateness cannot explain:
    /// `HttpError`, `CheckFailed`, `Dns`, `Connect`, `Tls`, `Reset`, `Protocol`.
    pub hard_bad: u64,
    /// Consecutive stretches of equal duration, in order, that together hold the samples. As many as there are:
    /// the judge merges them.
    pub batches: Vec<Batch>,
    /// The figure that is judged, over scheduled requests. `None`: infinite, or no data.
    pub observed: Option<f64>,
    /// Whether `observed` is `None` because it is infinite.
    pub infinite: bool,
    /// What k6 computes from the same run; `None` without data.
    pub plain: Option<f64>,
    /// The judged latencies, for the interval of a quantile; `None` for other metrics.
    pub ranked: Option<&'a dyn Ranked>,
    /// The tags select by the answer (`status:200`, `expected_response:true`), so requests without one are left out by
    /// the threshold's own definition.
    pub only_answered: bool,
    /// How many samples one request adds at most: 1, or the number of its checks.
    pub per_request: u64,
}

/// Figures of the whole run, warm-up not counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunTotals {
    /// Requests that were due.
    pub scheduled: u64,
    /// Requests that got a right answer.
    pub succeeded: u64,
    /// Requests by [`Outcome`](crate::Outcome), `outcome as usize` being the index.
    pub outcomes: [u64; 11],
    /// The part of the planned schedule that was carried out, 0 to 1.
    pub completed: f64,
    /// A signal ended the run.
    pub interrupted: bool,
    /// Longest time from due to done, in milliseconds.
    pub timeout_ms: f64,
}

/// When a run may be stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StopRule {
    /// Never.
    Never,
    /// When the verdict cannot change any more: the same verdict as the full run, by construction.
    Exact,
    /// As [`Exact`](Self::Exact), and when an anytime-valid test is sure, at this error rate.
    Sequential {
        /// Error rate, over 0 and below 0.5.
        alpha: f64,
    },
}

/// How to judge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgeOptions {
    /// Confidence of each one-sided bound, for example 0.95.
    pub confidence: f64,
    /// When to stop early.
    pub stop_rule: StopRule,
    /// No early stop before this much of the counted schedule has passed.
    pub min_duration: Duration,
}

impl Default for JudgeOptions {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            stop_rule: StopRule::Exact,
            min_duration: Duration::ZERO,
        }
    }
}

/// How far a run has come, when [`early_stop`](super::early_stop) is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Time since the start of the counted schedule.
    pub elapsed: Duration,
    /// Whether the generator has kept its schedule so far.
    pub valid_so_far: bool,
    /// Requests that were due (warm-up not counted) and have not ended: not in the evidence yet. A sequential PASS counts each
    /// as bad, because it is the slow ones that are missing.
    pub pending: u64,
}

/// Largest figures with which a measurement can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValidityLimits {
    /// 99th percentile of the send lag, in milliseconds.
    pub lag_ms: f64,
    /// Smallest share of the scheduled requests that were sent in time.
    pub sent: f64,
    /// Share of its running time that the generator waited for a processor.
    pub cpu_wait: f64,
    /// Share of the time in which the generator's cgroup was throttled.
    pub throttled: f64,
    /// Share of one core that the busiest thread used.
    pub busiest_thread: f64,
}

impl Default for ValidityLimits {
    fn default() -> Self {
        Self {
            lag_ms: 10.0,
            sent: 0.99,
            cpu_wait: 0.25,
            throttled: 0.05,
            busiest_thread: 0.9,
        }
    }
}

/// What the generator knows of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ValidityInput {
    /// Median send lag, in milliseconds.
    pub lag_p50_ms: f64,
    /// 99th percentile of the send lag, in milliseconds.
    pub lag_p99_ms: f64,
    /// Requests that were due, warm-up not counted.
    pub scheduled: u64,
    /// Of those, taken up in time.
    pub sent: u64,
    /// Share of its running time that the generator waited for a processor, 0 to 1.
    pub cpu_wait: Option<f64>,
    /// Share of the time in which its cgroup was throttled, 0 to 1.
    pub throttled: Option<f64>,
    /// Share of one core that the busiest thread used.
    pub busiest_thread: Option<f64>,
    /// What is allowed.
    pub limits: ValidityLimits,
}
