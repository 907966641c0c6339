//! Values that must not be printed, and where they come from: a variable, or a file that may be rotated.
//!
//! Kubernetes rotates a mounted Secret by swapping the symlink `..data`, other tools rewrite the file in place, and both
//! can leave size and times of the file as they were. So a file is read at every use instead of comparing what `stat`
//! says: it is one small read beside a network request, a change can never be missed, and the value does not stay in
//! memory between uses.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// No token is longer than this; a wrong path such as `/dev/zero` must not fill the memory.
const MAX_BYTES: u64 = 64 * 1024;
const REDACTED: &str = "[redacted]";

/// A value that prints as `[redacted]` and is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a value over.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Never log it, never put it into an error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the value is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in constant time; only the length can be learned from how long it takes.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// A flag or variable; it does not change while the process lives.
    Value(Secret),
    /// A file; it may change at any time.
    File(SecretFile),
}

/// A file that holds one secret.
#[derive(Debug, Clone)]
pub struct SecretFile {
    name: &'static str,
    path: PathBuf,
}

impl SecretFile {
    /// `name` is what users call it (`MC_TOKEN`); it appears in errors.
    pub fn new(name: &'static str, path: impl Into<PathBuf>) -> Self {
        Self {
            name,
            path: path.into(),
        }
    }

    /// The path as configured; links are followed at each use.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What a secret of this name is, as messages say it.
fn what(name: &str) -> (&'static str, &'static str) {
    if name == "DATABASE_URL" {
        ("the database's address", "a database's address")
    } else if name.ends_with("_URL") {
        ("the address", "an address")
    } else if name.ends_with("_KEY") {
        ("the key", "a key")
    } else {
        ("the token", "a token")
    }
}

/// Why there is no usable secret. The messages never contain it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Value and file are both set.
    #[error("{name} and {name}_FILE are both set; keep one of them")]
    Both {
        /// What users call it.
        name: &'static str,
    },
    /// The variable or flag is set to nothing.
    #[error("{name} is empty; give it a value or unset it")]
    Empty {
        /// What users call it.
        name: &'static str,
    },
    /// The file holds nothing.
    #[error("{name}_FILE {} is empty; it must hold {}", path.display(), what(name).0)]
    EmptyFile {
        /// What users call it.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {name}_FILE {}", path.display())]
    Unreadable {
        /// What users call it.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is far too long to be a token.
    #[error("{name}_FILE {} is longer than {MAX_BYTES} bytes; expected a file with only {}", path.display(), what(name).0)]
    TooLong {
        /// What users call it.
        name: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// It could not be sent in a header.
    #[error("{name} cannot be {}: expected one line of visible ASCII characters, found {found}", what(name).1)]
    NotAToken {
        /// What users call it.
        name: &'static str,
        /// What is wrong, without the value.
        found: &'static str,
    },
}

impl SecretSource {
    /// From the two options `NAME` and `NAME_FILE`; `None` if neither is set.
    ///
    /// # Errors
    /// Both are set, or the value is empty or cannot be a token. A file is not opened yet: it may appear later.
    pub fn from_args(
        name: &'static str,
        value: Option<impl Into<Secret>>,
        file: Option<PathBuf>,
    ) -> Result<Option<Self>, SecretError> {
        match (value.map(Into::into), file) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(SecretError::Both { name }),
            (None, Some(path)) => Ok(Some(Self::File(SecretFile { name, path }))),
            (Some(secret), None) if secret.is_empty() => Err(SecretError::Empty { name }),
            (Some(secret), None) => {
                check(name, secret.expose())?;
                Ok(Some(Self::Value(secret)))
            }
        }
    }

    /// The secret as it is now.
    ///
    /// # Errors
    /// The file is missing, unreadable, empty, too long, or holds something that cannot be a token.
    pub async fn get(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::File(file) => {
                let (name, path) = (file.name, file.path.clone());
                let unreadable = |source| SecretError::Unreadable {
                    name,
                    path: file.path.clone(),
                    source,
                };
                // File systems can block (a secret on a network mount), the runtime's threads must not.
                match tokio::task::spawn_blocking(move || read(name, &path)).await {
                    Ok(result) => result,
                    Err(join) => Err(unreadable(io::Error::other(join))),
                }
            }
        }
    }
}

/// Reads one secret. One trailing line end is cut, because editors and `kubectl create --from-file` leave it there.
fn read(name: &'static str, path: &Path) -> Result<Secret, SecretError> {
    let unreadable = |source| SecretError::Unreadable {
        name,
        path: path.to_owned(),
        source,
    };
    // Room for everything from the start: growing would leave copies of the value behind in freed memory.
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretError::TooLong {
            name,
            path: path.to_owned(),
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotAToken {
        name,
        found: "bytes that are not text",
    })?;
    let text = text
        .strip_suffix('\n')
        .map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(SecretError::EmptyFile {
            name,
            path: path.to_owned(),
        });
    }
    check(name, text)?;
    Ok(Secret::new(text))
}

/// A token goes into a header: anything else would fail later and further away from its cause.
fn check(name: &'static str, text: &str) -> Result<(), SecretError> {
    let wrong = |found| Err(SecretError::NotAToken { name, found });
    if text.contains(['\n', '\r']) {
        return wrong("more than one line");
    }
    if text.chars().any(|c| c.is_ascii_control()) {
        return wrong("a control character");
    }
    if !text.is_ascii() {
        return wrong("a character that is not ASCII");
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return wrong("a space at its start or end");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
