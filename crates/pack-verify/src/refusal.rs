//! Why a pack is refused: the full error for people, and a closed reason for metrics and decisions.

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use crate::bytes::TooLarge;
use crate::digest::{DigestError, Sha256Digest};

/// A pack that must not decide. Every variant says what was expected and what was found.
#[derive(Debug, Error)]
pub enum Refusal {
    /// The bytes are not those that the server announced.
    #[error(
        "the pack does not match the digest that the header {from} announced: expected {announced}, found {found} over {length} bytes"
    )]
    DigestMismatch {
        /// The announced digest.
        announced: Sha256Digest,
        /// The header that announced it.
        from: &'static str,
        /// The digest of the bytes.
        found: Sha256Digest,
        /// How many bytes arrived.
        length: usize,
    },
    /// The headers that announce the digest are malformed or disagree.
    #[error("the announced digest cannot be used")]
    DigestMalformed(#[from] DigestError),
    /// The pack has more bytes than allowed.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),

    /// The trust mode needs a signature bundle and there is none.
    #[error("the pack has no signature bundle, and trust mode {mode} needs one")]
    SignatureMissing {
        /// The trust mode in use.
        mode: &'static str,
    },
    /// The signature does not verify.
    #[error("the signature is not valid: {why}")]
    SignatureInvalid {
        /// What was checked and what was found.
        why: String,
        /// The bundle does not say which bytes it signs, so it may be a sound bundle for another pack.
        names_no_digest: bool,
    },
    /// The bundle was made for other bytes. Between two requests a new pack may have been published.
    #[error("the signature bundle is for other bytes: {why}")]
    SignatureMismatch {
        /// What the bundle says and what the pack is.
        why: String,
    },
    /// Signed by another key than the configured one.
    #[error("the signature was made with another key: expected the key {expected}, the bundle names {found}")]
    WrongKey {
        /// Fingerprint of the configured key.
        expected: String,
        /// What the bundle names.
        found: String,
    },
    /// The certificate is for another signer.
    #[error("the pack was signed by another identity: expected {expected}, found {found}")]
    WrongIdentity {
        /// The configured rule.
        expected: String,
        /// The identity in the certificate.
        found: String,
    },
    /// The certificate was issued on the word of another identity provider.
    #[error("the signer's identity was vouched for by another issuer: expected {expected}, found {found}")]
    WrongIssuer {
        /// The configured rule.
        expected: String,
        /// The issuer in the certificate.
        found: String,
    },
    /// The evidence does not lead to the pinned trusted root: certificate chain, SCT, log key or timestamp authority.
    #[error("the signature does not lead to the pinned trusted root: {why}")]
    UntrustedRoot {
        /// Which link is broken.
        why: String,
    },
    /// There is no sound proof that the signature was logged.
    #[error("there is no valid transparency log evidence: {why}")]
    NoTransparencyLog {
        /// What is missing or wrong.
        why: String,
    },
    /// The bundle cannot be read, or contradicts itself.
    #[error("the signature bundle is malformed: {why}")]
    BundleMalformed {
        /// What was expected and found.
        why: String,
    },
    /// A sound bundle of a kind that this verifier does not accept.
    #[error("the signature bundle is of a kind that is not accepted here: {why}")]
    BundleUnsupported {
        /// Which kind, and what to do.
        why: String,
    },

    /// The archive cannot be read to its end.
    #[error("the archive is malformed: {why}")]
    ArchiveMalformed {
        /// Where and what.
        why: String,
    },
    /// The archive has an entry that a policy pack never needs: a link, a device, a path that climbs out, a duplicate.
    #[error("the archive entry {entry:?} is not safe: {why}")]
    ArchiveUnsafe {
        /// The entry's name, escaped.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
    /// One of the limits was reached.
    #[error("the limit {limit} is exceeded: allowed {allowed}, found {found}")]
    LimitExceeded {
        /// Which limit, by its field name in `Limits`.
        limit: &'static str,
        /// The configured value.
        allowed: u64,
        /// What was found; a lower bound, because counting stops at the limit.
        found: u64,
    },
    /// These bytes are not a pack at all: a web page, nothing, another file.
    #[error("this is not a policy pack: {why}")]
    NotAPack {
        /// What it looks like.
        why: String,
    },
    /// A readable pack without any policy.
    #[error("the pack has no policy: expected at least one .rego file under opa/")]
    NoPolicy,
    /// A data file that OPA could not use, or two that collide.
    #[error("the data file {path:?} is not valid: {why}")]
    DataInvalid {
        /// The file.
        path: String,
        /// Where and what.
        why: String,
    },
    /// A policy file that is out of place or has no readable package.
    #[error("the policy file {path:?} is not valid: {why}")]
    PolicyInvalid {
        /// The file.
        path: String,
        /// Where and what.
        why: String,
    },
    /// A policy file that is not UTF-8.
    #[error("the policy file {path:?} is not UTF-8: the first wrong byte is at offset {offset}")]
    PolicyNotUtf8 {
        /// The file.
        path: String,
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// Something is placed where a pack must not write (`system` configures OPA itself).
    #[error("{path:?} claims the reserved root {root:?}")]
    ReservedRoot {
        /// The file.
        path: String,
        /// The root that is reserved.
        root: String,
    },

    /// A manifest is required and there is none.
    #[error("the pack has no pack.json, and one is required")]
    ManifestMissing,
    /// A manifest that cannot be used.
    #[error("the manifest pack.json is not valid: {why}")]
    ManifestInvalid {
        /// Where and what.
        why: String,
    },
    /// A pack with another name.
    #[error("this is another pack: expected id {expected:?}, found {}", found.as_ref().map_or_else(|| "none".to_owned(), |id| format!("{id:?}")))]
    WrongId {
        /// The configured id.
        expected: String,
        /// The id in the manifest, if it states one.
        found: Option<String>,
    },
    /// A pack past its time.
    #[error("the pack expired at {expires}, and it is now {now}")]
    Expired {
        /// When it expired.
        expires: Timestamp,
        /// The caller's clock.
        now: Timestamp,
    },
    /// A pack from the future: its clock or ours is wrong.
    #[error("the pack was created at {created}, which is in the future: it is now {now}")]
    NotYetValid {
        /// When it says it was created.
        created: Timestamp,
        /// The caller's clock.
        now: Timestamp,
    },
    /// An older pack than the one accepted last.
    #[error("the revision goes back: {last} was accepted before, found {found}", found = found.map_or_else(|| "no revision".to_owned(), |n| n.to_string()))]
    RevisionLower {
        /// The last accepted revision.
        last: u64,
        /// The revision of this pack, if it states one.
        found: Option<u64>,
    },
    /// The revision accepted last, with other bytes.
    #[error("the revision {revision} was used for two packs: {last} was accepted before, found {found}")]
    RevisionReused {
        /// The revision.
        revision: u64,
        /// Digest of the pack accepted before.
        last: Sha256Digest,
        /// Digest of this pack.
        found: Sha256Digest,
    },
}

impl Refusal {
    /// The closed reason, for metrics and for deciding what to do next.
    pub fn reason(&self) -> Reason {
        match self {
            Self::DigestMismatch { .. } => Reason::DigestMismatch,
            Self::DigestMalformed(_) => Reason::DigestMalformed,
            Self::TooLarge(_) => Reason::TooLarge,
            Self::SignatureMissing { .. } => Reason::SignatureMissing,
            Self::SignatureInvalid { .. } => Reason::SignatureInvalid,
            Self::SignatureMismatch { .. } => Reason::SignatureMismatch,
            Self::WrongKey { .. } => Reason::WrongKey,
            Self::WrongIdentity { .. } => Reason::WrongIdentity,
            Self::WrongIssuer { .. } => Reason::WrongIssuer,
            Self::UntrustedRoot { .. } => Reason::UntrustedRoot,
            Self::NoTransparencyLog { .. } => Reason::NoTransparencyLog,
            Self::BundleMalformed { .. } => Reason::BundleMalformed,
            Self::BundleUnsupported { .. } => Reason::BundleUnsupported,
            Self::ArchiveMalformed { .. } => Reason::ArchiveMalformed,
            Self::ArchiveUnsafe { .. } => Reason::ArchiveUnsafe,
            Self::LimitExceeded { .. } => Reason::LimitExceeded,
            Self::NotAPack { .. } => Reason::NotAPack,
            Self::NoPolicy => Reason::NoPolicy,
            Self::DataInvalid { .. } => Reason::DataInvalid,
            Self::PolicyInvalid { .. } => Reason::PolicyInvalid,
            Self::PolicyNotUtf8 { .. } => Reason::PolicyNotUtf8,
            Self::ReservedRoot { .. } => Reason::ReservedRoot,
            Self::ManifestMissing => Reason::ManifestMissing,
            Self::ManifestInvalid { .. } => Reason::ManifestInvalid,
            Self::WrongId { .. } => Reason::WrongId,
            Self::Expired { .. } => Reason::Expired,
            Self::NotYetValid { .. } => Reason::NotYetValid,
            Self::RevisionLower { .. } => Reason::RevisionLower,
            Self::RevisionReused { .. } => Reason::RevisionReused,
        }
    }

    /// Whether pack and bundle may simply come from two different moments (they are two requests), so that fetching
    /// both once more can help. Everything else stays wrong however often it is fetched.
    pub fn may_be_race(&self) -> bool {
        matches!(
            self,
            Self::SignatureMismatch { .. }
                | Self::SignatureInvalid {
                    names_no_digest: true,
                    ..
                }
        )
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)+) => {
        /// The closed set of reasons: a metric label and a key for decisions. The texts never change meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
        }

        impl Reason {
            /// Every reason, so that a metric can be shown as zero before it first happens.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The reason in snake case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

reasons! {
    /// The bytes are not those announced.
    DigestMismatch => "digest_mismatch",
    /// The announcement cannot be read or contradicts itself.
    DigestMalformed => "digest_malformed",
    /// More bytes than allowed.
    TooLarge => "too_large",
    /// No signature bundle.
    SignatureMissing => "signature_missing",
    /// The signature does not verify.
    SignatureInvalid => "signature_invalid",
    /// The bundle is for other bytes.
    SignatureMismatch => "signature_mismatch",
    /// Signed with another key.
    WrongKey => "wrong_key",
    /// Signed by another identity.
    WrongIdentity => "wrong_identity",
    /// Vouched for by another issuer.
    WrongIssuer => "wrong_issuer",
    /// Does not lead to the pinned root.
    UntrustedRoot => "untrusted_root",
    /// No sound log evidence.
    NoTransparencyLog => "no_transparency_log",
    /// The bundle cannot be read.
    BundleMalformed => "bundle_malformed",
    /// The bundle is of a kind not accepted here.
    BundleUnsupported => "bundle_unsupported",
    /// The archive cannot be read.
    ArchiveMalformed => "archive_malformed",
    /// The archive has an unsafe entry.
    ArchiveUnsafe => "archive_unsafe",
    /// A limit was reached.
    LimitExceeded => "limit_exceeded",
    /// Not a pack at all.
    NotAPack => "not_a_pack",
    /// No policy in the pack.
    NoPolicy => "no_policy",
    /// A data file is wrong.
    DataInvalid => "data_invalid",
    /// A policy is out of place or unreadable.
    PolicyInvalid => "policy_invalid",
    /// A policy is not UTF-8.
    PolicyNotUtf8 => "policy_not_utf8",
    /// A reserved root is claimed.
    ReservedRoot => "reserved_root",
    /// A manifest is required.
    ManifestMissing => "manifest_missing",
    /// The manifest is wrong.
    ManifestInvalid => "manifest_invalid",
    /// Another pack.
    WrongId => "wrong_id",
    /// Past its time.
    Expired => "expired",
    /// Before its time.
    NotYetValid => "not_yet_valid",
    /// The revision goes back.
    RevisionLower => "revision_lower",
    /// One revision, two packs.
    RevisionReused => "revision_reused",
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
