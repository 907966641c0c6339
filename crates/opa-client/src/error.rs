//! Owns [`OpaError`]: what can go wrong between the caller and OPA, one variant a decision of the caller.

use std::fmt;

use http::StatusCode;
use runtime::secret::SecretError;
use serde::{Deserialize, Deserializer, Serialize};

/// A fault in a policy, with its place. OPA sends the same shape over REST and in status messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompileError {
    /// `rego_parse_error`, `rego_type_error`, `rego_compile_error`, `eval_conflict_error`, …
    pub code: String,
    /// OPA's words.
    pub message: String,
    /// Policy id (REST) or entry name (bundle); empty if OPA does not know.
    pub file: String,
    /// Row, from 1; 0 if OPA does not know.
    pub row: u64,
    /// Column, from 1; 0 at the end of a file, or if OPA does not know.
    pub col: u64,
}

impl fmt::Display for CompileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            message,
            file,
            row,
            col,
        } = self;
        match (file.as_str(), row) {
            ("", _) => {}
            (_, 0) => write!(formatter, "{file}: ")?,
            _ => write!(formatter, "{file}:{row}:{col}: ")?,
        }
        write!(formatter, "{message} ({code})")
    }
}

impl<'de> Deserialize<'de> for CompileError {
    /// Tolerant: what OPA leaves out, or writes as `null`, is empty or 0.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Wire {
            code: Option<String>,
            message: Option<String>,
            location: Option<Location>,
            // Our own shape, as written by `Serialize`.
            file: Option<String>,
            row: Option<u64>,
            col: Option<u64>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Location {
            file: Option<String>,
            row: Option<u64>,
            col: Option<u64>,
        }
        let wire = Wire::deserialize(from)?;
        let place = wire.location.unwrap_or(Location {
            file: wire.file,
            row: wire.row,
            col: wire.col,
        });
        Ok(Self {
            code: wire.code.unwrap_or_default(),
            message: wire.message.unwrap_or_default(),
            file: place.file.unwrap_or_default(),
            row: place.row.unwrap_or_default(),
            col: place.col.unwrap_or_default(),
        })
    }
}

/// Why a call to OPA did not give what was asked for. `endpoint` is method and path template.
#[derive(Debug, thiserror::Error)]
pub enum OpaError {
    /// Nothing answers there, or the connection broke before an answer.
    #[error("cannot reach OPA at {opa} for {endpoint}; is it running, and is the address right?")]
    Unreachable {
        /// OPA's address without credentials.
        opa: String,
        /// The call.
        endpoint: &'static str,
        /// The connection's error.
        #[source]
        source: reqwest::Error,
    },
    /// OPA did not answer within the client's time limits.
    #[error("OPA at {opa} did not answer {endpoint} in time")]
    Timeout {
        /// OPA's address without credentials.
        opa: String,
        /// The call.
        endpoint: &'static str,
        /// The client's error.
        #[source]
        source: reqwest::Error,
    },
    /// The answer ended before its announced length, or in the middle of its JSON.
    #[error("the answer of OPA at {opa} to {endpoint} was cut off")]
    Truncated {
        /// OPA's address without credentials.
        opa: String,
        /// The call.
        endpoint: &'static str,
        /// What noticed it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is larger than this client takes.
    #[error("the answer to {endpoint} is larger than {limit} bytes")]
    TooLarge {
        /// The call.
        endpoint: &'static str,
        /// The limit in bytes.
        limit: usize,
    },
    /// The token could not be read.
    #[error("cannot get the token for OPA")]
    Secret(#[source] SecretError),
    /// The token cannot be sent in a header.
    #[error("the token for OPA has characters that an HTTP header cannot carry")]
    BadToken,
    /// The policy id cannot be part of a URL.
    #[error("policy id `{id}` is not usable: expected a name, not empty, `.` or `..`")]
    BadPolicyId {
        /// The id as given.
        id: String,
    },
    /// OPA's `system.authz` policy (or a proxy) refuses these credentials: 401 or 403.
    #[error("OPA refuses {endpoint} with {status}: {message}; check the token and OPA's policy `system.authz`")]
    Unauthorized {
        /// The call.
        endpoint: &'static str,
        /// 401 from OPA itself; 403 only from a proxy.
        status: StatusCode,
        /// OPA's words; a policy can set them.
        message: String,
    },
    /// OPA was started with `--authorization=basic` but has no policy `system.authz`, so it answers nobody: 500.
    #[error("OPA has no authorization policy: it runs with --authorization=basic, so load `system.authz` at its start")]
    AuthorizationUndefined,
    /// The policies do not compile with this change: 400. OPA keeps what it has.
    #[error("OPA refuses {endpoint}: {}", list(errors))]
    Compile {
        /// The call.
        endpoint: &'static str,
        /// Every fault with its place.
        errors: Vec<CompileError>,
    },
    /// Other policies need the one to be deleted: 400 `invalid_operation`. OPA keeps it.
    #[error("OPA cannot delete policy `{id}` because others need it: {}", list(errors))]
    StillNeeded {
        /// The policy to be deleted.
        id: String,
        /// What would no longer compile.
        errors: Vec<CompileError>,
    },
    /// The query failed while it was evaluated: 500 with the places of the faults.
    #[error("OPA cannot evaluate {endpoint}: {}", list(errors))]
    Evaluation {
        /// The call.
        endpoint: &'static str,
        /// Every fault with its place.
        errors: Vec<CompileError>,
    },
    /// The path lies in, or above, a root of a bundle that OPA loads: 400.
    #[error(
        "`{path}` belongs to OPA's bundle `{bundle}` and cannot be changed over REST; change the bundle's roots or use bundle mode"
    )]
    OwnedByBundle {
        /// Path of the data or of the policy's package, segments joined by `/`.
        path: String,
        /// Name of the bundle.
        bundle: String,
    },
    /// No such policy or document: 404 from OPA.
    #[error("OPA does not have what {endpoint} names: {message}")]
    NotFound {
        /// The call.
        endpoint: &'static str,
        /// OPA's words.
        message: String,
    },
    /// OPA's health endpoint says no: 500.
    #[error("OPA is not healthy: {message}")]
    Unhealthy {
        /// OPA's words, such as which bundles are not activated.
        message: String,
    },
    /// Any other error of OPA's API.
    #[error("OPA answers {endpoint} with {status} {code}: {message}")]
    Api {
        /// The call.
        endpoint: &'static str,
        /// HTTP status.
        status: StatusCode,
        /// OPA's code, such as `invalid_parameter`; empty if it sent none.
        code: String,
        /// OPA's words.
        message: String,
    },
    /// Something answers that is not OPA, or a proxy answers for it: HTML, a redirect, a page not found.
    #[error(
        "{opa} does not answer {endpoint} as OPA does: expected JSON, found status {status} with {found}; check the address"
    )]
    NotOpa {
        /// The address without credentials.
        opa: String,
        /// The call.
        endpoint: &'static str,
        /// HTTP status.
        status: StatusCode,
        /// The content type, or where a redirect points.
        found: String,
    },
    /// JSON, but not what this endpoint answers.
    #[error("OPA's answer to {endpoint} is not understood")]
    Malformed {
        /// The call.
        endpoint: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

impl OpaError {
    /// A closed set of words for metrics and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Truncated { .. } => "truncated",
            Self::TooLarge { .. } => "too_large",
            Self::Secret(_) | Self::BadToken => "token",
            Self::BadPolicyId { .. } => "bad_policy_id",
            Self::Unauthorized { .. } => "unauthorized",
            Self::AuthorizationUndefined => "authorization_undefined",
            Self::Compile { .. } => "compile",
            Self::StillNeeded { .. } => "still_needed",
            Self::Evaluation { .. } => "evaluation",
            Self::OwnedByBundle { .. } => "owned_by_bundle",
            Self::NotFound { .. } => "not_found",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Api { .. } => "api",
            Self::NotOpa { .. } => "not_opa",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// Whether the same call may succeed later without anyone changing the pack or the configuration.
    /// Every call of this client may be repeated: a write puts the same content in the same place.
    pub fn is_transient(&self) -> bool {
        match self {
            // A rotated secret file is away for a moment, and `system.authz` may come with a bundle.
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Truncated { .. }
            | Self::Unhealthy { .. }
            | Self::Secret(_)
            | Self::AuthorizationUndefined => true,
            Self::Api { status, .. } | Self::NotOpa { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }

    /// Whether OPA read the content and will not have it, so that the same call cannot succeed unless other policies
    /// change. A path owned by a bundle is not the content's fault but the configuration's, and is not among these.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Compile { .. } | Self::StillNeeded { .. } => true,
            Self::Api { status, .. } => status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }

    /// The faults in policies, where these are the reason.
    pub fn compile_errors(&self) -> &[CompileError] {
        match self {
            Self::Compile { errors, .. } | Self::StillNeeded { errors, .. } | Self::Evaluation { errors, .. } => errors,
            _ => &[],
        }
    }
}

fn list(errors: &[CompileError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
