//! Owns why there is no answer to `evidenceOk`, told apart by what follows for the one who asks.

use std::fmt;
use std::time::Duration;

use crate::error::{McError, McErrorKind};

/// Why MC did not say whether the release may go on. None of these is ever a yes.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// There was no answer: not reached, refused, a status that is no answer, broken off.
    #[error(transparent)]
    Mc(#[from] McError),
    /// A well-formed answer without evidence: nothing was published yet, or MC has forgotten it.
    #[error("MC has no evidence yet: {what} ({request})")]
    NoEvidence {
        /// What was asked.
        request: String,
        /// Which part of the answer is null.
        what: &'static str,
    },
    /// `errors`, with or without `data`. MC says in this way, too, that it has no evidence.
    #[error("MC answered with errors{}: {} ({request})", beside(*with_data), listed(errors))]
    Errors {
        /// What was asked.
        request: String,
        /// MC's words; at least one.
        errors: Vec<GraphQlError>,
        /// Whether there was data beside them.
        with_data: bool,
    },
    /// A right answer about something else.
    #[error("MC's answer is not to be trusted: asked about {asked:?}, it is about {found:?} ({request})")]
    OtherService {
        /// What was asked.
        request: String,
        /// The service that was asked for.
        asked: String,
        /// The service of the snapshot.
        found: String,
    },
    /// Something came that is not, to the letter, an answer to what was asked.
    #[error("MC's answer is not to be trusted: {what} ({request})")]
    NotTrusted {
        /// What was asked.
        request: String,
        /// What is wrong with it.
        what: String,
    },
}

/// One entry of `errors`. The texts are fit to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphQlError {
    /// `message`.
    pub message: String,
    /// `extensions.code`, which many servers give.
    pub code: Option<String>,
}

/// What an [`EvidenceError`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceErrorKind {
    /// MC has none.
    NoEvidence,
    /// Something answered, and it cannot be relied on.
    NotTrusted,
    /// MC could not be asked.
    Unavailable,
}

/// Codes that say that the question itself is wrong for this server, by the names in common use.
const HOPELESS: [&str; 4] = [
    "GRAPHQL_VALIDATION_FAILED",
    "GRAPHQL_PARSE_FAILED",
    "BAD_USER_INPUT",
    "PERSISTED_QUERY_NOT_FOUND",
];
/// Codes that say that the token is not good enough.
const REFUSED: [&str; 2] = ["UNAUTHENTICATED", "FORBIDDEN"];

impl EvidenceError {
    /// What it means.
    pub fn kind(&self) -> EvidenceErrorKind {
        match self {
            // Something answered in MC's place: a login page's redirect, or an answer that is not HTTP as it should be.
            Self::Mc(error) => match error.kind() {
                McErrorKind::Redirect | McErrorKind::Malformed | McErrorKind::NotAPack | McErrorKind::TooLarge => {
                    EvidenceErrorKind::NotTrusted
                }
                _ => EvidenceErrorKind::Unavailable,
            },
            Self::Errors { errors, .. } if has_code(errors, &REFUSED) => EvidenceErrorKind::Unavailable,
            Self::Errors { errors, with_data, .. } if *with_data || has_code(errors, &HOPELESS) => {
                EvidenceErrorKind::NotTrusted
            }
            Self::NoEvidence { .. } | Self::Errors { .. } => EvidenceErrorKind::NoEvidence,
            Self::OtherService { .. } | Self::NotTrusted { .. } => EvidenceErrorKind::NotTrusted,
        }
    }

    /// Whether the same question may be answered otherwise later without anybody changing a configuration.
    pub fn may_change(&self) -> bool {
        match self {
            Self::Mc(error) => error.is_transient(),
            Self::NoEvidence { .. } => true,
            Self::Errors { errors, .. } => !has_code(errors, &REFUSED) && !has_code(errors, &HOPELESS),
            Self::OtherService { .. } | Self::NotTrusted { .. } => false,
        }
    }

    /// How long MC asks to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Mc(error) => error.retry_after(),
            _ => None,
        }
    }
}

fn has_code(errors: &[GraphQlError], codes: &[&str]) -> bool {
    let one = |error: &GraphQlError| error.code.as_deref().is_some_and(|code| codes.contains(&code));
    errors.iter().any(one)
}

fn beside(with_data: bool) -> &'static str {
    if with_data { " beside its data" } else { "" }
}

fn listed(errors: &[GraphQlError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl fmt::Display for GraphQlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}
