//! Bytes in, [`VerifiedPack`] out. No network, no files, and no clock of its own.
//!
//! A pack travels through types, and each step needs the value that the step before it returned:
//!
//! ```text
//! HashingBuffer -> PackBytes -> (Verifier::verify) SignedPack -> (unpack) UnpackedPack -> (admit) VerifiedPack
//! ```
//!
//! Whoever holds a `VerifiedPack` therefore holds bytes whose signature, archive, manifest, revision and expiry
//! were all checked. Every way to fail is a [`Refusal`] with a closed [`Reason`].

pub mod admit;
#[cfg(feature = "build")]
pub mod build;
pub mod bytes;
pub mod digest;
pub mod json;
pub mod layout;
pub mod limits;
pub mod manifest;
pub mod refusal;
#[cfg(feature = "sign")]
pub mod sign;
pub mod trust;
pub mod unpack;

pub use self::admit::{Accepted, Admission, VerifiedPack};
pub use self::bytes::{HashingBuffer, PackBytes, TooLarge};
pub use self::digest::{Announced, DigestError, DigestHeaders, Sha256Digest};
pub use self::layout::{DataFile, Layout, OtherFile, OtherKind, PolicyFile};
pub use self::limits::Limits;
pub use self::manifest::{Golden, PackManifest, RegoVersion};
pub use self::refusal::{Reason, Refusal};
pub use self::trust::{
    BlobRef, Check, CheckName, CheckOutcome, IdentityRule, IssuerRule, KeyLog, SignatureReport, SignedPack, Signer,
    TrustConfigError, TrustMode, Verifier,
};
pub use self::unpack::{PackFile, UnpackedPack};
