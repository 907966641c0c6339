//! The bytes of a pack as received, and their digest, which is computed here and nowhere else.

use std::fmt;

use ::bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::digest::{Announced, Sha256Digest};
use crate::refusal::Refusal;

/// More bytes than the caller allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the pack is larger than the limit of {limit} bytes")]
pub struct TooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

/// Collects a stream and hashes it as it arrives, so that the bytes are read once.
#[derive(Debug)]
pub struct HashingBuffer {
    limit: usize,
    bytes: BytesMut,
    hasher: Sha256,
}

impl HashingBuffer {
    /// An empty buffer that accepts at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: BytesMut::new(),
            hasher: Sha256::new(),
        }
    }

    /// Like [`new`](Self::new), with room for the length that the sender announced (never more than `limit`), so
    /// that a large pack is not copied while the buffer grows.
    pub fn with_expected(limit: usize, expected: Option<u64>) -> Self {
        let room = expected
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(0)
            .min(limit);
        Self {
            limit,
            bytes: BytesMut::with_capacity(room),
            hasher: Sha256::new(),
        }
    }

    /// Adds one chunk. After an error the buffer holds what it held before.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TooLarge> {
        if chunk.len() > self.limit.saturating_sub(self.bytes.len()) {
            return Err(TooLarge { limit: self.limit });
        }
        self.hasher.update(chunk);
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// How many bytes have arrived.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has arrived.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes with their digest.
    pub fn finish(self) -> PackBytes {
        PackBytes {
            bytes: self.bytes.freeze(),
            digest: Sha256Digest::new(self.hasher.finalize().into()),
        }
    }
}

/// A pack as received. The digest always belongs to the bytes: there is no way to pass one in.
#[derive(Clone, PartialEq, Eq)]
pub struct PackBytes {
    bytes: Bytes,
    digest: Sha256Digest,
}

impl fmt::Debug for PackBytes {
    /// Digest and length: the bytes themselves may be many megabytes, and a log line must stay one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackBytes")
            .field("digest", &self.digest)
            .field("length", &self.bytes.len())
            .finish()
    }
}

impl PackBytes {
    /// Takes bytes that are already in memory and hashes them.
    pub fn new(bytes: Bytes) -> Self {
        let digest = Sha256Digest::of(&bytes);
        Self { bytes, digest }
    }

    /// The bytes, exactly as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Compares with the digest that the server announced. `None` passes: without a header only the signature can
    /// say that the bytes are the right ones, and it is the caller's policy whether that is enough.
    pub fn check_announced(&self, announced: Option<&Announced>) -> Result<(), Refusal> {
        match announced {
            Some(stated) if stated.sha256 != self.digest => Err(Refusal::DigestMismatch {
                announced: stated.sha256,
                from: stated.from,
                found: self.digest,
                length: self.bytes.len(),
            }),
            _ => Ok(()),
        }
    }
}
