//! What was checked and what was not: the part of a verification that people and auditors read.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::digest::Sha256Digest;

/// How trust is decided. There is no default: the operator names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustMode {
    /// A short-lived certificate for a named identity, proved by pinned roots.
    Keyless,
    /// One public key.
    Key,
    /// No signature at all.
    InsecureDigestOnly,
}

impl TrustMode {
    /// The name used in options, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyless => "keyless",
            Self::Key => "key",
            Self::InsecureDigestOnly => "insecure-digest-only",
        }
    }
}

impl fmt::Display for TrustMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The file format of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum BundleFormat {
    /// Sigstore bundle 0.1.
    #[serde(rename = "sigstore-v0.1")]
    SigstoreV01,
    /// Sigstore bundle 0.2.
    #[serde(rename = "sigstore-v0.2")]
    SigstoreV02,
    /// Sigstore bundle 0.3.
    #[serde(rename = "sigstore-v0.3")]
    SigstoreV03,
    /// cosign 2.x's older bundle: `base64Signature`, `cert`, `rekorBundle`.
    #[serde(rename = "cosign-v2")]
    CosignLegacy,
}

impl BundleFormat {
    /// The name used in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SigstoreV01 => "sigstore-v0.1",
            Self::SigstoreV02 => "sigstore-v0.2",
            Self::SigstoreV03 => "sigstore-v0.3",
            Self::CosignLegacy => "cosign-v2",
        }
    }
}

impl fmt::Display for BundleFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of name the certificate carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignerKind {
    /// An e-mail address: a person or a service account.
    Email,
    /// A URI: a workload such as a CI workflow.
    Uri,
    /// Another kind of name.
    Other,
}

/// The signer that the certificate names, after it was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signer {
    /// The subject alternative name.
    pub identity: String,
    /// The OIDC issuer that vouched for it.
    pub issuer: String,
    /// The kind of name.
    pub kind: SignerKind,
}

/// The public key that the signature was checked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// SHA-256 of the key as DER (SubjectPublicKeyInfo).
    pub fingerprint: Sha256Digest,
    /// The kind of key.
    pub algorithm: &'static str,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)+) => {
        /// The closed list of checks. Every report says something about each of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum CheckName {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
        }

        impl CheckName {
            /// All checks, in the order of a report.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in snake case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

checks! {
    /// The signed digest is that of the bytes.
    Digest => "digest",
    /// The signature over the bytes.
    Signature => "signature",
    /// Certificate to pinned root, code signing use, valid at every proved time.
    CertificateChain => "certificate_chain",
    /// The certificate was published: signed certificate timestamp.
    Sct => "sct",
    /// The certificate's identity against the configured rule.
    Identity => "identity",
    /// The certificate's issuer against the configured rule.
    Issuer => "issuer",
    /// The Merkle proof that the log holds the entry.
    LogInclusion => "log_inclusion",
    /// The log's signature on the tree that the proof leads to.
    Checkpoint => "checkpoint",
    /// The log's signed promise to include the entry (signed entry timestamp).
    InclusionPromise => "inclusion_promise",
    /// The log entry is about this signature, this key or certificate, and these bytes.
    LogEntry => "log_entry",
    /// The proved time of signing.
    Timestamps => "timestamps",
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a check ended. A failed check is a [`Refusal`](crate::Refusal) and never part of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckOutcome {
    /// Checked, and right.
    Passed,
    /// Not checked.
    NotChecked {
        /// Why not, in words for the operator.
        why: String,
    },
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which check.
    pub name: CheckName,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: CheckOutcome,
    /// What was found, where that says more than the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The result of a verification that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureReport {
    /// The trust mode.
    pub mode: TrustMode,
    /// SHA-256 of the bytes.
    pub digest: Sha256Digest,
    /// The signer, in mode keyless.
    pub signer: Option<Signer>,
    /// The key, in mode key.
    pub key: Option<KeyInfo>,
    /// The bundle's format.
    pub bundle_format: Option<BundleFormat>,
    /// For an attestation (DSSE), its predicate type; `None` for a signature over the bytes themselves.
    pub attestation: Option<String>,
    /// The earliest proved time at which the signature existed.
    pub signed_at: Option<Timestamp>,
    /// Each check once, in the order of [`CheckName::ALL`].
    pub checks: Vec<Check>,
}

impl SignatureReport {
    /// The outcome of one check.
    pub fn check(&self, name: CheckName) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Whether a check was made and passed.
    pub fn passed(&self, name: CheckName) -> bool {
        self.check(name)
            .is_some_and(|check| check.outcome == CheckOutcome::Passed)
    }

    /// Who signed, in one phrase for a log line.
    pub fn signed_by(&self) -> String {
        match (&self.signer, &self.key) {
            (Some(signer), _) => format!("{} ({})", signer.identity, signer.issuer),
            (None, Some(key)) => format!("key {}", key.fingerprint),
            (None, None) => "nobody (insecure-digest-only)".to_owned(),
        }
    }
}

/// Collects checks; whatever was not mentioned is listed as not checked, so that a report cannot be silent.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    pub(super) fn passed(&mut self, name: CheckName, detail: impl Into<Option<String>>) -> &mut Self {
        self.0.push(Check {
            name,
            outcome: CheckOutcome::Passed,
            detail: detail.into(),
        });
        self
    }

    pub(super) fn not_checked(&mut self, names: &[CheckName], why: &str) -> &mut Self {
        for &name in names {
            self.0.push(Check {
                name,
                outcome: CheckOutcome::NotChecked { why: why.to_owned() },
                detail: None,
            });
        }
        self
    }

    pub(super) fn finish(mut self) -> Vec<Check> {
        CheckName::ALL
            .iter()
            .map(|&name| match self.0.iter().position(|check| check.name == name) {
                Some(at) => self.0.swap_remove(at),
                None => Check {
                    name,
                    outcome: CheckOutcome::NotChecked {
                        why: "this trust mode does not check it".to_owned(),
                    },
                    detail: None,
                },
            })
            .collect()
    }
}
