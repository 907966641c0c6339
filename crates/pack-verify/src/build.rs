//! The deterministic pack builder: the same files give the same bytes, on every machine and every day.
//!
//! POSIX (PAX) tar: sorted by path, every name starts with `./`, time 0, owner 0, mode 0644, no directory entries. A
//! name that is long or not ASCII has a PAX `path` record.

use std::collections::BTreeMap;

use tar::{EntryType, Header};
use thiserror::Error;

use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::unpack::names::{Names, normalise};

const BLOCK: usize = 512;
/// Bytes of the name field. The prefix field is not used: where a name is split between the two differs by program.
const NAME: usize = 100;

/// A folder that cannot be a pack.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A name that no verifier would accept, for the same reasons.
    #[error("the file {path:?} cannot be in a pack")]
    Name {
        /// The path as given.
        path: String,
        /// What the verifier would say.
        #[source]
        source: Box<Refusal>,
    },
    /// Two files that are one on some machine.
    #[error("the file {path:?} cannot be in a pack with the others: {why}")]
    Collision {
        /// The path as given.
        path: String,
        /// Which other name, and how.
        why: String,
    },
    /// A file that the format cannot hold.
    #[error("the file {path:?} cannot be written as a tar entry")]
    Entry {
        /// The path as given.
        path: String,
        /// What the tar writer says.
        #[source]
        source: std::io::Error,
    },
}

/// Builds the tar. Paths are relative, with `/` and with or without `./`; the rules are those of the default
/// [`Limits`], so that what is built can be unpacked.
pub fn build_tar(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Vec<u8>, BuildError> {
    let limits = Limits::default();
    let mut names = Names::default();
    let mut sorted = BTreeMap::new();
    for (path, content) in files {
        let normal = normalise(path.as_bytes(), &limits).map_err(|source| BuildError::Name {
            path: path.clone(),
            source: Box::new(source),
        })?;
        if normal.is_empty() || path.ends_with('/') {
            return Err(BuildError::Collision {
                path,
                why: "it names a directory".to_owned(),
            });
        }
        names.file(&normal).map_err(|why| BuildError::Collision { path, why })?;
        sorted.insert(normal, content);
    }
    let mut archive = Vec::new();
    for (path, content) in sorted {
        append(&mut archive, &path, &content).map_err(|source| BuildError::Entry { path, source })?;
    }
    // The end mark. `tar` would fill up to ten KiB for tape drives.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Ok(archive)
}

fn append(archive: &mut Vec<u8>, path: &str, content: &[u8]) -> std::io::Result<()> {
    let name = format!("./{path}");
    if name.len() > NAME || !name.is_ascii() {
        let record = path_record(&name);
        put(archive, "./PaxHeaders/path", EntryType::XHeader, record.as_bytes())?;
    }
    put(archive, &name, EntryType::Regular, content)
}

fn put(archive: &mut Vec<u8>, name: &str, kind: EntryType, content: &[u8]) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    let field = header
        .as_ustar_mut()
        .ok_or_else(|| std::io::Error::other("a new header is not of its own format"))?;
    for (slot, byte) in field.name.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

/// `length path=name\n`, where the length counts its own digits.
fn path_record(name: &str) -> String {
    let rest = format!(" path={name}\n");
    let digits = |length: usize| length.to_string().len();
    let length = rest.len() + digits(rest.len() + digits(rest.len()));
    format!("{length}{rest}")
}
