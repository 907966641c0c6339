//! Who may sign a pack, and the proof that somebody did.
//!
//! What each mode proves:
//!
//! - **keyless**: a holder of the configured identity, vouched for by the configured issuer, signed exactly these
//!   bytes at a proved time at which the certificate was valid; the certificate was issued by an authority of the
//!   pinned root and was published (SCT); the signature is in a log of the pinned root (inclusion proof and
//!   checkpoint; for Sigstore 0.1 and cosign 2's older bundle the log's signed promise is enough, and the report says
//!   so). It does not prove that anybody watches the log, or that the identity was not misused.
//! - **key, log required**: the holder of the key signed these bytes, and the signature is in the log. The time is
//!   reported when it is proved, but a key has no validity period to hold it against.
//! - **key, log not required**: the holder of the key signed these bytes, at any time, perhaps in secret. A stolen
//!   key leaves no trace.
//! - **insecure-digest-only**: nothing about who made the pack. Whoever can change the pack can change the header.
//!
//! No mode proves that a pack is the newest: an old pack with its old bundle verifies for ever, which is what
//! revision and expiry in `pack.json` are for.
//!
//! Who chooses what: every field of a bundle is chosen by whoever serves it. Trust comes only from the configured
//! root, key and rules. `publicKey.hint`, `mediaType`, `logIndex` of a Rekor v2 proof, `kindVersion` and
//! `integratedTime` without a signed promise are never evidence; the hint and an unproved log entry are read only to
//! word a refusal. The issuer and the identity are read from a certificate only after its chain was verified.
//!
//! An attestation (DSSE) says something *about* bytes, perhaps that a test failed. For a pack only a signature over
//! the bytes counts as approval, so [`Verifier::verify`] refuses attestations; [`Verifier::verify_blob`] accepts them
//! when a subject of the in-toto statement is the blob, and names the predicate type in the report.
//!
//! The clock: `sigstore-verify` refuses evidence from the future by reading the system's clock. Nothing here does.

mod bundle;
mod errors;
mod identity;
pub(crate) mod key;
mod keyless;
mod legacy_cosign;
mod report;

use std::fmt;

use sigstore_types::{Artifact, Sha256Hash};

pub use self::bundle::MAX_BUNDLE_BYTES;
pub use self::errors::TrustConfigError;
pub use self::identity::{IdentityRule, IssuerRule, WholeMatch};
pub use self::report::{
    BundleFormat, Check, CheckName, CheckOutcome, KeyInfo, SignatureReport, Signer, SignerKind, TrustMode,
};

use self::bundle::{Parsed, unsupported};
use self::report::Checks;
use crate::bytes::PackBytes;
use crate::digest::Sha256Digest;
use crate::refusal::Refusal;

/// Whether a signature made with a key must be in a transparency log.
#[derive(Debug, Clone)]
pub enum KeyLog {
    /// It must, in a log of this trusted root.
    Required {
        /// The JSON of a Sigstore `trusted_root.json`.
        trusted_root_json: String,
    },
    /// It need not (cosign calls this `--insecure-ignore-tlog`).
    NotRequired,
}

/// What a signature is checked against.
#[derive(Debug, Clone, Copy)]
pub enum BlobRef<'a> {
    /// The bytes.
    Bytes(&'a [u8]),
    /// Their digest. Enough for ECDSA; Ed25519 signs the whole message and needs the bytes.
    Sha256(Sha256Digest),
}

impl<'a> BlobRef<'a> {
    fn digest(&self) -> Sha256Digest {
        match self {
            Self::Bytes(bytes) => Sha256Digest::of(bytes),
            Self::Sha256(digest) => *digest,
        }
    }

    fn to_sigstore(self) -> Artifact<'a> {
        match self {
            Self::Bytes(bytes) => Artifact::from_blob(bytes),
            Self::Sha256(digest) => Artifact::from_digest(Sha256Hash::new(*digest.as_bytes())),
        }
    }
}

enum Mode {
    Keyless(Box<keyless::Keyless>),
    Key(Box<key::Key>),
    InsecureDigestOnly,
}

/// `trusted_root.json` of the public Sigstore instance, as shipped with the library this was built with.
pub const PUBLIC_TRUSTED_ROOT: &str = sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;

/// `trusted_root.json` of Sigstore's staging instance: for tests and conformance suites only.
pub const STAGING_TRUSTED_ROOT: &str = sigstore_trust_root::SIGSTORE_STAGING_TRUSTED_ROOT;

/// Decides whether a pack is signed by somebody who may sign it. Built once; verifying needs no network.
pub struct Verifier(Mode);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Trusts whoever holds `identity` at `issuer`, on the word of the pinned trusted root.
    pub fn keyless(
        trusted_root_json: &str,
        identity: IdentityRule,
        issuer: IssuerRule,
    ) -> Result<Self, TrustConfigError> {
        keyless::Keyless::new(trusted_root_json, identity, issuer).map(|mode| Self(Mode::Keyless(Box::new(mode))))
    }

    /// Trusts the holder of one key (PEM, ECDSA P-256 or Ed25519).
    pub fn key(public_key_pem: &str, log: KeyLog) -> Result<Self, TrustConfigError> {
        key::Key::new(public_key_pem, log).map(|mode| Self(Mode::Key(Box::new(mode))))
    }

    /// Trusts the server and everything on the way to it.
    pub fn insecure_digest_only() -> Self {
        Self(Mode::InsecureDigestOnly)
    }

    /// The trust mode.
    pub fn mode(&self) -> TrustMode {
        match self.0 {
            Mode::Keyless(_) => TrustMode::Keyless,
            Mode::Key(_) => TrustMode::Key,
            Mode::InsecureDigestOnly => TrustMode::InsecureDigestOnly,
        }
    }

    /// Verifies a pack with its bundle. Only a signature over the pack's own bytes is accepted, no attestation.
    ///
    /// A [`Refusal`] whose [`may_be_race`](Refusal::may_be_race) is true may mean that pack and bundle were fetched
    /// around a publication; the caller fetches both again, once.
    pub fn verify(&self, pack: PackBytes, bundle: Option<&[u8]>) -> Result<SignedPack, Refusal> {
        let report = match (&self.0, bundle) {
            (Mode::InsecureDigestOnly, _) => self.unsigned(pack.digest(), bundle.is_some()),
            (_, None) => {
                return Err(Refusal::SignatureMissing {
                    mode: self.mode().as_str(),
                });
            }
            (_, Some(bundle)) => {
                let parsed = Parsed::read(bundle)?;
                if let Some(predicate) = parsed.attestation() {
                    return Err(unsupported(format!(
                        "expected a signature over the pack, found an attestation about it (predicate {predicate:?}): \
                         sign with `cosign sign-blob` or `pack sign`"
                    )));
                }
                self.verify_parsed(&BlobRef::Bytes(pack.bytes()), pack.digest(), &parsed)?
            }
        };
        Ok(SignedPack { pack, report })
    }

    /// Verifies any blob, by its bytes or its digest.
    pub fn verify_blob(&self, artifact: BlobRef<'_>, bundle: &[u8]) -> Result<SignatureReport, Refusal> {
        if matches!(self.0, Mode::InsecureDigestOnly) {
            return Ok(self.unsigned(artifact.digest(), true));
        }
        self.verify_parsed(&artifact, artifact.digest(), &Parsed::read(bundle)?)
    }

    fn verify_parsed(
        &self,
        artifact: &BlobRef<'_>,
        digest: Sha256Digest,
        parsed: &Parsed,
    ) -> Result<SignatureReport, Refusal> {
        parsed.check_stated_digest(digest)?;
        match &self.0 {
            Mode::Keyless(mode) => mode.verify(artifact, parsed),
            Mode::Key(mode) => mode.verify(artifact, parsed),
            Mode::InsecureDigestOnly => Ok(self.unsigned(digest, true)),
        }
    }

    fn unsigned(&self, digest: Sha256Digest, has_bundle: bool) -> SignatureReport {
        let mut checks = Checks::default();
        let why = if has_bundle {
            "trust mode insecure-digest-only: the bundle was not looked at"
        } else {
            "trust mode insecure-digest-only: no signature is asked for"
        };
        let (first, rest) = CheckName::ALL.split_at(1);
        checks
            .not_checked(
                first,
                "the digest was computed; comparing it with the announced one is the caller's step",
            )
            .not_checked(rest, why);
        SignatureReport {
            mode: self.mode(),
            digest,
            signer: None,
            key: None,
            bundle_format: None,
            attestation: None,
            signed_at: None,
            checks: checks.finish(),
        }
    }
}

/// A pack whose trust was decided, with the report of how. Only [`Verifier::verify`] makes one.
#[derive(Debug, Clone)]
pub struct SignedPack {
    pack: PackBytes,
    report: SignatureReport,
}

impl SignedPack {
    /// The pack's bytes and digest.
    pub fn pack(&self) -> &PackBytes {
        &self.pack
    }

    /// What was checked.
    pub fn report(&self) -> &SignatureReport {
        &self.report
    }

    /// Both parts, for the next step.
    pub(crate) fn into_parts(self) -> (PackBytes, SignatureReport) {
        (self.pack, self.report)
    }
}
