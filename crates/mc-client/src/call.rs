//! Owns one request under way: how it is named in messages and spans, and which of its ends is which error.

use std::time::Duration;

use http::{HeaderMap, Method, header};
use reqwest::{RequestBuilder, Response};
use runtime::SecretSource;
use tokio::time::timeout_at;
use tracing::{Span, field};
use url::Url;

use crate::body::Deadline;
use crate::error::{McError, TimeoutPhase};
use crate::headers::{PackHeaders, one};
use crate::outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Pack,
    Attestation,
    GraphQl,
}

impl Endpoint {
    /// For spans: a template, so that their number stays small.
    const fn template(self) -> &'static str {
        match self {
            Self::Pack => "/v1/policy/packs/{packId}",
            Self::Attestation => "/v1/policy/packs/{packId}/attestation",
            Self::GraphQl => "/graphql",
        }
    }
}

/// One request under way.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// For messages: method and redacted URL.
    pub(crate) request: String,
    pub(crate) conditional: bool,
    pub(crate) token_sent: bool,
    pub(crate) deadline: Deadline,
    pub(crate) span: Span,
}

impl Call {
    pub(crate) fn new(
        endpoint: Endpoint,
        method: Method,
        url: Url,
        conditional: bool,
        token_sent: bool,
        deadline: Deadline,
    ) -> Self {
        let request = format!("{method} {}", runtime::http::redact(&url));
        let span = tracing::info_span!(
            "mc_request",
            method = %method,
            path = endpoint.template(),
            attempt = 1_u32,
            status = field::Empty,
        );
        Self {
            endpoint,
            method,
            url,
            request,
            conditional,
            token_sent,
            deadline,
            span,
        }
    }

    /// Sends the request with the token as it is now, and waits for the head of the answer, at most `limit`.
    pub(crate) async fn begin(
        &self,
        mut request: RequestBuilder,
        token: Option<&SecretSource>,
        limit: Duration,
    ) -> Result<Response, McError> {
        if let Some(source) = token {
            let token = source.get().await.map_err(McError::Secret)?;
            request = request.bearer_auth(token.expose());
        }
        let (until, phase, after) = self.deadline.step(limit, TimeoutPhase::Response);
        match timeout_at(until, request.send()).await {
            Err(_) => Err(McError::Timeout {
                request: self.request.clone(),
                phase,
                after,
            }),
            Ok(Err(error)) => Err(self.failed(error)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// Refuses what is certainly no pack before its body is read.
    pub(crate) fn check_content(&self, headers: &HeaderMap) -> Result<(), McError> {
        let encoding = one(headers, &header::CONTENT_ENCODING).map_err(|what| self.malformed(what))?;
        if let Some(encoding) = encoding
            && !encoding.trim().eq_ignore_ascii_case("identity")
        {
            // Nothing was offered in Accept-Encoding, and digest and signature are for the bytes as MC built them.
            return Err(self.malformed("it has a Content-Encoding that was not asked for"));
        }
        let Some(content_type) = one(headers, &header::CONTENT_TYPE).map_err(|what| self.malformed(what))? else {
            return Ok(());
        };
        let json_pack = self.endpoint == Endpoint::Pack && outcome::is_json(&content_type);
        if outcome::is_page(&content_type) || json_pack {
            return Err(McError::NotAPack {
                request: self.request.clone(),
                content_type,
            });
        }
        Ok(())
    }

    pub(crate) fn headers(&self, response: &Response) -> Result<PackHeaders, McError> {
        PackHeaders::read(response.headers()).map_err(|what| self.malformed(what))
    }

    pub(crate) fn malformed(&self, what: impl Into<String>) -> McError {
        McError::Malformed {
            request: self.request.clone(),
            what: what.into(),
        }
    }

    /// The request ended without an answer.
    pub(crate) fn failed(&self, error: reqwest::Error) -> McError {
        let request = self.request.clone();
        // The URL is in the message already, and there without its query.
        let source = error.without_url();
        if source.is_timeout() {
            // These limits are the HTTP client's own, so what can be told is how long it took.
            let after = self.deadline.elapsed();
            let phase = if source.is_connect() {
                TimeoutPhase::Connect
            } else {
                TimeoutPhase::Response
            };
            return McError::Timeout { request, phase, after };
        }
        if is_tls(&source) {
            return McError::Tls { request, source };
        }
        McError::Unreachable { request, source }
    }
}

/// Looks for an error of the TLS library in the chain.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        // `io::Error` hides what it wraps from `source`, and there can be several around each other.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
