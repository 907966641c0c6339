//! Owns the meaning of OPA's error answers: a pure function from status, type and body to [`OpaError`].

use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use crate::error::{CompileError, OpaError};

/// A whole answer, read.
pub(crate) struct Answer {
    pub(crate) opa: String,
    pub(crate) endpoint: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// The body of every error that OPA itself answers; `error` is what health has instead.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    error: Option<String>,
    errors: Option<Vec<CompileError>>,
}

impl Answer {
    /// The JSON body of a good answer.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, OpaError> {
        if !self.status.is_success() {
            return Err(self.refusal());
        }
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(_) if !self.says_json() => Err(self.not_opa()),
            Err(source) if source.is_eof() => Err(OpaError::Truncated {
                opa: self.opa,
                endpoint: self.endpoint,
                source: source.into(),
            }),
            Err(source) => Err(OpaError::Malformed {
                endpoint: self.endpoint,
                source,
            }),
        }
    }

    /// Nothing but success; OPA answers writes with 200 `{}` or 204.
    pub(crate) fn done(self) -> Result<(), OpaError> {
        if self.status == StatusCode::NO_CONTENT {
            return Ok(());
        }
        self.json::<serde::de::IgnoredAny>().map(|_| ())
    }

    /// What an answer other than 2xx means.
    pub(crate) fn refusal(self) -> OpaError {
        let parsed = serde_json::from_slice::<ErrorBody>(&self.body);
        let Self { endpoint, status, .. } = self;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let message = parsed
                .ok()
                .and_then(|body| body.message)
                .unwrap_or_else(|| "no reason given".to_owned());
            return OpaError::Unauthorized {
                endpoint,
                status,
                message,
            };
        }
        let Ok(body) = parsed else { return self.not_opa() };
        let (Some(code), Some(message)) = (body.code, body.message) else {
            return match body.error {
                Some(message) => OpaError::Unhealthy { message },
                None => self.not_opa(),
            };
        };
        if message == "authorization policy missing or undefined" {
            return OpaError::AuthorizationUndefined;
        }
        if let Some((path, bundle)) = owned_by_bundle(&message) {
            return OpaError::OwnedByBundle { path, bundle };
        }
        let mut errors = body.errors.unwrap_or_default();
        if errors.is_empty() {
            errors = errors_in_words(&message);
        }
        match (errors.is_empty(), status.is_server_error()) {
            (false, true) => OpaError::Evaluation { endpoint, errors },
            (false, false) => OpaError::Compile { endpoint, errors },
            (true, _) if status == StatusCode::NOT_FOUND => OpaError::NotFound { endpoint, message },
            (true, _) => OpaError::Api {
                endpoint,
                status,
                code,
                message,
            },
        }
    }

    fn says_json(&self) -> bool {
        self.content_type
            .as_deref()
            .is_some_and(|value| value.starts_with("application/json"))
    }

    fn not_opa(self) -> OpaError {
        let found = match (self.location, self.content_type) {
            (Some(location), _) => format!("a redirect to {location}"),
            (None, Some(content_type)) => format!("content type {content_type}"),
            (None, None) => "no content type".to_owned(),
        };
        OpaError::NotOpa {
            opa: self.opa,
            endpoint: self.endpoint,
            status: self.status,
            found,
        }
    }
}

/// Reads `path cos/retention is owned by bundle "policy"`.
fn owned_by_bundle(message: &str) -> Option<(String, String)> {
    let (path, bundle) = message.strip_prefix("path ")?.split_once(" is owned by bundle ")?;
    Some((path.to_owned(), bundle.trim_matches('"').to_owned()))
}

/// OPA writes some faults only as words, a line each: `conf.rego:2: rego_compile_error: conflicting rule …`,
/// after `1 error occurred: ` or `2 errors occurred:`.
fn errors_in_words(message: &str) -> Vec<CompileError> {
    message.lines().filter_map(error_in_words).collect()
}

fn error_in_words(line: &str) -> Option<CompileError> {
    let line = line.strip_prefix("1 error occurred: ").unwrap_or(line);
    let (place, rest) = line.split_once(": rego_")?;
    let (code, message) = rest.split_once(": ")?;
    let (file, row) = place.rsplit_once(':').unwrap_or((place, "0"));
    Some(CompileError {
        code: format!("rego_{code}"),
        message: message.to_owned(),
        file: file.to_owned(),
        row: row.parse().unwrap_or(0),
        col: 0,
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
