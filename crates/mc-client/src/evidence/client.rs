//! Owns the request for `evidenceOk`, and what is looked at before the body: where the answer comes from and what kind it is.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use reqwest::Response;
use runtime::SecretSource;
use serde_json::json;
use tracing::Instrument;
use url::Url;

use super::answer::EvidenceOk;
use super::error::EvidenceError;
use super::wire;
use crate::body::{Body, Deadline};
use crate::call::{Call, Endpoint};
use crate::error::McError;
use crate::headers::one;
use crate::outcome;

/// An answer has some hundred bytes.
const LARGEST_ANSWER: usize = 64 << 10;
/// More than any error message of MC.
const ERROR_BODY: usize = 4096;
/// A longer `Retry-After` is a mistake; the caller's deadline decides anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);
/// By how much the HTTP client's limit is later than ours, so that ours says what was waited for.
const MARGIN: Duration = Duration::from_secs(1);

/// Constant, so that a server which only answers operations it knows can know this one. Only what the contract has.
const QUERY: &str = "query EvidenceOk($service: String!, $releaseId: ID!) { \
     evidenceOk(service: $service, releaseId: $releaseId) { \
     ok reasons \
     snapshot { service p95Ms p99Ms errorRate window } \
     cost { graphqlPerMillionUsd ingestPerThousandUsd } } }";

/// The two media types that an answer may have (GraphQL over HTTP).
const MEDIA_TYPES: [&str; 2] = ["application/graphql-response+json", "application/json"];

/// Limits of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceTimeouts {
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// From the start of the request to the end of the answer.
    pub total: Duration,
}

impl Default for EvidenceTimeouts {
    /// 30 s in all, 10 s between pieces.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// Asks MC whether the evidence of a release is good. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EvidenceClient {
    http: reqwest::Client,
    url: Url,
    token: Option<SecretSource>,
    timeouts: EvidenceTimeouts,
    clock: fn() -> Timestamp,
}

/// The URL of MC's GraphQL: `/graphql` below the base URL, unless it is there already. A query stays.
pub fn graphql_url(mc_url: &Url) -> Url {
    let mut url = mc_url.clone();
    let mut base = url.path().trim_end_matches('/');
    while let Some(shorter) = base.strip_suffix("/graphql") {
        base = shorter.trim_end_matches('/');
    }
    let path = format!("{base}/graphql");
    url.set_path(&path);
    url.set_fragment(None);
    url
}

impl EvidenceClient {
    /// `mc_url` is MC's base URL, with or without `/graphql`. `http` comes from [`runtime::http::client`] and must not
    /// follow redirects.
    pub fn new(http: reqwest::Client, mc_url: &Url, token: Option<SecretSource>) -> Self {
        Self {
            http,
            url: graphql_url(mc_url),
            token,
            timeouts: EvidenceTimeouts::default(),
            clock: Timestamp::now,
        }
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: EvidenceTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Replaces the clock that a `Retry-After` date is compared with.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    /// Where it asks.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Asks once: nothing is retried here (see [`EvidenceError::may_change`]). `Ok` means that the whole answer is as
    /// the contract has it; whether the release may go on is [`EvidenceOk::ok`].
    pub async fn evidence_ok(&self, service: &str, release_id: &str) -> Result<EvidenceOk, EvidenceError> {
        let call = Call::new(
            Endpoint::GraphQl,
            Method::POST,
            self.url.clone(),
            false,
            self.token.is_some(),
            Deadline::after(self.timeouts.total),
        );
        let span = call.span.clone();
        async {
            let body = self.ask(&call, service, release_id).await?;
            wire::read(&body, service, &call.request)
        }
        .instrument(span)
        .await
    }

    async fn ask(&self, call: &Call, service: &str, release_id: &str) -> Result<bytes::Bytes, EvidenceError> {
        let question = json!({
            "query": QUERY,
            "operationName": "EvidenceOk",
            "variables": { "service": service, "releaseId": release_id },
        });
        let request = self
            .http
            .post(call.url.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(
                header::ACCEPT,
                HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9"),
            )
            // A POST is hardly ever answered by a cache; where one does, this asks it not to.
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
            .body(question.to_string())
            .timeout(call.deadline.total + MARGIN);
        let response = call.begin(request, self.token.as_ref(), self.timeouts.total).await?;
        call.span.record("status", response.status().as_u16());
        self.check(call, response).await
    }

    async fn check(&self, call: &Call, response: Response) -> Result<bytes::Bytes, EvidenceError> {
        let request = call.request.clone();
        // A client that follows redirects was given in spite of all.
        if response.url() != &call.url {
            let location = outcome::location(&call.url, Some(response.url().as_str()));
            return Err(McError::Redirect { request, location }.into());
        }
        let status = response.status();
        if status == StatusCode::OK {
            check_headers(response.headers()).map_err(|what| EvidenceError::NotTrusted { request, what })?;
            let expected = response.content_length();
            let body = self.body(call, response, expected).whole(LARGEST_ANSWER).await;
            return body.map_err(|error| match error {
                McError::TooLarge { request, limit } => EvidenceError::NotTrusted {
                    request,
                    what: format!("it is longer than {limit} bytes"),
                },
                other => other.into(),
            });
        }
        if status.is_success() || status.is_informational() {
            let what = format!("its status is {status}, which promises no answer");
            return Err(EvidenceError::NotTrusted { request, what });
        }
        if status.is_redirection() {
            let value = response.headers().get(header::LOCATION);
            let location = outcome::location(&call.url, value.and_then(|value| value.to_str().ok()));
            return Err(McError::Redirect { request, location }.into());
        }
        let retry_after = runtime::retry::retry_after(response.headers(), (self.clock)(), LONGEST_RETRY_AFTER);
        let start = self.body(call, response, None).start(ERROR_BODY).await;
        let detail = outcome::detail(&start).or_else(|| first_error(&start));
        Err(if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            McError::Unauthorized {
                request,
                status,
                detail,
                token_sent: call.token_sent,
            }
        } else {
            McError::Status {
                request,
                status,
                detail,
                retry_after,
            }
        }
        .into())
    }

    fn body(&self, call: &Call, response: Response, expected: Option<u64>) -> Body {
        Body::new(
            response,
            call.request.clone(),
            call.span.clone(),
            self.timeouts.idle,
            call.deadline,
            expected,
        )
    }
}

/// What the headers of a 200 say against it.
fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    let encoding = one(headers, &header::CONTENT_ENCODING)?;
    if encoding.is_some_and(|encoding| !encoding.trim().eq_ignore_ascii_case("identity")) {
        return Err("it has a Content-Encoding that was not asked for".to_owned());
    }
    // RFC 9111, 5.1: a cache adds it. What a cache has kept is an answer to somebody's earlier question.
    if let Some(age) = one(headers, &header::AGE)?
        && age.trim() != "0"
    {
        return Err(format!(
            "it comes out of a cache (Age: {})",
            outcome::fit_to_print(&age, 20)
        ));
    }
    match one(headers, &header::CONTENT_TYPE)? {
        None => Err("it has no Content-Type".to_owned()),
        Some(content_type) if MEDIA_TYPES.contains(&outcome::media_type(&content_type).as_str()) => Ok(()),
        Some(content_type) => Err(format!(
            "expected application/json, found {}; is this the URL of MC?",
            outcome::fit_to_print(&content_type, 100)
        )),
    }
}

/// GraphQL servers give their errors with other statuses as well.
fn first_error(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let errors = wire::graphql_errors(body.get("errors")?)?;
    errors.first().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphql_is_there_once_however_the_url_is_written() {
        for (given, expected) in [
            ("https://mc.example.com", "https://mc.example.com/graphql"),
            ("https://mc.example.com/", "https://mc.example.com/graphql"),
            ("https://mc.example.com/graphql", "https://mc.example.com/graphql"),
            ("https://mc.example.com/graphql/", "https://mc.example.com/graphql"),
            (
                "https://mc.example.com/graphql/graphql",
                "https://mc.example.com/graphql",
            ),
            ("https://example.com/mc//", "https://example.com/mc/graphql"),
            ("https://example.com/mc/graphql", "https://example.com/mc/graphql"),
            ("https://example.com/nographql", "https://example.com/nographql/graphql"),
            (
                "https://example.com/a?tenant=b",
                "https://example.com/a/graphql?tenant=b",
            ),
        ] {
            assert_eq!(graphql_url(&given.parse().unwrap()).as_str(), expected);
        }
    }

    #[test]
    fn only_json_that_was_made_for_this_question_is_read() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pair =
                |(name, value): &(&'static str, &'static str)| (name.parse().unwrap(), HeaderValue::from_static(value));
            pairs.iter().map(pair).collect::<HeaderMap>()
        };
        let json = ("content-type", "application/json");
        for good in [
            headers(&[json]),
            headers(&[("content-type", "application/graphql-response+json; charset=utf-8")]),
            headers(&[json, ("age", "0"), ("content-encoding", "identity")]),
        ] {
            assert_eq!(check_headers(&good), Ok(()));
        }
        for (bad, says) in [
            (headers(&[]), "no Content-Type"),
            (headers(&[("content-type", "text/html")]), "found text/html"),
            (headers(&[("content-type", "text/json")]), "found text/json"),
            (headers(&[json, ("age", "31")]), "out of a cache"),
            (headers(&[json, ("content-encoding", "gzip")]), "Content-Encoding"),
        ] {
            assert!(check_headers(&bad).unwrap_err().contains(says), "{bad:?}");
        }
    }
}
