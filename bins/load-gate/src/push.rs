//! Sends a run's metrics to a Prometheus Pushgateway. A failure is a warning: it never changes a verdict.
//!
//! The grouping key is `job` and, where they are given, `service` and `environment`. Pushgateway never lets go of a
//! group, so nothing that changes with every release may be in the key.

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use reqwest::{StatusCode, header};
use runtime::{Retry, RetryError, RetryPolicy, SecretSource};
use std::time::Duration;
use url::Url;

/// What Pushgateway takes: the text format, without timestamps.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The gate's exit waits for this.
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
pub(crate) struct PushTarget {
    /// From `runtime::http::client`.
    pub(crate) client: reqwest::Client,
    /// Pushgateway's address, with a path prefix if it has one.
    pub(crate) url: Url,
    /// Bearer token, if it wants one.
    pub(crate) token: Option<SecretSource>,
    /// The group that is replaced.
    pub(crate) group: Group,
}

/// Pushgateway's grouping key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Label `job`.
    pub(crate) job: String,
    /// Label `service`.
    pub(crate) service: Option<String>,
    /// Label `environment`.
    pub(crate) environment: Option<String>,
}

/// Why the metrics did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
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

/// Replaces the group's metrics by `text` (Prometheus' text format).
///
/// # Errors
/// They did not arrive; see [`PushError`].
pub(crate) async fn push(target: &PushTarget, text: String) -> Result<(), PushError> {
    let text = axum::body::Bytes::from(text);
    let url = address(&target.url, &target.group).ok_or_else(|| PushError::Address {
        url: runtime::http::redact(&target.url),
    })?;
    let shown = runtime::http::redact(&target.url);
    let token = match &target.token {
        Some(token) => Some(token.get().await.map_err(PushError::Token)?),
        None => None,
    };
    let send = || async {
        // PUT, not POST: what an earlier run said about thresholds that are no longer asked for must not stay.
        let mut request = target
            .client
            .put(url.clone())
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

/// `{url}/metrics/job/{job}/service/{service}/environment/{environment}`.
fn address(url: &Url, group: &Group) -> Option<Url> {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let labels = [
        ("job", Some(&group.job)),
        ("service", group.service.as_ref()),
        ("environment", group.environment.as_ref()),
    ];
    {
        let mut path = url.path_segments_mut().ok()?;
        path.pop_if_empty().push("metrics");
        for (name, value) in labels {
            let Some(value) = value else { continue };
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
