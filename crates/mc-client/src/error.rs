//! Owns the ways in which a request to MC fails, told apart by what the caller can do about them.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use runtime::SecretError;

/// Why MC gave no usable answer. `request` is the method and the URL, without user information and query.
#[derive(Debug, thiserror::Error)]
pub enum McError {
    /// No connection, or it broke before the answer began.
    #[error("cannot reach MC ({request})")]
    Unreachable {
        /// What was asked.
        request: String,
        /// What the HTTP client said, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// There is a server, but no TLS connection that can be trusted.
    #[error(
        "no trusted TLS connection to MC ({request}); for a private certificate authority give its certificate with --ca-file"
    )]
    Tls {
        /// What was asked.
        request: String,
        /// What the HTTP client said, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// Something took too long.
    #[error("MC took too long: {phase} within {} ms ({request})", after.as_millis())]
    Timeout {
        /// What was asked.
        request: String,
        /// What was waited for.
        phase: TimeoutPhase,
        /// The limit.
        after: Duration,
    },
    /// 401 or 403.
    #[error("MC refused the token: status {status}{}{} ({request})", said(detail.as_deref()), token_hint(*token_sent))]
    Unauthorized {
        /// What was asked.
        request: String,
        /// 401 or 403.
        status: StatusCode,
        /// MC's own words.
        detail: Option<String>,
        /// Whether a token was sent.
        token_sent: bool,
    },
    /// 404.
    #[error("MC does not know this pack{}; check the pack URL ({request})", said(detail.as_deref()))]
    UnknownPack {
        /// What was asked.
        request: String,
        /// MC's own words.
        detail: Option<String>,
    },
    /// 503 `pack not built yet`.
    #[error("MC has not built the pack yet ({request})")]
    NotBuilt {
        /// What was asked.
        request: String,
        /// When MC asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// 503 `attestation not available`.
    #[error("MC has no attestation for the pack yet ({request})")]
    AttestationNotAvailable {
        /// What was asked.
        request: String,
        /// When MC asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// Any other status that is not expected here.
    #[error("MC answered with status {status}{} ({request})", said(detail.as_deref()))]
    Status {
        /// What was asked.
        request: String,
        /// The status.
        status: StatusCode,
        /// MC's own words.
        detail: Option<String>,
        /// When MC asks to be asked again.
        retry_after: Option<Duration>,
    },
    /// 200, but of a kind that no pack and no attestation is: a login page, for example.
    #[error("expected a pack or its attestation, found {content_type}; is this the URL of MC? ({request})")]
    NotAPack {
        /// What was asked.
        request: String,
        /// The media type that came.
        content_type: String,
    },
    /// A redirect; it is not followed.
    #[error("MC redirects to {location}, which is not followed; give the URL of MC itself ({request})")]
    Redirect {
        /// What was asked.
        request: String,
        /// Host and path, without user information and query.
        location: String,
    },
    /// The body ended before its end.
    #[error("the answer broke off after {received} bytes{} ({request})", of(*expected))]
    Truncated {
        /// What was asked.
        request: String,
        /// Bytes that came.
        received: u64,
        /// `Content-Length`, if it was sent.
        expected: Option<u64>,
        /// What the HTTP client said, if it noticed.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The attestation is larger than any attestation.
    #[error("the attestation is larger than {limit} bytes ({request})")]
    TooLarge {
        /// What was asked.
        request: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer breaks HTTP or the contract.
    #[error("MC's answer makes no sense: {what} ({request})")]
    Malformed {
        /// What was asked.
        request: String,
        /// What is wrong with it.
        what: String,
    },
    /// The token cannot be had.
    #[error("there is no usable token for MC")]
    Secret(#[source] SecretError),
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutPhase {
    /// The connection.
    Connect,
    /// The status line and headers.
    Response,
    /// The next piece of the body.
    Idle,
    /// The end of the whole request.
    Total,
}

impl fmt::Display for TimeoutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Response => "no answer",
            Self::Idle => "no further byte of the body",
            Self::Total => "the request did not end",
        })
    }
}

/// The kinds of [`McError`], as a closed set of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the variant of McError of the same name")]
pub enum McErrorKind {
    Unreachable,
    Tls,
    Timeout,
    Unauthorized,
    UnknownPack,
    NotBuilt,
    AttestationNotAvailable,
    Status,
    NotAPack,
    Redirect,
    Truncated,
    TooLarge,
    Malformed,
    Secret,
}

impl McErrorKind {
    /// Every kind, so that metrics can start at zero.
    pub const ALL: [Self; 14] = [
        Self::Unreachable,
        Self::Tls,
        Self::Timeout,
        Self::Unauthorized,
        Self::UnknownPack,
        Self::NotBuilt,
        Self::AttestationNotAvailable,
        Self::Status,
        Self::NotAPack,
        Self::Redirect,
        Self::Truncated,
        Self::TooLarge,
        Self::Malformed,
        Self::Secret,
    ];

    /// The label: snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::UnknownPack => "unknown_pack",
            Self::NotBuilt => "not_built",
            Self::AttestationNotAvailable => "attestation_not_available",
            Self::Status => "status",
            Self::NotAPack => "not_a_pack",
            Self::Redirect => "redirect",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for McErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl McError {
    /// The label of this error.
    pub const fn kind(&self) -> McErrorKind {
        match self {
            Self::Unreachable { .. } => McErrorKind::Unreachable,
            Self::Tls { .. } => McErrorKind::Tls,
            Self::Timeout { .. } => McErrorKind::Timeout,
            Self::Unauthorized { .. } => McErrorKind::Unauthorized,
            Self::UnknownPack { .. } => McErrorKind::UnknownPack,
            Self::NotBuilt { .. } => McErrorKind::NotBuilt,
            Self::AttestationNotAvailable { .. } => McErrorKind::AttestationNotAvailable,
            Self::Status { .. } => McErrorKind::Status,
            Self::NotAPack { .. } => McErrorKind::NotAPack,
            Self::Redirect { .. } => McErrorKind::Redirect,
            Self::Truncated { .. } => McErrorKind::Truncated,
            Self::TooLarge { .. } => McErrorKind::TooLarge,
            Self::Malformed { .. } => McErrorKind::Malformed,
            Self::Secret(_) => McErrorKind::Secret,
        }
    }

    /// Whether the same request can be expected to succeed later without anybody changing a configuration.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::NotBuilt { .. }
            | Self::AttestationNotAvailable { .. }
            | Self::Truncated { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::UnknownPack { .. }
            | Self::NotAPack { .. }
            | Self::Redirect { .. }
            | Self::TooLarge { .. }
            | Self::Malformed { .. }
            | Self::Secret(_) => false,
        }
    }

    /// How long MC asks to be left alone, from `Retry-After`; at most ten minutes.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotBuilt { retry_after, .. }
            | Self::AttestationNotAvailable { retry_after, .. }
            | Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn said(detail: Option<&str>) -> String {
    detail
        .map(|detail| format!(", saying \"{detail}\""))
        .unwrap_or_default()
}

fn token_hint(sent: bool) -> &'static str {
    if sent {
        ""
    } else {
        "; none was sent, set MC_TOKEN or MC_TOKEN_FILE"
    }
}

fn of(expected: Option<u64>) -> String {
    expected.map(|expected| format!(" of {expected}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_came_and_what_to_do() {
        let request = || "GET http://mc/p".to_owned();
        let table = [
            (
                McError::Unauthorized {
                    request: request(),
                    status: StatusCode::UNAUTHORIZED,
                    detail: Some("unauthorized".into()),
                    token_sent: false,
                },
                "MC refused the token: status 401 Unauthorized, saying \"unauthorized\"; none was sent, set MC_TOKEN or \
                 MC_TOKEN_FILE (GET http://mc/p)",
            ),
            (
                McError::UnknownPack {
                    request: request(),
                    detail: None,
                },
                "MC does not know this pack; check the pack URL (GET http://mc/p)",
            ),
            (
                McError::Truncated {
                    request: request(),
                    received: 5,
                    expected: Some(9),
                    source: None,
                },
                "the answer broke off after 5 bytes of 9 (GET http://mc/p)",
            ),
            (
                McError::Timeout {
                    request: request(),
                    phase: TimeoutPhase::Idle,
                    after: Duration::from_secs(1),
                },
                "MC took too long: no further byte of the body within 1000 ms (GET http://mc/p)",
            ),
        ];
        for (error, expected) in table {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn labels_are_all_different() {
        let mut labels: Vec<_> = McErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), McErrorKind::ALL.len());
    }
}
