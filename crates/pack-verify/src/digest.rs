//! SHA-256 digests: the value type, and the digest that a server announces in its headers.
//!
//! Sources: RFC 3230 (`Digest`, base64), RFC 9530 (`Content-Digest`, `Repr-Digest`, `:base64:`), and MC, which sends
//! `Digest: sha-256=<hex>` and `ETag: W/"sha-256:<hex>"`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A SHA-256 digest. Displays as `sha256:<64 hex digits>`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// Wraps 32 bytes that already are a digest.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first 12 hex digits, for names and log lines. Not for comparing.
    pub fn short(&self) -> String {
        hex::encode(self.0.get(..6).unwrap_or_default())
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out).ok()?;
        Some(Self(out))
    }

    fn from_base64(text: &str) -> Option<Self> {
        Some(Self(STANDARD.decode(text).ok()?.try_into().ok()?))
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a SHA-256 digest (sha256: and 64 hex digits, or the hex digits alone), found {found:?}")]
pub struct ParseDigestError {
    /// What was given, cut to a printable length.
    pub found: String,
}

impl FromStr for Sha256Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        Self::from_hex(hex).ok_or_else(|| ParseDigestError { found: excerpt(text) })
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The headers of one response that may state a digest, as received. A header sent twice gives two values.
#[derive(Debug, Clone, Default)]
pub struct DigestHeaders<'a> {
    /// `Digest` (RFC 3230; MC puts hex where the RFC wants base64).
    pub digest: Vec<&'a str>,
    /// `Content-Digest` (RFC 9530).
    pub content_digest: Vec<&'a str>,
    /// `Repr-Digest` (RFC 9530).
    pub repr_digest: Vec<&'a str>,
    /// `ETag`.
    pub etag: Option<&'a str>,
}

/// The digest that a server announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The digest.
    pub sha256: Sha256Digest,
    /// The header it was read from; the most explicit one when several agree.
    pub from: &'static str,
}

/// Headers that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DigestError {
    /// A digest header that does not follow its format.
    #[error("the header {header} is malformed: expected {expected}, found {found:?}")]
    Malformed {
        /// Which header.
        header: &'static str,
        /// What the format is.
        expected: &'static str,
        /// What it said, cut to a printable length.
        found: String,
    },
    /// Two statements of the same digest that differ.
    #[error("the headers disagree: {first_from} says {first}, {second_from} says {second}")]
    Conflict {
        /// First value.
        first: Sha256Digest,
        /// Where the first value was read.
        first_from: &'static str,
        /// Second value.
        second: Sha256Digest,
        /// Where the second value was read.
        second_from: &'static str,
    },
}

const DIGEST: &str = "Digest";
const CONTENT_DIGEST: &str = "Content-Digest";
const REPR_DIGEST: &str = "Repr-Digest";
const ETAG: &str = "ETag";

/// The SHA-256 digest that the headers announce, if any does.
///
/// Other algorithms are ignored. A malformed digest header and two values that disagree are errors, because guessing
/// which one is right would defeat the check. An ETag is opaque by definition: one that does not look like
/// `"sha-256:<hex>"` says nothing.
pub fn announced(headers: &DigestHeaders<'_>) -> Result<Option<Announced>, DigestError> {
    let mut known: Option<Announced> = None;
    for (header, values) in [
        (DIGEST, &headers.digest),
        (CONTENT_DIGEST, &headers.content_digest),
        (REPR_DIGEST, &headers.repr_digest),
    ] {
        for value in values {
            for sha256 in members(header, value)? {
                agree(&mut known, Announced { sha256, from: header })?;
            }
        }
    }
    if let Some(sha256) = headers.etag.and_then(from_etag) {
        agree(&mut known, Announced { sha256, from: ETAG })?;
    }
    Ok(known)
}

/// The digest inside an ETag such as `W/"sha-256:<hex>"` (also `sha256:`, also a strong tag).
pub fn from_etag(etag: &str) -> Option<Sha256Digest> {
    let opaque = etag.trim();
    let opaque = opaque
        .strip_prefix("W/")
        .or_else(|| opaque.strip_prefix("w/"))
        .unwrap_or(opaque);
    let inner = opaque.strip_prefix('"')?.strip_suffix('"')?;
    let (algorithm, hex) = inner.split_once(':')?;
    is_sha256(algorithm).then(|| Sha256Digest::from_hex(hex))?
}

fn is_sha256(algorithm: &str) -> bool {
    algorithm.eq_ignore_ascii_case("sha-256") || algorithm.eq_ignore_ascii_case("sha256")
}

fn agree(known: &mut Option<Announced>, next: Announced) -> Result<(), DigestError> {
    match known {
        None => *known = Some(next),
        Some(first) if first.sha256 == next.sha256 => {}
        Some(first) => {
            return Err(DigestError::Conflict {
                first: first.sha256,
                first_from: first.from,
                second: next.sha256,
                second_from: next.from,
            });
        }
    }
    Ok(())
}

/// All SHA-256 values of one header line; one line may list several algorithms.
fn members(header: &'static str, value: &str) -> Result<Vec<Sha256Digest>, DigestError> {
    let expected = if header == DIGEST {
        "sha-256=<64 hex digits or base64 of 32 bytes>"
    } else {
        "sha-256=:<base64 of 32 bytes>:"
    };
    let malformed = |found: &str| DigestError::Malformed {
        header,
        expected,
        found: excerpt(found),
    };
    let mut out = Vec::new();
    let mut any = false;
    for member in value.split(',').map(str::trim).filter(|member| !member.is_empty()) {
        any = true;
        let (algorithm, text) = member.split_once('=').ok_or_else(|| malformed(member))?;
        if algorithm.is_empty() || !algorithm.bytes().all(is_token) {
            return Err(malformed(member));
        }
        if !is_sha256(algorithm) {
            continue;
        }
        let digest = if header == DIGEST {
            Sha256Digest::from_hex(text).or_else(|| Sha256Digest::from_base64(text))
        } else {
            text.strip_prefix(':')
                .and_then(|rest| rest.strip_suffix(':'))
                .and_then(Sha256Digest::from_base64)
        };
        out.push(digest.ok_or_else(|| malformed(member))?);
    }
    if any { Ok(out) } else { Err(malformed(value)) }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Headers come from outside: an error quotes no more of them than a log line can bear.
fn excerpt(text: &str) -> String {
    const MAX: usize = 96;
    if text.chars().count() <= MAX {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(MAX).collect();
    cut.push_str("...");
    cut
}
