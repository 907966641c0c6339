//! Sends metrics to a Prometheus Pushgateway, for programs that end before anybody could scrape them.
//!
//! A group is named by its labels ([`Group`]). Pushgateway never lets go of one, so nothing that changes with every run
//! or release may be in it. What a push does to metrics that are there already is the caller's choice ([`Replace`]).
//!
//! A failure to push is for its caller to weigh: monitoring that is down seldom is a reason to fail.
//!
//! ```no_run
//! # async fn example(client: reqwest::Client, url: url::Url) -> Result<(), pushgateway::PushError> {
//! use pushgateway::{Group, PushTarget, Replace, push};
//!
//! let target = PushTarget {
//!     client,
//!     url,
//!     token: None,
//!     group: Group::new("nightly").with("environment", Some("production".to_owned())),
//! };
//! push(&target, Replace::Metrics, "# TYPE nightly_ok gauge\nnightly_ok 1\n").await
//! # }
//! ```
//!
//! Protocol: <https://github.com/prometheus/pushgateway#api>.

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use bytes::Bytes;
use reqwest::{Method, StatusCode, header};
use runtime::{Retry, RetryError, RetryPolicy, SecretSource};
use std::time::Duration;
use url::Url;

/// What Pushgateway takes: the text format, without timestamps.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// For one attempt: a program that is done waits for this.
const TIMEOUT: Duration = Duration::from_secs(5);
const RETRIES: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    base: Duration::from_millis(250),
    cap: Duration::from_secs(1),
    total_deadline: Duration::from_secs(10),
};
/// Of the gateway's complaint, as much as helps.
const LONGEST_COMPLAINT: usize = 300;

/// Where the metrics go.
#[derive(Debug, Clone)]
pub struct PushTarget {
    /// From `runtime::http::client`.
    pub client: reqwest::Client,
    /// Pushgateway's address, with a path prefix if it has one. Its query and fragment are not used.
    pub url: Url,
    /// Bearer token, if it wants one.
    pub token: Option<SecretSource>,
    /// The group that is written to.
    pub group: Group,
}

/// Pushgateway's grouping key: `job` and any further labels. Values may hold any text, slashes too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Label `job`.
    job: String,
    /// Further labels, in the order of the path.
    labels: Vec<(&'static str, String)>,
}

impl Group {
    /// The group of a job, without further labels.
    pub fn new(job: impl Into<String>) -> Self {
        Self {
            job: job.into(),
            labels: Vec::new(),
        }
    }

    /// With a label, if there is a value; names are as Prometheus allows them (`[a-zA-Z_][a-zA-Z0-9_]*`).
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<String>) -> Self {
        self.labels.extend(value.map(|value| (name, value)));
        self
    }
}

/// What becomes of the metrics that the group holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// All of them go (PUT): what an earlier run said about things that are no longer measured must not stay.
    Group,
    /// Only metrics with a name that is sent go, with all of their series (POST): the time of the last success stays
    /// while later runs fail and do not send it.
    Metrics,
}

impl Replace {
    fn method(self) -> Method {
        match self {
            Self::Group => Method::PUT,
            Self::Metrics => Method::POST,
        }
    }
}

/// Why the metrics did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The token cannot be read.
    #[error("cannot read the token for Pushgateway")]
    Token(#[source] runtime::SecretError),
    /// No answer.
    #[error("cannot push metrics to {url}")]
    Unreachable {
        /// The address, without secrets.
        url: String,
        /// How much was tried, and what happened.
        #[source]
        source: RetryError<reqwest::Error>,
    },
    /// Another answer than 2xx.
    #[error("{url} refused the metrics with {status}: {complaint}")]
    Refused {
        /// The address, without secrets.
        url: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        complaint: String,
    },
    /// The address takes no path.
    #[error("{url} cannot be a Pushgateway's address")]
    Address {
        /// The address, without secrets.
        url: String,
    },
}

/// Sends `text` (Prometheus' text format, without timestamps) to the group.
///
/// A server that cannot be reached, or that answers with 5xx, is asked three times; all in all that takes 10 s and one
/// attempt at the most. What is sent replaces what is there, so a repeated attempt does no harm.
///
/// # Errors
/// They did not arrive; see [`PushError`].
pub async fn push(target: &PushTarget, replace: Replace, text: impl Into<Bytes>) -> Result<(), PushError> {
    let text = text.into();
    let url = address(&target.url, &target.group).ok_or_else(|| PushError::Address {
        url: runtime::http::redact(&target.url),
    })?;
    let shown = runtime::http::redact(&target.url);
    let token = match &target.token {
        Some(token) => Some(token.get().await.map_err(PushError::Token)?),
        None => None,
    };
    let send = || async {
        let mut request = target
            .client
            .request(replace.method(), url.clone())
            .timeout(TIMEOUT)
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .body(text.clone());
        if let Some(token) = &token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        match response.error_for_status_ref() {
            Err(error) if response.status().is_server_error() => Err(error.without_url()),
            Ok(_) | Err(_) => Ok(response),
        }
    };
    let response = runtime::retry::retry(RETRIES, |_| Retry::Backoff, send)
        .await
        .map_err(|source| PushError::Unreachable {
            url: shown.clone(),
            source,
        })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(PushError::Refused {
        url: shown,
        status,
        complaint: complaint(response).await,
    })
}

/// The beginning of what a server said, on one line.
async fn complaint(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < LONGEST_COMPLAINT {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    bytes.truncate(LONGEST_COMPLAINT);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        "no reason given".to_owned()
    } else {
        text
    }
}

/// `{url}/metrics/job/{job}/{name}/{value}...`.
fn address(url: &Url, group: &Group) -> Option<Url> {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let labels = group.labels.iter().map(|(name, value)| (*name, value));
    let labels = std::iter::once(("job", &group.job)).chain(labels);
    {
        let mut path = url.path_segments_mut().ok()?;
        path.pop_if_empty().push("metrics");
        for (name, value) in labels {
            if plain(value) {
                path.push(name).push(value);
            } else {
                path.push(&format!("{name}@base64")).push(&encoded(value));
            }
        }
    }
    Some(url)
}

/// Whether a value can be a path segment as it is: nothing that a proxy or a URL parser would read as something else.
fn plain(value: &str) -> bool {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !value.is_empty() && value.chars().all(harmless) && value.chars().any(|letter| letter != '.')
}

/// Pushgateway's base64; the empty value is a lone `=`, because a path segment cannot be empty.
fn encoded(value: &str) -> String {
    if value.is_empty() {
        "=".to_owned()
    } else {
        URL_SAFE.encode(value)
    }
}

#[cfg(test)]
mod tests;
