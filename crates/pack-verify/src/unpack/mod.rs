//! Safe unpacking in memory: tar or tar.gz in, files out, each a slice of the one buffer that holds the tar.
//!
//! The archive is read strictly: what two programs could read in two ways is refused, because the one that signed it
//! and the one that decides by it must see the same files. What ordinary `tar` writes is fine.

mod archive;
mod gzip;
pub(crate) mod names;
mod pax;
mod sniff;

use std::fmt;

use bytes::Bytes;

use crate::bytes::PackBytes;
use crate::digest::Sha256Digest;
use crate::layout::{Contents, DataFile, OtherFile, PolicyFile};
use crate::limits::{Limits, within};
use crate::manifest::PackManifest;
use crate::refusal::Refusal;
use crate::trust::{SignatureReport, SignedPack};

pub use self::sniff::looks_like;

/// One regular file of the archive. Its bytes are a slice of the unpacked archive, not a copy.
#[derive(Clone, PartialEq, Eq)]
pub struct PackFile {
    /// Normalised: no `./`, no empty parts.
    pub path: String,
    /// The content.
    pub bytes: Bytes,
}

impl fmt::Debug for PackFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackFile({:?}, {} bytes)", self.path, self.bytes.len())
    }
}

impl SignedPack {
    /// Unpacks, sorts the files into policies, data and the rest, and checks each: policies are UTF-8 and outside
    /// reserved roots, JSON is sound, no two files claim the same document, and `pack.json` is readable.
    pub fn unpack(self, limits: &Limits) -> Result<UnpackedPack, Refusal> {
        let (pack, report) = self.into_parts();
        let contents = Contents::sort(read_archive(pack.bytes(), limits)?, limits)?;
        Ok(UnpackedPack { pack, report, contents })
    }
}

/// A pack whose signature and content were checked, but not yet whether it may follow the last one: see
/// [`admit`](Self::admit).
#[derive(Clone)]
pub struct UnpackedPack {
    pub(crate) pack: PackBytes,
    pub(crate) report: SignatureReport,
    pub(crate) contents: Contents,
}

impl fmt::Debug for UnpackedPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnpackedPack")
            .field("digest", &self.digest())
            .field("contents", &self.contents)
            .finish_non_exhaustive()
    }
}

impl UnpackedPack {
    /// SHA-256 of the pack as received.
    pub fn digest(&self) -> Sha256Digest {
        self.pack.digest()
    }

    /// What was checked about the signature.
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
}

/// The regular files of a tar or tar.gz, in the archive's order.
pub(crate) fn read_archive(pack: &Bytes, limits: &Limits) -> Result<Vec<PackFile>, Refusal> {
    within("max_pack_bytes", limits.max_pack_bytes, pack.len())?;
    if gzip::is_gzip(pack) {
        archive::read(&Bytes::from(gzip::inflate(pack, limits)?), limits)
    } else {
        archive::read(pack, limits)
    }
}
