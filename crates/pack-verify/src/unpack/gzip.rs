//! Decompression of one gzip member, stopped by what comes out and never trusting what the header claims.

use std::io::{ErrorKind, Read as _};

use crate::limits::{Limits, within};
use crate::refusal::Refusal;

/// Below this size the ratio means nothing: a tar of small files is mostly zero padding.
const RATIO_STARTS_AT: usize = 1 << 20;

pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Decompresses. Exactly one member is accepted: RFC 1952 allows several, but some readers stop after the first, so
/// the same signed bytes would hold two packs.
pub(super) fn inflate(packed: &[u8], limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let mut decoder = flate2::bufread::GzDecoder::new(packed);
    let ratio_limit = packed.len().saturating_mul(limits.max_ratio).max(RATIO_STARTS_AT);
    let mut unpacked = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let length = match decoder.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(&error, unpacked.len())),
        };
        let total = unpacked.len() + length;
        within("max_unpacked_bytes", limits.max_unpacked_bytes, total)?;
        if total > ratio_limit {
            return within("max_ratio", limits.max_ratio, total.div_ceil(packed.len())).map(|()| Vec::new());
        }
        unpacked.extend_from_slice(chunk.get(..length).unwrap_or_default());
    }
    let rest = decoder.into_inner();
    if rest.is_empty() {
        return Ok(unpacked);
    }
    let what = if is_gzip(rest) {
        "a second gzip member"
    } else {
        "other bytes"
    };
    let why = format!(
        "expected one gzip member and nothing after it, found {what} ({} bytes)",
        rest.len()
    );
    Err(Refusal::ArchiveMalformed { why })
}

fn broken(error: &std::io::Error, unpacked: usize) -> Refusal {
    let what = if error.kind() == ErrorKind::UnexpectedEof {
        "is cut off"
    } else {
        "is corrupt"
    };
    Refusal::ArchiveMalformed {
        why: format!("the gzip data {what} after {unpacked} unpacked bytes ({error})"),
    }
}
