//! k6's threshold grammar: which metric, which aggregate, which limit.

use std::time::Duration;

/// A metric that a threshold can be about, by k6's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// From sent to done; judged from due to done.
    HttpReqDuration,
    /// From sent to the first byte.
    HttpReqWaiting,
    /// From the first byte to the last.
    HttpReqReceiving,
    /// Waiting for a connection, its opening included.
    HttpReqBlocked,
    /// Opening the connection.
    HttpReqConnecting,
    /// The TLS handshake.
    HttpReqTlsHandshaking,
    /// From due to done (k6: one iteration).
    IterationDuration,
    /// The generator's own lateness: ours, k6 has no such metric.
    SendLag,
    /// Share of requests without a response below 400.
    HttpReqFailed,
    /// Share of checks that passed.
    Checks,
    /// Requests.
    HttpReqs,
    /// Iterations: one a request here.
    Iterations,
    /// Requests that were never sent.
    DroppedIterations,
    /// Bytes sent.
    DataSent,
    /// Bytes received.
    DataReceived,
    /// Connections in use.
    Vus,
    /// Most connections in use.
    VusMax,
}

/// Which samples: the metric, and the tags that must all match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey {
    /// The metric.
    pub metric: Metric,
    /// `name:value` pairs in the order of writing, all of which must match.
    pub tags: Vec<(String, String)>,
}

/// The figure that is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    /// Mean.
    Avg,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// `p(50)`.
    Med,
    /// `p(N)`, N from 0 to 100.
    Percentile(f64),
    /// Share of a rate metric, or events per second of a counter.
    Rate,
    /// Events of a counter.
    Count,
    /// A gauge's last value.
    Value,
}

/// The comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==` or `===`
    Equal,
    /// `!=`
    NotEqual,
}

/// One threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// What it is about.
    pub key: MetricKey,
    /// The expression as it was written, without outer spaces: `p(95)<350`.
    pub expression: String,
    /// Left side.
    pub aggregation: Aggregation,
    /// Comparison.
    pub operator: Operator,
    /// Right side: milliseconds for durations, a share from 0 to 1 for rates.
    pub limit: f64,
    /// k6's `abortOnFail`.
    pub abort_on_fail: bool,
    /// k6's `delayAbortEval`: no early stop because of this one before.
    pub delay_abort: Duration,
}
