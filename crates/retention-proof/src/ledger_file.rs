//! Owns the ledger in a file: JSON lines, append only, one writer, durable before an append returns.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::ledger::{Entry, EntryError, LedgerKey, SubjectMac, Tip};

/// No entry is longer; a wrong path such as `/dev/zero` must not fill the memory.
const LONGEST_LINE: u64 = 1024;

/// Why the ledger cannot be used. Display names the file.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system.
    #[error("cannot {what} the ledger {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// Somebody else writes.
    #[error("the ledger {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged, beyond what a killed writer leaves behind. Nothing is erased by guessing: restore the file.
    #[error("the ledger {} is damaged at line {line}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// How.
        #[source]
        source: EntryError,
    },
    /// An append failed, so how much of it is on the disk is not known; the ledger must be opened again.
    #[error("the ledger {} must be opened again: an append failed", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
}

/// What a killed writer left at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Bytes that were cut off. They were never an entry: the append had not returned.
    pub bytes: u64,
}

/// A ledger that is open for writing. The lock is had until it is dropped.
#[derive(Debug)]
pub struct LedgerFile {
    file: File,
    path: PathBuf,
    key: LedgerKey,
    tip: Tip,
    broken: bool,
}

impl LedgerFile {
    /// Opens the ledger, makes it if there is none, and reads all of it: every line must follow from the one before. A
    /// last line without an end is what a killed writer left; it is cut off and told.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn open(path: &Path, key: &LedgerKey) -> Result<(Self, Option<Torn>), LedgerError> {
        let io = |what| move |source| failed(what, path, source);
        let file = match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = OpenOptions::new()
                    .read(true)
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .open(path)
                    .map_err(io("make"))?;
                file.sync_all().map_err(io("write"))?;
                sync_folder(path).map_err(io("make"))?;
                file
            }
            Err(error) => return Err(failed("open", path, error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed("lock", path, error)),
        }
        let mut reader = Reader::new(&file, path, key);
        for entry in &mut reader {
            entry?;
        }
        let Reader { tip, good, torn, .. } = reader;
        if torn > 0 {
            file.set_len(good).map_err(io("shorten"))?;
            file.sync_all().map_err(io("write"))?;
        }
        let ledger = Self {
            file,
            path: path.to_owned(),
            key: key.clone(),
            tip,
            broken: false,
        };
        Ok((ledger, (torn > 0).then_some(Torn { bytes: torn })))
    }

    /// Where it ends.
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// Writes entries for subjects; when this returns, they are on the disk. Gives the entries' tip.
    ///
    /// # Errors
    /// The disk. The ledger must then be opened again: what is on the disk is not known.
    pub fn append(&mut self, subjects: &[SubjectMac], at: Timestamp) -> Result<Tip, LedgerError> {
        if self.broken {
            return Err(LedgerError::Broken {
                path: self.path.clone(),
            });
        }
        let mut tip = self.tip;
        let mut lines = String::new();
        for subject in subjects {
            let entry = tip.next(&self.key, *subject, at);
            tip = Tip {
                seq: entry.seq,
                link: entry.link,
            };
            lines.push_str(&entry.to_line());
        }
        if lines.is_empty() {
            return Ok(tip);
        }
        let written = self
            .file
            .write_all(lines.as_bytes())
            .and_then(|()| self.file.sync_all());
        if let Err(source) = written {
            // After a failed fsync nobody can say what is on the disk, and a second fsync may claim success.
            self.broken = true;
            return Err(failed("write", &self.path, source));
        }
        self.tip = tip;
        Ok(tip)
    }

    /// Reads entries whose number is above `after`, from the beginning, in constant memory.
    ///
    /// # Errors
    /// The disk.
    pub fn entries(&self, after: u64) -> Result<impl Iterator<Item = Result<Entry, LedgerError>>, LedgerError> {
        entries(&self.path, &self.key, after)
    }
}

/// Reads a ledger without taking its lock or cutting anything: for `status`. A torn last line is not given.
///
/// # Errors
/// The disk; damage is told by the iterator.
pub fn entries(
    path: &Path,
    key: &LedgerKey,
    after: u64,
) -> Result<impl Iterator<Item = Result<Entry, LedgerError>> + use<>, LedgerError> {
    let file = File::open(path).map_err(|error| failed("open", path, error))?;
    Ok(Reader::new(file, path, key).filter(move |entry| !matches!(entry, Ok(entry) if entry.seq <= after)))
}

/// Reads and checks line by line; ends after the first error.
struct Reader<R> {
    lines: BufReader<R>,
    path: PathBuf,
    key: LedgerKey,
    tip: Tip,
    line: u64,
    /// Bytes of whole lines so far.
    good: u64,
    /// Bytes after the last line's end.
    torn: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    fn new(file: R, path: &Path, key: &LedgerKey) -> Self {
        Self {
            lines: BufReader::new(file),
            path: path.to_owned(),
            key: key.clone(),
            tip: Tip::start(key),
            line: 0,
            good: 0,
            torn: 0,
            ended: false,
        }
    }

    fn step(&mut self) -> Result<Option<Entry>, LedgerError> {
        let mut bytes = Vec::new();
        let read = (&mut self.lines)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| failed("read", &self.path, error))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let damaged = |source| LedgerError::Damaged {
            path: self.path.clone(),
            line: self.line,
            source,
        };
        let length = bytes.len() as u64;
        if bytes.pop() != Some(b'\n') {
            // No end of line: either the file's end, or a line that is too long to be ours.
            if length == LONGEST_LINE {
                return Err(damaged(EntryError::Read("the line is too long".to_owned())));
            }
            self.torn = length;
            return Ok(None);
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| damaged(EntryError::Read(error.to_string())))?;
        let entry = Entry::parse(text).map_err(damaged)?;
        self.tip = self.tip.after(&self.key, &entry).map_err(damaged)?;
        self.good += length;
        Ok(Some(entry))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Entry, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }
}

/// A file's name is durable only when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_append_the_ledger_must_be_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let key = LedgerKey::new("0123456789abcdef").unwrap();
        let (mut ledger, _) = LedgerFile::open(&path, &key).unwrap();
        let good = std::mem::replace(&mut ledger.file, File::open(&path).unwrap());
        let before = ledger.tip();
        let at = Timestamp::UNIX_EPOCH;
        let error = ledger.append(&[key.mac("1")], at).unwrap_err();
        assert!(matches!(error, LedgerError::Io { what: "write", .. }), "{error:?}");
        assert_eq!(ledger.tip(), before);
        // Even if the disk is well again: what is on it is not known.
        ledger.file = good;
        let error = ledger.append(&[key.mac("1")], at).unwrap_err();
        assert!(matches!(error, LedgerError::Broken { .. }), "{error:?}");
        drop(ledger);
        let (mut ledger, _) = LedgerFile::open(&path, &key).unwrap();
        assert_eq!(ledger.append(&[key.mac("1")], at).unwrap().seq, 1);
    }
}
