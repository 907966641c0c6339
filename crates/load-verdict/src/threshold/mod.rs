//! k6's threshold grammar: which metric, which aggregate, which limit.
//!
//! ```text
//! threshold  -> key "=" expression                      (the flag's form; files give the two apart)
//! key        -> metric [ "{" tag ":" value { "," tag ":" value } "}" ]
//! expression -> aggregate operator limit                (white space around each is ignored)
//! aggregate  -> "avg" | "min" | "max" | "med" | "p(" number ")" | "rate" | "count" | "value"
//! operator   -> "<" | "<=" | ">" | ">=" | "==" | "===" | "!="
//! number, limit -> what Go's strconv.ParseFloat takes
//! ```
//!
//! What is accepted and refused was compared with k6 0.52 itself (`grammar_tests.rs` is the record). Refused here although k6
//! takes it, because it asks for nothing that can be judged: a percentile outside of 0 to 100 (k6 crashes), `p` without a
//! percentile (k6 reads 0), a limit that is not a number, a tag without a name (k6 crashes) or value, a tag given twice (k6
//! forgets the first), and metrics that are not measured here.

mod error;
#[cfg(test)]
mod grammar_tests;
mod key;
mod number;
mod parse;

pub use error::{Problem, ThresholdError};

use std::{fmt, time::Duration};

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

/// What kind of figures a metric has, and so which aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Durations in milliseconds: `avg`, `min`, `max`, `med`, `p(N)`.
    Trend,
    /// A share: `rate`.
    Rate,
    /// Events: `count` and `rate` (per second).
    Counter,
    /// A level: `value`.
    Gauge,
}

impl Kind {
    /// k6's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trend => "trend",
            Self::Rate => "rate",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }

    /// The aggregates it has, for people.
    pub const fn aggregations(self) -> &'static str {
        match self {
            Self::Trend => "avg, min, max, med, p(N)",
            Self::Rate => "rate",
            Self::Counter => "count, rate",
            Self::Gauge => "value",
        }
    }

    /// Whether a threshold may use this aggregate of it.
    pub const fn has(self, aggregation: Aggregation) -> bool {
        match self {
            Self::Trend => matches!(
                aggregation,
                Aggregation::Avg | Aggregation::Min | Aggregation::Max | Aggregation::Med | Aggregation::Percentile(_)
            ),
            Self::Rate => matches!(aggregation, Aggregation::Rate),
            Self::Counter => matches!(aggregation, Aggregation::Count | Aggregation::Rate),
            Self::Gauge => matches!(aggregation, Aggregation::Value),
        }
    }
}

impl Metric {
    /// Every metric, in k6's order of names.
    pub const ALL: [Self; 17] = [
        Self::HttpReqDuration,
        Self::HttpReqWaiting,
        Self::HttpReqReceiving,
        Self::HttpReqBlocked,
        Self::HttpReqConnecting,
        Self::HttpReqTlsHandshaking,
        Self::IterationDuration,
        Self::SendLag,
        Self::HttpReqFailed,
        Self::Checks,
        Self::HttpReqs,
        Self::Iterations,
        Self::DroppedIterations,
        Self::DataSent,
        Self::DataReceived,
        Self::Vus,
        Self::VusMax,
    ];

    /// k6's name of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpReqDuration => "http_req_duration",
            Self::HttpReqWaiting => "http_req_waiting",
            Self::HttpReqReceiving => "http_req_receiving",
            Self::HttpReqBlocked => "http_req_blocked",
            Self::HttpReqConnecting => "http_req_connecting",
            Self::HttpReqTlsHandshaking => "http_req_tls_handshaking",
            Self::IterationDuration => "iteration_duration",
            Self::SendLag => "send_lag",
            Self::HttpReqFailed => "http_req_failed",
            Self::Checks => "checks",
            Self::HttpReqs => "http_reqs",
            Self::Iterations => "iterations",
            Self::DroppedIterations => "dropped_iterations",
            Self::DataSent => "data_sent",
            Self::DataReceived => "data_received",
            Self::Vus => "vus",
            Self::VusMax => "vus_max",
        }
    }

    /// Which aggregates it has.
    pub const fn kind(self) -> Kind {
        match self {
            Self::HttpReqDuration
            | Self::HttpReqWaiting
            | Self::HttpReqReceiving
            | Self::HttpReqBlocked
            | Self::HttpReqConnecting
            | Self::HttpReqTlsHandshaking
            | Self::IterationDuration
            | Self::SendLag => Kind::Trend,
            Self::HttpReqFailed | Self::Checks => Kind::Rate,
            Self::HttpReqs | Self::Iterations | Self::DroppedIterations | Self::DataSent | Self::DataReceived => {
                Kind::Counter
            }
            Self::Vus | Self::VusMax => Kind::Gauge,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which samples: the metric, and the tags that must all match.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey {
    /// The metric.
    pub metric: Metric,
    /// `name:value` pairs in the order of writing, all of which must match.
    pub tags: Vec<(String, String)>,
}

impl MetricKey {
    /// The metric without tags.
    pub const fn plain(metric: Metric) -> Self {
        Self {
            metric,
            tags: Vec::new(),
        }
    }
}

/// As k6 writes it: `http_req_duration{op:read,status:200}`.
impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric.as_str())?;
        for (index, (name, value)) in self.tags.iter().enumerate() {
            write!(f, "{}{name}:{value}", if index == 0 { "{" } else { "," })?;
        }
        if self.tags.is_empty() { Ok(()) } else { f.write_str("}") }
    }
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

impl Aggregation {
    /// The quantile it asks for, 0 to 1; `None` for other figures.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::Med => Some(0.5),
            Self::Percentile(percent) => Some(percent / 100.0),
            _ => None,
        }
    }
}

/// As k6 writes it: `p(99.9)`, `avg`.
impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Med => f.write_str("med"),
            Self::Percentile(percent) => write!(f, "p({percent})"),
            Self::Rate => f.write_str("rate"),
            Self::Count => f.write_str("count"),
            Self::Value => f.write_str("value"),
        }
    }
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

impl Operator {
    /// The sign; `==` for both of k6's equalities.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// Whether `observed` keeps `limit`.
    // k6 compares floats exactly, and a threshold such as `rate==1` means just that.
    #[allow(clippy::float_cmp)]
    pub fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Self::Less => observed < limit,
            Self::LessOrEqual => observed <= limit,
            Self::Greater => observed > limit,
            Self::GreaterOrEqual => observed >= limit,
            Self::Equal => observed == limit,
            Self::NotEqual => observed != limit,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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

impl Threshold {
    /// Reads a key and an expression, as files give them: `http_req_duration{op:read}` and `p(95)<350`.
    pub fn parse(key: &str, expression: &str) -> Result<Self, ThresholdError> {
        let key = key::parse(key)?;
        parse::expression(key, expression)
    }

    /// Reads a flag: `http_req_duration{op:read}=p(95)<350`.
    pub fn parse_flag(flag: &str) -> Result<Self, ThresholdError> {
        let (key, expression) = key::split_flag(flag)?;
        Self::parse(key, expression)
    }

    /// The same, with k6's `abortOnFail` and `delayAbortEval`.
    #[must_use]
    pub const fn with_abort(mut self, abort_on_fail: bool, delay_abort: Duration) -> Self {
        self.abort_on_fail = abort_on_fail;
        self.delay_abort = delay_abort;
        self
    }
}

/// The flag's form: `http_req_duration{op:read}=p(95)<350`; [`Threshold::parse_flag`] reads it back.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.expression)
    }
}
