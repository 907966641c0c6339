//! JSON by streaming: is it sound, and does it have a value at a path. Never a tree, because a tree of a 30 MiB
//! document takes nearly a gigabyte, and the bytes go on to OPA as they are.

mod check;
mod path;

use std::collections::hash_map::RandomState;

use serde::Serialize;
use thiserror::Error;

pub(crate) use self::path::{Lookup, lookup};

/// The deepest nesting that [`check`] can be asked for. `serde_json` stops at 128 to protect the stack; staying below
/// it means that a document which is too deep is always told so in our own words.
pub const DEEPEST: usize = 120;

/// What kind of value a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonKind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// Text, a number, a boolean or `null`.
    Scalar,
}

/// What one pass over a sound document has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JsonShape {
    /// The kind of the whole document.
    pub kind: JsonKind,
    /// Deepest nesting of arrays and objects; a scalar has depth 0, `{}` has depth 1.
    pub depth: usize,
    /// How many objects there are.
    pub objects: u64,
    /// How many keys all objects have together.
    pub keys: u64,
}

/// Why a document is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {what}")]
pub struct JsonError {
    /// Counted from 1.
    pub line: usize,
    /// Bytes from the start of the line; where reading stopped, so at or just after the fault.
    pub column: usize,
    /// What is wrong.
    pub what: JsonProblem,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonProblem {
    /// Not JSON (RFC 8259): the parser's words.
    #[error("{0}")]
    Syntax(String),
    /// The text stops before the value ends.
    #[error("the text ends before the value does")]
    Truncated,
    /// One value is followed by something else than white space.
    #[error("there is more text after the end of the value")]
    TrailingData,
    /// Nested deeper than the limit.
    #[error("nested deeper than {max} levels")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// One object has the same key twice: readers differ in which one wins.
    #[error("the key {key:?} is there twice in one object")]
    DuplicateKey {
        /// The key, after unescaping.
        key: String,
    },
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Starts with a byte order mark, which JSON does not allow.
    #[error("the text starts with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
}

/// Reads a document once: syntax, UTF-8 and surrogates, depth, and duplicate keys in every object (compared after
/// unescaping). A duplicate key is found at the end of its object.
///
/// Memory: 8 bytes for each key of the objects that are open at the same time, however long the keys are, and the
/// longest string that has escapes. The 8 bytes are a hash under a random key; when two are equal the document is
/// read again and the keys themselves are compared, so a collision costs time and never a wrong answer.
pub fn check(bytes: &[u8], max_depth: usize) -> Result<JsonShape, JsonError> {
    check::check(bytes, max_depth, &RandomState::new())
}

/// Whether a sound document has a value (also `null`) at this path. A number selects from an array. A document that
/// does not parse has no values: ask [`check`] first.
pub fn has_path(bytes: &[u8], path: &[&str]) -> bool {
    matches!(lookup(bytes, &[path]).first(), Some(Lookup::Object | Lookup::Other))
}
