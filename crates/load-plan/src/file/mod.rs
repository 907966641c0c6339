//! The scenario file: YAML or JSON, every key known, its JSON Schema derived from these types.
//!
//! | module | owns |
//! |---|---|
//! | [`values`] | values with more than one way to write them |
//! | [`read`] | reading a file, and errors that say where and what was meant |
//! | [`k6`] | k6's `options`, turned into the same types |

pub(crate) mod k6;
pub(crate) mod k6_types;
pub(crate) mod read;
pub(crate) mod values;

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use values::{HeaderSource, OneOrMany, Pairs, Span, ThresholdSpec};

/// A load scenario for `load-gate run --scenario FILE`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "names and values, such as `rate: 50` (see `load-gate schema scenario`)"
)]
pub(crate) struct ScenarioFile {
    /// For editors: where this schema is.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// What requests go to. A request's own `url` may be relative to it.
    pub url: Option<String>,
    /// Requests per time unit, constant: short for one scenario.
    pub rate: Option<f64>,
    /// What `rate`, `start_rate` and targets are per; 1s when not given.
    pub time_unit: Option<Span>,
    /// How long the counted part is.
    pub duration: Option<Span>,
    /// Rate at the start of the first stage; 0 when not given.
    pub start_rate: Option<f64>,
    /// A rate that changes: short for one scenario.
    pub stages: Option<Vec<StageSpec>>,
    /// Scenarios by name, side by side.
    pub scenarios: Option<Pairs<ScenarioSpec>>,
    /// Comes before everything else, is sent and is not counted.
    pub warm_up: Option<Span>,
    /// What is sent. One GET of `url` when not given.
    pub requests: Option<Vec<RequestSpec>>,
    /// Headers of all requests.
    pub headers: Option<Pairs<HeaderSource>>,
    /// Tags of all requests.
    pub tags: Option<Pairs<String>>,
    /// What every response must satisfy, such as `status==200` or `no_graphql_errors`.
    pub checks: Option<Vec<String>>,
    /// Rows for templates.
    pub data: Option<DataSpec>,
    /// k6's thresholds: expressions such as `p(95)<350` by metric, such as `http_req_duration{op:read}`.
    pub thresholds: Option<Pairs<OneOrMany<ThresholdSpec>>>,
    /// Run without any threshold; the verdict then only says whether requests succeeded.
    pub no_thresholds: Option<bool>,
    /// Longest time from the moment a request was due to its last byte; 30s when not given.
    pub timeout: Option<Span>,
    /// Connections.
    pub connections: Option<ConnectionsSpec>,
    /// TLS.
    pub tls: Option<TlsSpec>,
    /// How the run is judged.
    pub judging: Option<JudgingSpec>,
    /// End at once when no request can succeed; true when not given.
    pub fail_fast: Option<bool>,
    /// Threads that send; as many as the rate asks for when not given.
    pub threads: Option<usize>,
    /// For everything that is chosen at random.
    pub seed: Option<u64>,
}

/// A stretch of time in which the rate changes evenly.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageSpec {
    /// How long; `0s` is a step.
    pub duration: Span,
    /// Rate at its end, per time unit.
    pub target: f64,
}

/// A part of the schedule: either `rate` and `duration`, or `stages`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScenarioSpec {
    /// Requests per time unit, constant.
    pub rate: Option<f64>,
    /// How long, with `rate`.
    pub duration: Option<Span>,
    /// Rate at the start of the first stage; 0 when not given.
    pub start_rate: Option<f64>,
    /// A rate that changes.
    pub stages: Option<Vec<StageSpec>>,
    /// What rates are per; 1s when not given.
    pub time_unit: Option<Span>,
    /// When it starts, after the warm-up; at once when not given.
    pub start: Option<Span>,
    /// Names of its requests with their weights; all requests with their own weights when not given.
    pub requests: Option<Pairs<u32>>,
    /// Tags of its samples.
    pub tags: Option<Pairs<String>>,
}

/// One kind of request. At most one of `graphql`, `json`, `body` and `body_file`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RequestSpec {
    /// Value of the tag `name`; the URL when not given.
    pub name: Option<String>,
    /// Share among the scenario's requests; 1 when not given.
    pub weight: Option<u32>,
    /// GET, or POST when there is a body.
    pub method: Option<String>,
    /// Absolute, or relative to the file's `url`. Path and query may have placeholders.
    pub url: Option<String>,
    /// Its headers; they come before those of the file.
    pub headers: Option<Pairs<HeaderSource>>,
    /// A GraphQL document, sent by POST as JSON. Adds the check `no_graphql_errors`.
    pub graphql: Option<String>,
    /// Variables of the GraphQL document: an object whose texts may have placeholders, or a template of JSON.
    pub variables: Option<serde_json::Value>,
    /// Any JSON, whose texts may have placeholders.
    pub json: Option<serde_json::Value>,
    /// Text, with placeholders.
    pub body: Option<String>,
    /// A file with such a text, relative to this one.
    pub body_file: Option<PathBuf>,
    /// Its tags.
    pub tags: Option<Pairs<String>>,
    /// Its checks, besides the file's.
    pub checks: Option<Vec<String>>,
}

/// A data file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataSpec {
    /// CSV with a header, a JSON list of objects (.json), or one object a line (.jsonl, .ndjson); relative to this file.
    pub file: PathBuf,
    /// How rows are taken; one after the other when not given.
    #[serde(default)]
    pub order: Order,
}

/// How rows are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// One after the other, from the first again after the last.
    #[default]
    Sequential,
    /// At random, the same for the same seed.
    Random,
}

/// Connections.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConnectionsSpec {
    /// Opened before the first request.
    pub initial: Option<usize>,
    /// Most at a time. More requests wait, and their wait counts.
    pub max: Option<usize>,
    /// Most requests that wait. More are dropped, counted and judged as infinitely late.
    pub max_waiting: Option<usize>,
    /// Version of HTTP.
    pub protocol: Option<ProtocolSpec>,
    /// Longest time to open one, TLS included; 10s when not given.
    pub connect_timeout: Option<Span>,
    /// A new connection for every request.
    pub no_reuse: Option<bool>,
}

/// Version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProtocolSpec {
    /// HTTP/2 where TLS negotiates it, else HTTP/1.1.
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; by prior knowledge without TLS.
    Http2,
}

/// TLS.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSpec {
    /// Authorities to trust besides the system's, PEM; relative to this file.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, PEM; relative to this file.
    pub client_cert: Option<PathBuf>,
    /// Its key, PEM; relative to this file.
    pub client_key: Option<PathBuf>,
    /// Accept every certificate.
    pub insecure_skip_verify: Option<bool>,
    /// Name in the certificate, when it is not the URL's host.
    pub server_name: Option<String>,
}

/// How the run is judged.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JudgingSpec {
    /// Confidence of each one-sided bound; 0.95 when not given.
    pub confidence: Option<f64>,
    /// When to stop before the end; exact when not given.
    pub early_stop: Option<EarlyStopSpec>,
    /// Error rate of a sequential stop; 0.01 when not given.
    pub alpha: Option<f64>,
    /// No early stop before this much of the counted schedule has passed.
    pub min_duration: Option<Span>,
    /// Largest 99th percentile of the send lag.
    pub max_lag: Option<Span>,
}

/// When to stop before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EarlyStopSpec {
    /// Never (but for fail-fast).
    Never,
    /// When the verdict cannot change any more.
    Exact,
    /// When an anytime-valid test is sure, at the error rate `alpha`.
    Sequential,
}

/// The JSON Schema of the scenario file.
pub fn scenario_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(ScenarioFile);
    schema.insert("title".to_owned(), "load-gate scenario".into());
    schema.to_value()
}
