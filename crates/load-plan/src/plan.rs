//! The checked plan: everything in it is consistent, so the engine has no configuration errors of its own.

use crate::{check::Check, schedule::Schedule, template::Template};
use http::{HeaderName, Method};
use load_verdict::{Threshold, judge::StopRule};
use std::{path::PathBuf, sync::Arc, time::Duration};
use url::Url;

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenarios; a sample's `scenario` is an index into this.
    pub scenarios: Vec<Scenario>,
    /// The requests; a sample's `request` is an index into this. At least one.
    pub requests: Vec<Request>,
    /// The checks; bit `i` of a sample's `checks_made` is check `i`. At most 32.
    pub checks: Vec<Check>,
    /// The thresholds; empty only if the user said so.
    pub thresholds: Vec<Threshold>,
    /// When each request is due, warm-up included.
    pub schedule: Schedule,
    /// Rows for templates; `None` when no template needs one.
    pub data: Option<Arc<Data>>,
    /// Connections.
    pub connections: Connections,
    /// Longest time from due to done.
    pub timeout: Duration,
    /// TLS.
    pub tls: Tls,
    /// Threads that send; `None`: as many as the rate asks for.
    pub threads: Option<usize>,
    /// For everything that is chosen at random.
    pub seed: u64,
    /// How it is judged.
    pub judging: Judging,
    /// What was accepted and has no meaning here, or means something else than where it comes from; for people.
    pub notes: Vec<String>,
}

/// One scenario: a name for part of the schedule.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Name, the value of the tag `scenario`; `default` when there is only one without a name.
    pub name: String,
    /// Tags on all its samples.
    pub tags: Vec<(String, String)>,
}

/// One kind of request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name, the value of the tag `name`.
    pub name: String,
    /// Tags of its own.
    pub tags: Vec<(String, String)>,
    /// Method.
    pub method: Method,
    /// Scheme, host and port: what is connected to. Path and query are in `target`.
    pub origin: Url,
    /// Path and query as sent: always begins with `/`.
    pub target: Template,
    /// Headers as sent, without Host and Content-Length (unless given). Values may hold secrets: never print them.
    pub headers: Vec<(HeaderName, Template)>,
    /// Body.
    pub body: Option<Template>,
    /// The GraphQL text it was made of, for people.
    pub graphql: Option<String>,
    /// Bit `i`: check `i` of the plan is made of its responses.
    pub checks: u32,
}

/// A data file in memory.
#[derive(Debug, Clone)]
pub struct Data {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows, each with a value for every column. At least one.
    pub rows: Vec<Vec<String>>,
    /// Whether rows are taken at random (by the seed) or one after the other.
    pub random: bool,
}

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub struct Connections {
    /// Opened before the first request.
    pub initial: usize,
    /// Most at a time; more requests wait, and their wait counts.
    pub max: usize,
    /// Most requests that wait for a connection; more are dropped, counted and judged as infinitely late.
    pub max_waiting: usize,
    /// Version of HTTP.
    pub protocol: Protocol,
    /// Longest time to open one, TLS included.
    pub connect_timeout: Duration,
    /// A new connection for every request (k6's `noConnectionReuse`).
    pub no_reuse: bool,
    /// End the run at once when nothing can be reached.
    pub fail_fast: bool,
}

/// Version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: negotiated over TLS (or the connection fails), by prior knowledge without.
    Http2,
}

/// TLS options.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Authorities to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, PEM.
    pub client_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub client_key: Option<PathBuf>,
    /// Accept every certificate. Named so that nobody takes it for harmless.
    pub insecure_skip_verify: bool,
    /// Name in the certificate, when it is not the URL's host.
    pub server_name: Option<String>,
}

/// How a run is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judging {
    /// Confidence of each one-sided bound, 0.95 by default.
    pub confidence: f64,
    /// When to stop before the end (but for fail-fast).
    pub early_stop: StopRule,
    /// No early stop before this much of the counted schedule has passed.
    pub min_duration: Duration,
    /// Largest 99th percentile of the send lag; `None`: 10 ms, or 5 % of the smallest latency limit if that is more.
    pub max_lag: Option<Duration>,
}
