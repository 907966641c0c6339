//! The figures of a run as a document. Milliseconds, unless a name says otherwise.

use crate::judge::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All figures of a run; warm-up is not in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Requests that were due.
    pub scheduled: u64,
    /// Requests that got a right answer.
    pub succeeded: u64,
    /// Requests by how they ended; only outcomes that occurred.
    pub outcomes: BTreeMap<String, u64>,
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Seconds of schedule that were counted.
    pub seconds: f64,
    /// k6's aggregates, by metric key (sub-metrics of thresholds included).
    pub metrics: BTreeMap<String, MetricSummary>,
    /// Quantiles of the latency: 50, 75, 90, 95, 99, 99.9, 100 and those that thresholds ask for.
    pub latency: Vec<QuantileRow>,
    /// The judged latency distribution as a curve: from low to high quantile, about 100 points.
    pub curve: Vec<CurvePoint>,
    /// Latency over time: at most 120 slices of equal width.
    pub slices: Vec<Slice>,
    /// The worst 10 s.
    pub worst_window: Option<WorstWindow>,
    /// Every check, in the plan's order.
    pub checks: Vec<CheckSummary>,
}

/// One metric as k6 aggregates it: over what was observed, failures as fast as they were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MetricSummary {
    /// A duration, in milliseconds. `None` everywhere when there was no sample (k6 says 0 there).
    Trend {
        /// Number of samples.
        count: u64,
        /// Mean.
        avg: Option<f64>,
        /// Smallest.
        min: Option<f64>,
        /// Median, interpolated as k6 does.
        med: Option<f64>,
        /// Largest.
        max: Option<f64>,
        /// 90th percentile.
        p90: Option<f64>,
        /// 95th percentile.
        p95: Option<f64>,
        /// 99th percentile.
        p99: Option<f64>,
    },
    /// A share.
    Rate {
        /// 0 to 1; `None` without samples.
        rate: Option<f64>,
        /// Samples that were "true" (for `checks`: passed; for `http_req_failed`: failed).
        trues: u64,
        /// All samples.
        total: u64,
    },
    /// A counter.
    Counter {
        /// Events.
        count: u64,
        /// Events per second.
        rate: f64,
    },
    /// A gauge.
    Gauge {
        /// Last value.
        value: f64,
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
}

/// One quantile, honest and plain. Both are interpolated at `q * (n - 1)`, as k6 does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileRow {
    /// Percent, 0 to 100.
    pub percent: f64,
    /// From due to done over scheduled requests, failures infinitely late; `null` is infinity (or no data: `scheduled` is 0).
    pub judged_ms: Option<f64>,
    /// Its interval.
    pub interval: Interval,
    /// From sent to done, over all requests that were sent and ended, failures as fast as they were: what k6 shows.
    pub plain_ms: Option<f64>,
}

/// A point of the distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// Percent, 0 to 100.
    pub percent: f64,
    /// Judged; `null` is infinity.
    pub judged_ms: Option<f64>,
    /// From sent to done as k6 shows it; `null` without data.
    pub plain_ms: Option<f64>,
}

/// A slice of the schedule, by when requests were due.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slice {
    /// Start, seconds since the start of the counted schedule.
    pub start_s: f64,
    /// Width in seconds.
    pub width_s: f64,
    /// Requests due in it.
    pub scheduled: u64,
    /// Of those, not rightly answered.
    pub failed: u64,
    /// Median; `null` is infinity or no request (`scheduled` tells).
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Largest finite latency.
    pub max_ms: Option<f64>,
}

/// The worst 10 s, by the judged p95 (then by failures, then by the mean).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorstWindow {
    /// Start, seconds since the start of the counted schedule.
    pub start_s: f64,
    /// Width in seconds: 10, or less in a shorter run.
    pub width_s: f64,
    /// Requests due in it.
    pub scheduled: u64,
    /// Of those, not rightly answered.
    pub failed: u64,
    /// Judged p95; `null` is infinity.
    pub p95_ms: Option<f64>,
    /// Mean share of each phase.
    pub phases: Phases,
}

/// Where the time of a request went, on average, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phases {
    /// The generator's own lateness.
    pub lag_ms: f64,
    /// Waiting for a free connection.
    pub queue_ms: f64,
    /// Opening connections.
    pub connect_ms: f64,
    /// TLS handshakes.
    pub tls_ms: f64,
    /// Waiting for the first byte: the server.
    pub server_ms: f64,
    /// Receiving the rest.
    pub receive_ms: f64,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckSummary {
    /// As written: `status==200`.
    pub name: String,
    /// Passed.
    pub passes: u64,
    /// Failed, requests without an answer included.
    pub fails: u64,
}
