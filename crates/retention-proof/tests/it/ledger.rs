//! The ledger of erased subjects: killed writers, damage, locks.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use retention_proof::ledger_file::{LedgerError, LedgerFile, Torn, entries};
use retention_proof::{EntryError, LedgerKey, SubjectMac};

use crate::support::at;

struct Ledger {
    _folder: tempfile::TempDir,
    path: PathBuf,
    key: LedgerKey,
}

/// Line ends.
fn ends(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

fn now() -> Timestamp {
    at("2026-01-02T03:04:05.123456789Z")
}

impl Ledger {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("ledger.jsonl"),
            _folder: folder,
            key: LedgerKey::new("0123456789abcdef").unwrap(),
        }
    }

    /// With one entry for each subject.
    fn with(subjects: &[&str]) -> Self {
        let ledger = Self::new();
        let (mut file, torn) = LedgerFile::open(&ledger.path, &ledger.key).unwrap();
        assert_eq!(torn, None);
        for subject in subjects {
            file.append(&[ledger.key.mac(subject)], now()).unwrap();
        }
        ledger
    }

    fn open(&self) -> Result<(LedgerFile, Option<Torn>), LedgerError> {
        LedgerFile::open(&self.path, &self.key)
    }

    fn subjects(&self) -> Vec<SubjectMac> {
        entries(&self.path, &self.key, 0)
            .unwrap()
            .map(|entry| entry.unwrap().subject)
            .collect()
    }
}

#[test]
fn entries_are_there_when_append_returns_and_hold_no_subject() {
    let ledger = Ledger::with(&["user-1", "user-2"]);
    let text = fs::read_to_string(&ledger.path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains("user"));
    let (mut file, _) = ledger.open().unwrap();
    assert_eq!(file.tip().seq, 2);
    let many: Vec<SubjectMac> = (3..=10)
        .map(|number| ledger.key.mac(&format!("user-{number}")))
        .collect();
    assert_eq!(file.append(&many, now()).unwrap().seq, 10);
    assert_eq!(file.append(&[], now()).unwrap(), file.tip());
    let later: Vec<u64> = file.entries(8).unwrap().map(|entry| entry.unwrap().seq).collect();
    assert_eq!(later, [9, 10]);
    drop(file);
    let expected: Vec<SubjectMac> = (1..=10)
        .map(|number| ledger.key.mac(&format!("user-{number}")))
        .collect();
    assert_eq!(ledger.subjects(), expected);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&ledger.path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_writer_killed_at_any_byte_leaves_whole_entries_and_is_told() {
    let ledger = Ledger::with(&["1", "2", "3"]);
    let whole = fs::read(&ledger.path).unwrap();
    for length in 0..=whole.len() {
        fs::write(&ledger.path, &whole[..length]).unwrap();
        let kept = ends(&whole[..length]);
        let good = whole[..length]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        // A reader does not take it for an entry, and changes nothing.
        assert_eq!(ledger.subjects().len(), kept);
        assert_eq!(fs::metadata(&ledger.path).unwrap().len(), length as u64);
        let (mut file, torn) = ledger.open().unwrap();
        let bytes = (length - good) as u64;
        assert_eq!(torn, (bytes > 0).then_some(Torn { bytes }), "cut to {length}");
        assert_eq!(file.tip().seq, kept as u64);
        file.append(&[ledger.key.mac("next")], now()).unwrap();
        drop(file);
        assert_eq!(ledger.subjects().len(), kept + 1);
        assert_eq!(ledger.open().unwrap().1, None);
    }
}

#[test]
fn every_flipped_bit_is_damage_that_names_the_line() {
    let ledger = Ledger::with(&["1", "2", "3"]);
    let whole = fs::read(&ledger.path).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&ledger.path, &bytes).unwrap();
            let line = 1 + ends(&whole[..at]) as u64;
            match ledger.open() {
                Err(LedgerError::Damaged { line: found, .. }) => assert_eq!(found, line, "byte {at} bit {bit}"),
                // The end of the last line is gone: that is what a killed writer leaves, and it is told. That an entry is
                // missing is seen by the database, which knows how far it came.
                Ok((file, Some(_))) if at == whole.len() - 1 => assert_eq!(file.tip().seq, 2),
                other => panic!("byte {at} bit {bit}: {other:?}"),
            }
        }
    }
}

#[test]
fn dropped_swapped_repeated_entries_and_another_key_are_damage() {
    let ledger = Ledger::with(&["1", "2", "3"]);
    let text = fs::read_to_string(&ledger.path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (order, line) in [
        (vec![0, 2], 2),
        (vec![1, 2], 1),
        (vec![1, 0, 2], 1),
        (vec![0, 2, 1], 2),
        (vec![0, 0, 1, 2], 2),
        (vec![0, 1, 2, 2], 4),
    ] {
        let changed: String = order.iter().flat_map(|at| [lines[*at], "\n"]).collect();
        fs::write(&ledger.path, &changed).unwrap();
        match ledger.open() {
            Err(LedgerError::Damaged { line: found, .. }) => assert_eq!(found, line, "{order:?}"),
            other => panic!("{order:?}: {other:?}"),
        }
        assert_eq!(
            fs::read_to_string(&ledger.path).unwrap(),
            changed,
            "nothing was repaired by guessing"
        );
    }
    fs::write(&ledger.path, &text).unwrap();
    let other = LedgerKey::new("another key of the ledger").unwrap();
    let error = LedgerFile::open(&ledger.path, &other).unwrap_err();
    assert!(
        matches!(
            &error,
            LedgerError::Damaged {
                line: 1,
                source: EntryError::Link,
                ..
            }
        ),
        "{error:?}"
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("RETENTION_LEDGER_KEY"), "{source}");
}

#[test]
fn one_process_writes_and_a_path_that_is_no_ledger_is_told() {
    let ledger = Ledger::with(&["1"]);
    let (first, _) = ledger.open().unwrap();
    assert!(matches!(ledger.open(), Err(LedgerError::InUse { .. })));
    assert_eq!(ledger.subjects().len(), 1, "reading needs no lock");
    drop(first);
    ledger.open().unwrap();

    let folder = ledger.path.parent().unwrap();
    let error = LedgerFile::open(folder, &ledger.key).unwrap_err();
    assert!(matches!(&error, LedgerError::Io { what: "open", .. }), "{error:?}");
    let error = LedgerFile::open(&folder.join("no/such/folder"), &ledger.key).unwrap_err();
    assert!(error.to_string().contains("no/such/folder"), "{error}");
    // Endless bytes without a line end.
    let error = LedgerFile::open(std::path::Path::new("/dev/zero"), &ledger.key).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { line: 1, .. }), "{error:?}");
}
