//! Owns the way from bytes to a [`LoadedPolicy`]: limits, formats, and the digest.
//!
//! Formats: JSON (RFC 8259) and YAML 1.2. In YAML, a word without quotes is a truth value only when it is `true` or `false`, so `no` and
//! `off` are texts; `90`, `1.5`, `1e3`, `0x5a` and `0o7` are numbers (`0b1`, too); `0123` and `2024-01-31` are texts; `.nan` and `.inf`
//! are refused; a key without a value is refused; anchors and aliases work, merge keys (`<<`) do not. A number of a policy is the number,
//! not the way it was written: `1.10` is `1.1`, and a fraction keeps 15 digits (whole numbers of 64 bits are exact). In quotes everything
//! is text.

mod strict;
mod tree;
mod words;

use crate::{
    builtin::RetentionDays,
    check::check,
    document,
    error::{Mistake, PolicyError},
    policy::Policy,
};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Largest policy, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// A policy that was read and checked, and what it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedPolicy {
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of the bytes as they are, in hex; of the canonical JSON form for the built-in policy.
    pub digest: String,
    /// What it was read from.
    pub source: PolicySource,
    /// `RETENTION_DAYS`, when the built-in rules are in use: the bytes do not say it then.
    pub retention_days: Option<RetentionDays>,
}

/// What a policy was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// Nothing: the built-in policy.
    BuiltIn,
    /// A file.
    File(PathBuf),
    /// A file of a verified policy pack.
    Pack {
        /// The pack, as it was named.
        pack: String,
        /// The path inside of it: `data/retention.json`.
        path: String,
    },
}

impl fmt::Display for PolicySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => out.write_str("(built in)"),
            Self::File(path) => path.display().fmt(out),
            Self::Pack { pack, path } => write!(out, "{path} of the pack {pack}"),
        }
    }
}

/// How a policy is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
}

impl Format {
    /// By the ending of a name: `.json`, `.yaml`, `.yml`.
    pub fn of_name(name: &Path) -> Option<Self> {
        let extension = name.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// By the first character: a YAML mapping in braces is nearly always JSON, and JSON's errors are the better ones then.
    fn of_content(content: &str) -> Self {
        if content.trim_start().starts_with(['{', '[']) {
            Self::Json
        } else {
            Self::Yaml
        }
    }
}

/// Hex SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Reads and checks a policy. Its format is that of its name's ending, or else of its content. A document without `rules` gets the
/// built-in ones, with `days`.
///
/// # Errors
/// It cannot be read, or says something that cannot be meant.
pub fn read(bytes: &[u8], source: PolicySource, days: RetentionDays) -> Result<LoadedPolicy, PolicyError> {
    let content = text(bytes, &source)?;
    let format = match &source {
        PolicySource::BuiltIn => None,
        PolicySource::File(path) => Format::of_name(path),
        PolicySource::Pack { path, .. } => Format::of_name(Path::new(path)),
    };
    let format = format.unwrap_or_else(|| Format::of_content(content));
    let (policy, retention_days) = parse(content, format, days).map_err(|refused| refused.of(source.clone()))?;
    Ok(LoadedPolicy {
        policy,
        digest: digest(bytes),
        source,
        retention_days,
    })
}

/// The bytes as text, without a byte order mark.
fn text<'a>(bytes: &'a [u8], source: &PolicySource) -> Result<&'a str, PolicyError> {
    if bytes.len() > MAX_BYTES {
        return Err(PolicyError::TooLarge {
            from: source.clone(),
            bytes: bytes.len(),
            most: MAX_BYTES,
        });
    }
    let content = std::str::from_utf8(bytes).map_err(|error| PolicyError::NotText {
        from: source.clone(),
        at: error.valid_up_to(),
    })?;
    Ok(content.strip_prefix('\u{feff}').unwrap_or(content))
}

/// A refusal that does not know its source yet.
enum Refused {
    Empty,
    Syntax {
        line: usize,
        column: usize,
        mistake: Mistake,
    },
    Mistakes(Vec<Mistake>),
}

impl Refused {
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Syntax { mistake, .. } if mistake.message.starts_with("unknown "))
    }

    fn of(self, from: PolicySource) -> PolicyError {
        match self {
            Self::Empty => PolicyError::Empty { from },
            Self::Syntax { line, column, mistake } => PolicyError::Syntax {
                from,
                line,
                column,
                mistake,
            },
            Self::Mistakes(mistakes) => PolicyError::Mistakes { from, mistakes },
        }
    }
}

fn parse(content: &str, format: Format, days: RetentionDays) -> Result<(Policy, Option<RetentionDays>), Refused> {
    if content.trim().is_empty() {
        return Err(Refused::Empty);
    }
    let mut tree = match format {
        Format::Json => tree::json(content)?,
        Format::Yaml => tree::yaml(content)?,
    };
    if tree.is_null() {
        return Err(Refused::Empty);
    }
    let mut mistakes = Vec::new();
    tree::refuse_nulls(&mut tree, &mut mistakes);
    let document = tree::document(tree);
    // Below a key that nobody knows, nothing needs a value.
    if !mistakes.is_empty() && !matches!(&document, Err(refused) if refused.is_unknown()) {
        return Err(Refused::Mistakes(mistakes));
    }
    let document = document?;
    let retention_days = document.rules.is_none().then_some(days);
    let policy = document::policy(document, days, &mut mistakes);
    mistakes.extend(check(&policy));
    if mistakes.is_empty() {
        Ok((policy, retention_days))
    } else {
        Err(Refused::Mistakes(mistakes))
    }
}
