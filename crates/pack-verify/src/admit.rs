//! May this pack follow the last one: id, time, revision. A pure decision; the caller brings the clock and what it
//! accepted before.

use std::fmt;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::bytes::PackBytes;
use crate::digest::Sha256Digest;
use crate::layout::{Contents, DataFile, OtherFile, PolicyFile};
use crate::manifest::PackManifest;
use crate::refusal::Refusal;
use crate::trust::SignatureReport;
use crate::unpack::UnpackedPack;

/// What the caller knows and wants when a pack asks to be let in.
#[derive(Debug, Clone)]
pub struct Admission<'a> {
    /// The caller's clock.
    pub now: Timestamp,
    /// The id that a manifest states, when it states one. With `require_manifest` it must state it.
    pub expected_id: Option<&'a str>,
    /// The pack accepted last, if any.
    pub last: Option<&'a Accepted>,
    /// Refuse packs without `pack.json`.
    pub require_manifest: bool,
    /// How far `created` may lie ahead of `now`.
    pub clock_skew: SignedDuration,
    /// The pack was accepted before and is loaded again from disk: it decided until now, and going without a policy
    /// would be worse than its age. Neither `expires` nor `created` is compared with the clock.
    pub restoring: bool,
}

impl Admission<'_> {
    /// Nothing expected, nothing accepted before, 60 s of clock skew.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            expected_id: None,
            last: None,
            require_manifest: false,
            clock_skew: SignedDuration::from_secs(60),
            restoring: false,
        }
    }
}

/// What must be remembered of an accepted pack to judge the next one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Accepted {
    /// Digest of the pack as received.
    pub digest: Sha256Digest,
    /// Its revision, if its manifest stated one.
    pub revision: Option<u64>,
    /// Its id, if its manifest stated one.
    pub id: Option<String>,
}

impl UnpackedPack {
    /// Lets the pack in, or says why not. Checked in this order: manifest required, id, time, revision.
    ///
    /// Revisions: the bytes accepted last are always fine again. Otherwise a revision must be higher than the last one;
    /// no revision after one is a step back too, because anybody who can replay an old pack could replay one from
    /// before revisions were used.
    pub fn admit(self, admission: &Admission<'_>) -> Result<VerifiedPack, Refusal> {
        let manifest = self.contents.manifest.as_ref();
        if manifest.is_none() && admission.require_manifest {
            return Err(Refusal::ManifestMissing);
        }
        let empty = PackManifest::default();
        let stated = manifest.unwrap_or(&empty);
        check_id(manifest, admission)?;
        check_time(stated, admission)?;
        if let Some(last) = admission.last {
            check_revision(stated.revision, self.pack.digest(), last)?;
        }
        let UnpackedPack { pack, report, contents } = self;
        Ok(VerifiedPack { pack, report, contents })
    }
}

fn check_id(manifest: Option<&PackManifest>, admission: &Admission<'_>) -> Result<(), Refusal> {
    let (Some(expected), Some(manifest)) = (admission.expected_id, manifest) else {
        return Ok(());
    };
    match manifest.id.as_deref() {
        Some(id) if id == expected => Ok(()),
        None if !admission.require_manifest => Ok(()),
        found => Err(Refusal::WrongId {
            expected: expected.to_owned(),
            found: found.map(str::to_owned),
        }),
    }
}

fn check_time(stated: &PackManifest, admission: &Admission<'_>) -> Result<(), Refusal> {
    let now = admission.now;
    if admission.restoring {
        return Ok(());
    }
    // At the end of time the skew reaches no further.
    let latest = now.checked_add(admission.clock_skew).unwrap_or(Timestamp::MAX);
    match (stated.created, stated.expires) {
        (Some(created), _) if created > latest => Err(Refusal::NotYetValid { created, now }),
        (_, Some(expires)) if expires <= now => Err(Refusal::Expired { expires, now }),
        _ => Ok(()),
    }
}

fn check_revision(found: Option<u64>, digest: Sha256Digest, last: &Accepted) -> Result<(), Refusal> {
    if digest == last.digest {
        return Ok(());
    }
    match (last.revision, found) {
        (Some(last), None) => Err(Refusal::RevisionLower { last, found: None }),
        (Some(last), Some(found)) if found < last => Err(Refusal::RevisionLower {
            last,
            found: Some(found),
        }),
        (Some(revision), Some(found)) if found == revision => Err(Refusal::RevisionReused {
            revision,
            last: last.digest,
            found: digest,
        }),
        (None, _) | (Some(_), Some(_)) => Ok(()),
    }
}

/// A pack that may decide. There is no way to make one but through every check.
#[derive(Clone)]
pub struct VerifiedPack {
    pack: PackBytes,
    report: SignatureReport,
    contents: Contents,
}

impl fmt::Debug for VerifiedPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPack")
            .field("digest", &self.digest())
            .field("contents", &self.contents)
            .finish_non_exhaustive()
    }
}

impl VerifiedPack {
    /// SHA-256 of the pack as received.
    pub fn digest(&self) -> Sha256Digest {
        self.pack.digest()
    }

    /// What was checked about the signature, and what was not.
    pub fn report(&self) -> &SignatureReport {
        &self.report
    }

    /// The policies, sorted by path. Never empty.
    pub fn policies(&self) -> &[PolicyFile] {
        &self.contents.policies
    }

    /// The data files, sorted by path.
    pub fn data(&self) -> &[DataFile] {
        &self.contents.data
    }

    /// The content of `pack.json`, if there is one.
    pub fn manifest(&self) -> Option<&PackManifest> {
        self.contents.manifest.as_ref()
    }

    /// Files that do not decide, sorted by path.
    pub fn others(&self) -> &[OtherFile] {
        &self.contents.others
    }

    /// The pack as received, to be kept for the next start.
    pub fn pack_bytes(&self) -> &Bytes {
        self.pack.bytes()
    }

    /// What to remember once it is active.
    pub fn accepted(&self) -> Accepted {
        let manifest = self.manifest();
        Accepted {
            digest: self.digest(),
            revision: manifest.and_then(|manifest| manifest.revision),
            id: manifest.and_then(|manifest| manifest.id.clone()),
        }
    }

    /// The name of exactly these bytes for OPA, see [`revision_label`].
    pub fn revision_label(&self) -> String {
        revision_label(self.manifest().and_then(|manifest| manifest.revision), self.digest())
    }
}

/// `42@sha256:<hex>`, or `sha256:<hex>` for a pack that states no revision. The digest is whole: whoever reads the label
/// back knows which bytes are meant.
pub fn revision_label(revision: Option<u64>, digest: Sha256Digest) -> String {
    revision.map_or_else(|| digest.to_string(), |revision| format!("{revision}@{digest}"))
}
