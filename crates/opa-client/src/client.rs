//! Owns the call itself: URL, token, body, limits, span, and the errors of the connection.

use std::error::Error;

use http::{HeaderValue, Method, header};
use reqwest::Client;
use runtime::secret::SecretSource;
use tracing::Instrument;
use url::Url;

use crate::answer::Answer;
use crate::body::Chunks;
use crate::error::OpaError;

/// Largest answer taken. `GET /v1/policies` is the largest by far: OPA adds every syntax tree to the sources.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// OPA's REST API. A clone is cheap and shares the connections.
#[derive(Clone, Debug)]
pub struct OpaClient {
    http: Client,
    base: Url,
    token: Option<SecretSource>,
}

/// One request. `endpoint` is method and path template, for spans and errors.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) endpoint: &'static str,
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<&'static str>,
    pub(crate) body: Option<(&'static str, Chunks)>,
    /// A write that shall leave alone what is there: OPA then answers 304.
    pub(crate) only_if_absent: bool,
}

impl Call {
    /// A call without query and body, at these segments below the base.
    pub(crate) fn new(method: Method, endpoint: &'static str, segments: Vec<String>) -> Self {
        Self {
            method,
            endpoint,
            segments,
            query: Vec::new(),
            body: None,
            only_if_absent: false,
        }
    }

    pub(crate) fn with_body(self, content_type: &'static str, body: Chunks) -> Self {
        Self {
            body: Some((content_type, body)),
            ..self
        }
    }
}

impl OpaClient {
    /// A client of the OPA at `base` (http or https, with or without a path). The token, if any, is read
    /// for each call, so a rotated one is used at once.
    ///
    /// `http` brings timeouts, certificates (also the client's own, for mTLS) and proxies, and does not follow redirects.
    pub fn new(http: Client, base: Url, token: Option<SecretSource>) -> Self {
        Self { http, base, token }
    }

    /// The address as given.
    pub fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Answer, OpaError> {
        let span = tracing::debug_span!("opa", endpoint = call.endpoint, opa = %self.name());
        self.send(call).instrument(span).await
    }

    async fn send(&self, call: Call) -> Result<Answer, OpaError> {
        let endpoint = call.endpoint;
        let mut request = self.http.request(call.method, self.url(&call.segments, &call.query));
        if let Some(token) = &self.token {
            let token = token.get().await.map_err(OpaError::Secret)?;
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|_: header::InvalidHeaderValue| OpaError::BadToken)?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if call.only_if_absent {
            request = request.header(header::IF_NONE_MATCH, "*");
        }
        if let Some((content_type, body)) = call.body {
            request = request
                .header(header::CONTENT_TYPE, content_type)
                .body(reqwest::Body::wrap(body));
        }
        let mut response = request
            .send()
            .await
            .map_err(|error| self.connection_error(endpoint, error, false))?;
        let status = response.status();
        let text_of = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let content_type = text_of(header::CONTENT_TYPE);
        let location = text_of(header::LOCATION).map(|location| without_query(&location));
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.connection_error(endpoint, error, true))?
        {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(OpaError::TooLarge {
                    endpoint,
                    limit: MAX_ANSWER,
                });
            }
            body.extend_from_slice(&chunk);
        }
        tracing::debug!(status = status.as_u16(), bytes = body.len(), "opa answered");
        Ok(Answer {
            opa: self.name(),
            endpoint,
            status,
            content_type,
            location,
            body,
        })
    }

    /// The base with these segments, each percent-encoded, behind its own path.
    fn url(&self, segments: &[String], query: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only `mailto:` and the like have no segments; `runtime::http::parse_base_url` lets none of them through.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.set_fragment(None);
        url.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        url
    }

    fn name(&self) -> String {
        runtime::http::redact(&self.base)
    }

    /// `in_body`: the answer had begun.
    fn connection_error(&self, endpoint: &'static str, error: reqwest::Error, in_body: bool) -> OpaError {
        let opa = self.name();
        // The URL is named by `opa` and `endpoint`; reqwest would repeat it with credentials and query.
        let source = error.without_url();
        if source.is_timeout() {
            OpaError::Timeout { opa, endpoint, source }
        } else if in_body {
            OpaError::Truncated {
                opa,
                endpoint,
                source: Box::<dyn Error + Send + Sync>::from(source),
            }
        } else {
            OpaError::Unreachable { opa, endpoint, source }
        }
    }
}

/// A redirect's target may carry a token in its query.
fn without_query(location: &str) -> String {
    location.split(['?', '#']).next().unwrap_or_default().to_owned()
}

pub(crate) fn segments<'a>(fixed: &[&str], rest: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    fixed
        .iter()
        .map(|segment| (*segment).to_owned())
        .chain(rest.into_iter().map(str::to_owned))
        .collect()
}
