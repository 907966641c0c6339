//! Every option of a run, as a command line or another program gives it.

use crate::plan::Protocol;
use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr, time::Duration};

/// A text that may hold a secret: it is not shown by `{:?}`, and it has no `{}`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Hidden(String);

impl Hidden {
    /// The text. Never print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Hidden {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}

/// How to stop early, by name; the error rate is an option of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyStopChoice {
    /// Never (but for fail-fast).
    Never,
    /// When the verdict cannot change any more.
    Exact,
    /// When an anytime-valid test is sure.
    Sequential,
}

/// Every option of a run. What is not given comes from the files, and then from the defaults.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Settings {
    /// Scenario file, YAML or JSON.
    pub scenario_file: Option<PathBuf>,
    /// k6's `options` as JSON.
    pub k6_options: Option<PathBuf>,
    /// What requests go to.
    pub url: Option<String>,
    /// Method of the one request.
    pub method: Option<String>,
    /// `NAME: VALUE`.
    pub headers: Vec<Hidden>,
    /// `NAME=VARIABLE` or `NAME=Bearer VARIABLE`.
    pub headers_from_env: Vec<String>,
    /// `NAME=PATH` or `NAME=Bearer PATH`.
    pub headers_from_file: Vec<String>,
    /// Body of the one request.
    pub body: Option<Hidden>,
    /// File with that body.
    pub body_file: Option<PathBuf>,
    /// GraphQL document of the one request.
    pub graphql: Option<String>,
    /// Its variables: a template of JSON.
    pub variables: Option<Hidden>,
    /// Requests per second.
    pub rate: Option<f64>,
    /// How long the counted part is.
    pub duration: Option<Duration>,
    /// What comes before and is not counted.
    pub warm_up: Option<Duration>,
    /// `METRIC=EXPRESSION`.
    pub thresholds: Vec<String>,
    /// No thresholds are wanted.
    pub no_thresholds: bool,
    /// Checks of every response.
    pub checks: Vec<String>,
    /// `NAME=VALUE`, on every request.
    pub tags: Vec<String>,
    /// Data file.
    pub data: Option<PathBuf>,
    /// Rows at random.
    pub data_random: bool,
    /// Longest time from due to done.
    pub timeout: Option<Duration>,
    /// Longest time to open a connection.
    pub connect_timeout: Option<Duration>,
    /// Connections opened before the first request.
    pub connections: Option<usize>,
    /// Most connections.
    pub max_connections: Option<usize>,
    /// Most requests that wait for one.
    pub max_waiting: Option<usize>,
    /// Version of HTTP.
    pub protocol: Option<Protocol>,
    /// A new connection for every request.
    pub no_connection_reuse: bool,
    /// End at once when nothing can be reached.
    pub fail_fast: Option<bool>,
    /// Threads that send.
    pub threads: Option<usize>,
    /// For everything that is chosen at random.
    pub seed: Option<u64>,
    /// Authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, PEM.
    pub client_cert: Option<PathBuf>,
    /// Its key, PEM.
    pub client_key: Option<PathBuf>,
    /// Accept every certificate.
    pub insecure_skip_verify: bool,
    /// Name in the certificate.
    pub server_name: Option<String>,
    /// Confidence of each bound.
    pub confidence: Option<f64>,
    /// When to stop early.
    pub early_stop: Option<EarlyStopChoice>,
    /// Error rate of a sequential stop.
    pub alpha: Option<f64>,
    /// No early stop before.
    pub min_duration: Option<Duration>,
    /// Largest send lag.
    pub max_lag: Option<Duration>,
}
