//! Owns how receipts and audit rows are found in files: a folder of `<number>-<run_id>.json` with `audit.jsonl` beside
//! them, or a file of JSON lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::verify::{Options, Report, Verifier, What};

/// The audit's export in a folder of receipts.
pub const AUDIT_FILE: &str = "audit.jsonl";
/// No receipt is longer: a wrong path must not fill the memory.
const LONGEST_RECEIPT: u64 = 16 * 1024 * 1024;
/// No audit row is longer.
const LONGEST_ROW: u64 = 256 * 1024;

/// A file that cannot be read, which says nothing about receipts.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct ReadError {
    /// The file or folder.
    pub path: PathBuf,
    /// What happened.
    #[source]
    pub source: io::Error,
}

/// Verifies a folder of receipts, or a file with one envelope a line. `audit`: exported rows; by default
/// [`AUDIT_FILE`] in the folder, if it is there.
///
/// # Errors
/// Something cannot be read; what is wrong with receipts is in the report.
pub fn verify_path(path: &Path, audit: Option<&Path>, options: Options) -> Result<Report, ReadError> {
    let mut verifier = Verifier::new(options);
    let mut audit = audit.map(Path::to_owned);
    if fs::metadata(path).map_err(|source| failed(path, source))?.is_dir() {
        folder(&mut verifier, path)?;
        let beside = path.join(AUDIT_FILE);
        if audit.is_none() && beside.try_exists().map_err(|source| failed(&beside, source))? {
            audit = Some(beside);
        }
    } else {
        lines(path, LONGEST_RECEIPT, |at, line| match line {
            Ok(line) => verifier.receipt(at, line, None),
            Err(why) => verifier.note(at, What::Unreadable { why }),
        })?;
    }
    if let Some(audit) = audit {
        verifier.audit_is_given();
        lines(&audit, LONGEST_ROW, |at, line| match line {
            Ok(line) => verifier.audit_line(at, line),
            Err(why) => verifier.note(at, What::AuditUnreadable { why }),
        })?;
    }
    Ok(verifier.finish())
}

fn folder(verifier: &mut Verifier, path: &Path) -> Result<(), ReadError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|source| failed(path, source))? {
        let name = entry.map_err(|source| failed(path, source))?.file_name();
        let name = name.to_string_lossy().into_owned();
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.push((number_of(&name), name));
        }
    }
    // By number; those without one last, and by name where two histories have the same number.
    found.sort_by_key(|(number, name)| (number.unwrap_or(u64::MAX), name.clone()));
    for (number, name) in found {
        if number.is_none() {
            verifier.note(
                &name,
                What::Unreadable {
                    why: "the name is not that of a receipt, <number>-<run id>.json".to_owned(),
                },
            );
            continue;
        }
        let at = path.join(&name);
        match whole(&at)? {
            Ok(text) => verifier.receipt(&name, &text, Some(&name)),
            Err(why) => verifier.note(&name, What::Unreadable { why }),
        }
    }
    Ok(())
}

/// The number of `<number>-<run_id>.json`.
fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".json")?.split_once('-')?.0.parse().ok()
}

fn whole(path: &Path) -> Result<Result<String, String>, ReadError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_RECEIPT + 1).read_to_end(&mut bytes))
        .map_err(|source| failed(path, source))?;
    if bytes.len() as u64 > LONGEST_RECEIPT {
        return Ok(Err("the file is too long to be a receipt".to_owned()));
    }
    Ok(String::from_utf8(bytes).map_err(|error| error.to_string()))
}

/// Calls `each` with every line, without its end, and where it is. A line that is too long ends the file.
fn lines(path: &Path, longest: u64, mut each: impl FnMut(&str, Result<&str, String>)) -> Result<(), ReadError> {
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut reader = BufReader::new(File::open(path).map_err(|source| failed(path, source))?);
    let mut bytes = Vec::new();
    for number in 1_u64.. {
        bytes.clear();
        let read = (&mut reader)
            .take(longest + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|source| failed(path, source))?;
        if read == 0 {
            break;
        }
        let at = format!("{name} line {number}");
        let too_long = read as u64 > longest;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if too_long {
            each(&at, Err("the line is too long".to_owned()));
            break;
        }
        each(&at, std::str::from_utf8(&bytes).map_err(|error| error.to_string()));
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> ReadError {
    ReadError {
        path: path.to_owned(),
        source,
    }
}
