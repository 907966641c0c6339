//! From sigstore's errors to ours: configuration that cannot be used, and evidence that does not hold.

use sigstore_bundle::Error as BundleError;
use sigstore_trust_root::TrustedRoot;
use sigstore_verify::{CertificateError, Error, TransparencyLogError};
use thiserror::Error;

use super::bundle::{Parsed, excerpt, malformed, unsupported};
use crate::refusal::Refusal;

/// Trust material or rules that cannot be used. These are the operator's to repair; no pack is involved.
#[derive(Debug, Error)]
pub enum TrustConfigError {
    /// The trusted root is not a trusted root.
    #[error("the trusted root cannot be read: expected the JSON of a Sigstore trusted_root.json")]
    TrustedRoot {
        /// What the parser said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The trusted root lacks what the mode needs.
    #[error("the trusted root has no {what}, and trust mode {mode} needs at least one")]
    TrustedRootIncomplete {
        /// What is missing.
        what: &'static str,
        /// The trust mode.
        mode: &'static str,
    },
    /// A pattern that is not a regular expression.
    #[error("the pattern {pattern:?} is not a valid regular expression")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What the parser said.
        #[source]
        source: Box<regex::Error>,
    },
    /// A rule without text.
    #[error("the {what} is empty: expected the exact text or a pattern")]
    EmptyRule {
        /// Which rule.
        what: &'static str,
    },
    /// A key file of another kind.
    #[error("the key cannot be used: expected one PEM block PUBLIC KEY (ECDSA P-256 or Ed25519), found {found}{hint}")]
    KeyFile {
        /// What the text holds.
        found: String,
        /// What to do about it; empty, or starts with a colon.
        hint: &'static str,
    },
    /// A public key of a kind that is not accepted.
    #[error("the key cannot be used: expected an ECDSA P-256 or Ed25519 public key, found {found}")]
    KeyKind {
        /// The kind that was found.
        found: String,
    },
}

impl TrustConfigError {
    pub(super) fn trusted_root(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::TrustedRoot {
            source: Box::new(source),
        }
    }
}

/// The refusal for an error of `sigstore-verify`.
pub(super) fn refusal(error: &Error, parsed: &Parsed, root: &TrustedRoot) -> Refusal {
    let why = excerpt(&error.to_string());
    match error {
        Error::IdentityMismatch { expected, actual } => Refusal::WrongIdentity {
            expected: format!("{:?}", expected.to_string()),
            found: actual
                .as_ref()
                .map_or_else(|| "none".to_owned(), |san| format!("{:?}", excerpt(san.as_str()))),
        },
        Error::IssuerMismatch { expected, actual } => Refusal::WrongIssuer {
            expected: format!("{expected:?}"),
            found: actual
                .as_ref()
                .map_or_else(|| "none".to_owned(), |issuer| format!("{:?}", excerpt(issuer))),
        },
        Error::SignatureInvalid(why) => Refusal::SignatureInvalid {
            why: excerpt(why),
            names_no_digest: parsed.names_no_digest(),
        },
        Error::ArtifactMismatch(why) => Refusal::SignatureMismatch { why: excerpt(why) },
        Error::Certificate(CertificateError::Malformed(_))
        | Error::TransparencyLog(TransparencyLogError::MalformedEntry(_)) => malformed(why),
        Error::Certificate(_) => Refusal::UntrustedRoot { why },
        Error::TransparencyLog(_) | Error::Timestamp(_) => {
            // sigstore-verify reports a foreign log and a forged promise alike; an operator needs to know which.
            if let Some(log) = unknown_log(parsed, root) {
                return Refusal::UntrustedRoot {
                    why: format!("the log {log} is not in the trusted root: {why}"),
                };
            }
            match error {
                Error::Timestamp(
                    sigstore_verify::TimestampError::Invalid(_)
                    | sigstore_verify::TimestampError::OutsideAuthorityValidity { .. },
                ) => Refusal::UntrustedRoot { why },
                _ => Refusal::NoTransparencyLog { why },
            }
        }
        Error::Bundle(
            BundleError::MissingInclusionPromise(_)
            | BundleError::MissingInclusionProof(_)
            | BundleError::MissingSigningTimeEvidence
            | BundleError::MissingTimestamp
            | BundleError::MissingCheckpoint
            | BundleError::LogIndexOutOfRange { .. }
            | BundleError::CheckpointRootMismatch,
        ) => Refusal::NoTransparencyLog { why },
        Error::UnsupportedArtifact(_)
        | Error::UnsupportedBundle(_)
        | Error::Bundle(BundleError::UnsupportedMediaType(_) | BundleError::UnsupportedVerificationMaterial) => {
            unsupported(why)
        }
        _ => malformed(why),
    }
}

fn unknown_log(parsed: &Parsed, root: &TrustedRoot) -> Option<String> {
    let known = |id: &sigstore_types::LogKeyId| root.tlogs.iter().any(|log| log.log_id.key_id == *id);
    parsed
        .entries()
        .iter()
        .map(|entry| &entry.log_id.key_id)
        .find(|id| !known(id))
        .map(|id| excerpt(&hex::encode(id.as_bytes())))
}
