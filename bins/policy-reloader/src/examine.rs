//! Owns the way of a pack from bytes to [`Deployable`]: signature, unpacking, manifest, preflight, in that order.
//!
//! Each step takes what the step before made and cannot be reached without it.

use jiff::{SignedDuration, Timestamp};
use pack_verify::{
    PackBytes, Reason, Refusal, TrustMode, Verifier,
    admit::{Accepted, Admission},
    limits::Limits,
};
use serde::Serialize;

use crate::preflight::{self, Deployable, PreflightError, PreflightRules};

/// The rules that a pack has to satisfy; fixed for the life of the process.
#[derive(Debug)]
pub struct Rules {
    /// Who may sign.
    pub verifier: Verifier,
    /// Sizes and layout.
    pub limits: Limits,
    /// The id that `pack.json` has to state, when it states one.
    pub expected_id: Option<String>,
    /// Whether a pack without `pack.json` is refused.
    pub require_manifest: bool,
    /// How far MC's clock may be ahead of ours.
    pub clock_skew: SignedDuration,
    /// Rego and golden decisions.
    pub preflight: PreflightRules,
}

/// Why a pack was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// By signature, archive, manifest or revision.
    #[error(transparent)]
    Pack(#[from] Refusal),
    /// By its content.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// No digest header, and nothing else vouches for the bytes.
    #[error(
        "MC announced no digest (Digest, Content-Digest, Repr-Digest or ETag), and trust mode insecure-digest-only has \
         nothing else to check the bytes against; use --trust key or keyless, whose signature covers the bytes"
    )]
    NothingVouches,
    /// An OPA would not take it.
    #[error("OPA refused the pack: {why}")]
    Opa {
        /// OPA's words.
        why: String,
    },
    /// It could not be turned into what OPA loads.
    #[error("the pack cannot be prepared for activation: {why}")]
    Prepare {
        /// What went wrong.
        why: String,
    },
}

/// The closed set of reasons, for metrics and `GET /status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum RejectionReason {
    /// One of pack-verify's.
    Pack(Reason),
    /// One of ours.
    Own(OwnReason),
}

/// Reasons that exist only in this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnReason {
    /// Rego that does not compile.
    RegoInvalid,
    /// Data where a rule stands.
    DataCollision,
    /// A golden decision came out differently, or could not be evaluated.
    GoldenFailed,
    /// Nothing vouches for the bytes.
    DigestMissing,
    /// Refused by OPA.
    OpaRefused,
    /// No bundle could be built.
    PrepareFailed,
}

impl RejectionReason {
    /// As in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pack(reason) => reason.as_str(),
            Self::Own(OwnReason::RegoInvalid) => "rego_invalid",
            Self::Own(OwnReason::DataCollision) => "data_collision",
            Self::Own(OwnReason::GoldenFailed) => "golden_failed",
            Self::Own(OwnReason::DigestMissing) => "digest_missing",
            Self::Own(OwnReason::OpaRefused) => "opa_refused",
            Self::Own(OwnReason::PrepareFailed) => "prepare_failed",
        }
    }
}

/// When a refused pack is worth another look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// When MC has other bytes.
    OtherBytes,
    /// When MC has other bytes, or another signature for them.
    OtherSignature,
    /// At every poll: time or the connection may change the outcome.
    EveryPoll,
}

impl Rejection {
    /// The reason's name.
    pub fn reason(&self) -> RejectionReason {
        match self {
            Self::Pack(refusal) => RejectionReason::Pack(refusal.reason()),
            Self::Preflight(PreflightError::Rego { .. }) => RejectionReason::Own(OwnReason::RegoInvalid),
            Self::Preflight(PreflightError::Collision { .. }) => RejectionReason::Own(OwnReason::DataCollision),
            Self::Preflight(PreflightError::Golden { .. } | PreflightError::GoldenUnchecked { .. }) => {
                RejectionReason::Own(OwnReason::GoldenFailed)
            }
            Self::NothingVouches => RejectionReason::Own(OwnReason::DigestMissing),
            Self::Opa { .. } => RejectionReason::Own(OwnReason::OpaRefused),
            Self::Prepare { .. } => RejectionReason::Own(OwnReason::PrepareFailed),
        }
    }

    /// When to look at the same pack again.
    pub fn again(&self) -> Again {
        let refusal = match self {
            Self::Pack(refusal) => refusal,
            // The header may have been lost on the way, by a proxy for example: the same bytes may come with one.
            Self::NothingVouches => return Again::EveryPoll,
            _ => return Again::OtherBytes,
        };
        match refusal.reason() {
            Reason::DigestMismatch | Reason::DigestMalformed | Reason::NotAPack | Reason::NotYetValid => {
                Again::EveryPoll
            }
            Reason::SignatureMissing
            | Reason::SignatureInvalid
            | Reason::SignatureMismatch
            | Reason::WrongKey
            | Reason::WrongIdentity
            | Reason::WrongIssuer
            | Reason::UntrustedRoot
            | Reason::NoTransparencyLog
            | Reason::BundleMalformed
            | Reason::BundleUnsupported => Again::OtherSignature,
            _ => Again::OtherBytes,
        }
    }

    /// Whether pack and signature may belong to two publications of MC.
    pub fn may_be_race(&self) -> bool {
        matches!(self, Self::Pack(refusal) if refusal.may_be_race())
    }
}

/// What the examination is told besides the bytes.
#[derive(Debug, Clone)]
pub struct Circumstances {
    /// The time to judge by.
    pub now: Timestamp,
    /// The last accepted pack: revisions must not go back behind it.
    pub last: Option<Accepted>,
    /// Whether MC announced a digest that the bytes match.
    pub digest_announced: bool,
    /// The pack was accepted in an earlier life: its expiry was judged then.
    pub restoring: bool,
}

/// The whole way. Computes only; call it where blocking is fine.
pub fn examine(
    pack: PackBytes,
    bundle: Option<&[u8]>,
    rules: &Rules,
    circumstances: &Circumstances,
) -> Result<Deployable, Rejection> {
    if rules.verifier.mode() == TrustMode::InsecureDigestOnly && !circumstances.digest_announced {
        return Err(Rejection::NothingVouches);
    }
    let verified = rules
        .verifier
        .verify(pack, bundle)?
        .unpack(&rules.limits)?
        .admit(&Admission {
            now: circumstances.now,
            expected_id: rules.expected_id.as_deref(),
            last: circumstances.last.as_ref(),
            require_manifest: rules.require_manifest,
            clock_skew: rules.clock_skew,
            restoring: circumstances.restoring,
        })?;
    Ok(preflight::preflight(verified, &rules.preflight)?)
}
