//! Owns the requests: what is sent, and which answer or error comes of it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use reqwest::Response;
use runtime::SecretSource;
use tokio::time::timeout_at;
use tracing::Instrument;
use url::Url;

use crate::body::{Body, Deadline, PackBody};
use crate::call::{Call, Endpoint};
use crate::error::{McError, TimeoutPhase};
use crate::headers::{PackHeaders, Validators};
use crate::outcome::{self, Outcome, Unavailable};

/// No bundle is larger; the real ones are some ten KiB.
const LARGEST_ATTESTATION: usize = 1 << 20;
/// More than any error message of MC.
const ERROR_BODY: usize = 4096;
/// The words of an error are not worth a longer wait.
const ERROR_BODY_TIME: Duration = Duration::from_secs(2);
/// By how much the HTTP client's limit is later than ours.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(1);
/// A longer `Retry-After` is a mistake or an attack on the freshness of policy.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);

/// Limits of a request. They hold instead of the total timeout of the HTTP client; its connect timeout holds as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of the request to the end of the headers.
    pub response: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
    /// From the start of the request to the end of the body.
    pub total: Duration,
}

impl Default for Timeouts {
    /// 30 s to the answer, 10 s between pieces, 2 minutes in all (64 MiB at half a MiB a second).
    fn default() -> Self {
        Self {
            response: Duration::from_secs(30),
            idle: Duration::from_secs(10),
            total: Duration::from_mins(2),
        }
    }
}

/// Client of one pack. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PackClient {
    http: reqwest::Client,
    pack_url: Url,
    token: Option<SecretSource>,
    timeouts: Timeouts,
    clock: fn() -> Timestamp,
}

/// The answer to [`PackClient::pack`].
#[derive(Debug)]
pub enum PackReply {
    /// The pack is the one that the validators name.
    NotModified(PackHeaders),
    /// Another pack; the bytes are still to be read.
    Pack(PackBody),
}

/// The verification bundle of a pack, as MC serves it; nothing in it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// `ETag`, which names the pack that the bundle is for (see [`crate::pairing`]).
    pub etag: Option<String>,
    /// The bundle.
    pub body: Bytes,
}

/// The answer has begun, and has a status that means success.
enum Answer {
    Content(Response),
    NotModified(Response),
}

impl PackClient {
    /// `pack_url` is the whole URL of the pack (`https://mc.example.com/v1/policy/packs/policy-pack-v0`); the attestation
    /// lies below it. `http` comes from [`runtime::http::client`] and must not follow redirects.
    pub fn new(http: reqwest::Client, pack_url: Url, token: Option<SecretSource>) -> Self {
        Self {
            http,
            pack_url,
            token,
            timeouts: Timeouts::default(),
            clock: Timestamp::now,
        }
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Replaces the clock that a `Retry-After` date is compared with.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }

    /// The URL of the pack.
    pub fn pack_url(&self) -> &Url {
        &self.pack_url
    }

    /// The URL of the attestation: `/attestation` below the pack's path.
    pub fn attestation_url(&self) -> Url {
        let mut url = self.pack_url.clone();
        let path = format!("{}/attestation", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// `GET` the pack, unless it is the one that `known` names. One request: nothing is retried here.
    pub async fn pack(&self, known: &Validators) -> Result<PackReply, McError> {
        let validator = known.header();
        let call = self.call(Endpoint::Pack, Method::GET, self.pack_url.clone(), validator.is_some());
        let headers = HeaderMap::from_iter(validator);
        match self.send(call, headers).await? {
            (call, Answer::NotModified(response)) => Ok(PackReply::NotModified(call.headers(&response)?)),
            (call, Answer::Content(response)) => {
                let headers = call.headers(&response)?;
                let body = self.body(&call, response, headers.content_length);
                Ok(PackReply::Pack(PackBody::new(headers, body)))
            }
        }
    }

    /// `HEAD` of the pack: what it is, without its bytes. A 503 is always [`McError::Status`], because MC's words about
    /// it are in the body.
    pub async fn head(&self) -> Result<PackHeaders, McError> {
        let call = self.call(Endpoint::Pack, Method::HEAD, self.pack_url.clone(), false);
        let (call, answer) = self.send(call, HeaderMap::new()).await?;
        let (Answer::Content(response) | Answer::NotModified(response)) = answer;
        call.headers(&response)
    }

    /// `GET` the attestation of the current pack.
    pub async fn attestation(&self) -> Result<Attestation, McError> {
        let call = self.call(Endpoint::Attestation, Method::GET, self.attestation_url(), false);
        let (call, answer) = self.send(call, HeaderMap::new()).await?;
        let (Answer::Content(response) | Answer::NotModified(response)) = answer;
        let headers = call.headers(&response)?;
        let body = self
            .body(&call, response, headers.content_length)
            .whole(LARGEST_ATTESTATION)
            .await?;
        Ok(Attestation {
            etag: headers.etag,
            body,
        })
    }

    fn call(&self, endpoint: Endpoint, method: Method, url: Url, conditional: bool) -> Call {
        Call::new(
            endpoint,
            method,
            url,
            conditional,
            self.token.is_some(),
            Deadline::after(self.timeouts.total),
        )
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

    async fn send(&self, call: Call, headers: HeaderMap) -> Result<(Call, Answer), McError> {
        let span = call.span.clone();
        async {
            let response = self.begin(&call, headers).await?;
            span.record("status", response.status().as_u16());
            tracing::debug!(status = response.status().as_u16(), "MC answered");
            let answer = self.judge(&call, response).await?;
            Ok((call, answer))
        }
        .instrument(span.clone())
        .await
    }

    async fn begin(&self, call: &Call, headers: HeaderMap) -> Result<Response, McError> {
        let request = self
            .http
            .request(call.method.clone(), call.url.clone())
            .headers(headers)
            // Instead of the client's own total timeout, which is made for small answers.
            // It must not come before ours, which knows what was waited for.
            .timeout(call.deadline.total + TIMEOUT_MARGIN);
        call.begin(request, self.token.as_ref(), self.timeouts.response).await
    }

    /// Turns every status but the expected ones into its error.
    async fn judge(&self, call: &Call, response: Response) -> Result<Answer, McError> {
        let request = call.request.clone();
        // A client that follows redirects was given in spite of all; the answer then is not from the pinned MC.
        if response.url() != &call.url {
            let location = outcome::location(&call.url, Some(response.url().as_str()));
            return Err(McError::Redirect { request, location });
        }
        let status = response.status();
        match outcome::outcome(status, call.conditional) {
            Outcome::Content => call
                .check_content(response.headers())
                .map(|()| Answer::Content(response)),
            Outcome::NotModified => Ok(Answer::NotModified(response)),
            Outcome::SenselessNotModified => {
                Err(call.malformed("304 Not Modified, although nothing was named to compare with"))
            }
            Outcome::Redirect => {
                let value = response
                    .headers()
                    .get(header::LOCATION)
                    .and_then(|value| value.to_str().ok());
                Err(McError::Redirect {
                    request,
                    location: outcome::location(&call.url, value),
                })
            }
            Outcome::Unauthorized => {
                let detail = self.detail(call, response).await;
                Err(McError::Unauthorized {
                    request,
                    status,
                    detail,
                    token_sent: call.token_sent,
                })
            }
            Outcome::UnknownPack => {
                let detail = self.detail(call, response).await;
                Err(McError::UnknownPack { request, detail })
            }
            Outcome::Unavailable | Outcome::Other => {
                let retry_after = runtime::retry::retry_after(response.headers(), (self.clock)(), LONGEST_RETRY_AFTER);
                let detail = self.detail(call, response).await;
                Err(unexpected(request, status, detail, retry_after))
            }
        }
    }

    async fn detail(&self, call: &Call, response: Response) -> Option<String> {
        let (until, _, _) = call.deadline.step(ERROR_BODY_TIME, TimeoutPhase::Idle);
        let start = self.body(call, response, None).start(ERROR_BODY);
        timeout_at(until, start)
            .await
            .ok()
            .and_then(|start| outcome::detail(&start))
    }
}

fn unexpected(request: String, status: StatusCode, detail: Option<String>, retry_after: Option<Duration>) -> McError {
    let about = match status {
        StatusCode::SERVICE_UNAVAILABLE => outcome::unavailable(detail.as_deref()),
        _ => Unavailable::Unknown,
    };
    match about {
        Unavailable::NotBuilt => McError::NotBuilt { request, retry_after },
        Unavailable::NoAttestation => McError::AttestationNotAvailable { request, retry_after },
        Unavailable::Unknown => McError::Status {
            request,
            status,
            detail,
            retry_after,
        },
    }
}
