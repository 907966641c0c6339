//! How much a pack may be. Every number is a stop for hostile input, not a guess about normal packs.

use crate::layout::Layout;
use crate::refusal::Refusal;

/// The limits for unpacking one pack, and the layout to unpack it into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the pack as received (compressed, when it is compressed).
    pub max_pack_bytes: usize,
    /// Bytes of the tar after decompression, headers and padding included.
    pub max_unpacked_bytes: usize,
    /// Files and directories in the archive.
    pub max_entries: usize,
    /// Bytes of one path after normalising.
    pub max_path_bytes: usize,
    /// Parts of one path: `opa/a.rego` has two.
    pub max_path_depth: usize,
    /// Unpacked size divided by packed size. Applies from one unpacked MiB on: a small tar is mostly zeros, and
    /// squeezes very well without being an attack.
    pub max_ratio: usize,
    /// How deep arrays and objects may nest in JSON. More than [`crate::json::DEEPEST`] is the same as that.
    pub max_json_depth: usize,
    /// Where the pack's files go in OPA's documents.
    pub layout: Layout,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pack_bytes: 64 << 20,
            max_unpacked_bytes: 256 << 20,
            max_entries: 4096,
            max_path_bytes: 255,
            max_path_depth: 16,
            max_ratio: 200,
            max_json_depth: 64,
            layout: Layout::default(),
        }
    }
}

/// The refusal for a limit that was passed, or nothing.
pub(crate) fn within(limit: &'static str, allowed: usize, found: usize) -> Result<(), Refusal> {
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::LimitExceeded {
        limit,
        allowed: allowed as u64,
        found: found as u64,
    })
}
