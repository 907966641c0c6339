//! Owns the verification of receipts and audit rows, offline: what is wrong and where, what is proved, and what is not.
//! No files: see [`crate::verify_files`].

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::chain::{AuditLine, AuditSummary, ChainCheck, ChainError};
use crate::envelope::{Envelope, Signed};
pub use crate::findings::{Finding, Report, What};
use crate::keys::PublicKey;
use crate::receipt::Receipt;

/// How to verify.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whose receipts these should be; several after a key was replaced. None: signatures are not checked.
    pub keys: Vec<PublicKey>,
    /// Receipts that nobody signed are no finding.
    pub allow_unsigned: bool,
    /// SHA-256 of the newest receipt's envelope, hex, from a place that nobody could change.
    pub expect_head: Option<String>,
}

/// Verifies receipt by receipt, then audit row by audit row. Memory: one small entry a receipt.
#[derive(Debug)]
pub struct Verifier {
    options: Options,
    report: Report,
    /// Hashes of the receipts with the last number (more than one after a restored backup), and with the one before.
    last: Vec<String>,
    before: Vec<String>,
    /// A gap: what the receipt before the last was is not known.
    unknown_before: bool,
    expected_at: Option<u64>,
    unchecked_signatures: u64,
    runs: BTreeMap<String, RunAudit>,
    audit_given: bool,
    stray_run: Option<String>,
}

#[derive(Debug)]
struct RunAudit {
    at: String,
    says: AuditSummary,
    check: ChainCheck,
    failed: bool,
}

impl Verifier {
    /// Before the first receipt.
    pub const fn new(options: Options) -> Self {
        Self {
            options,
            report: Report {
                receipts: 0,
                last_number: None,
                head: None,
                signed: BTreeMap::new(),
                unsigned: 0,
                audit_rows: 0,
                findings: Vec::new(),
                more_findings: 0,
                proved: Vec::new(),
                not_proved: Vec::new(),
            },
            last: Vec::new(),
            before: Vec::new(),
            unknown_before: false,
            expected_at: None,
            unchecked_signatures: 0,
            runs: BTreeMap::new(),
            audit_given: false,
            stray_run: None,
        }
    }

    /// Notes something that the caller found, such as a file that is no receipt.
    pub fn note(&mut self, at: &str, what: What) {
        if self.report.findings.len() < Report::MOST_FINDINGS {
            self.report.findings.push(Finding {
                at: at.to_owned(),
                what,
            });
        } else {
            self.report.more_findings += 1;
        }
    }

    /// Takes the next receipt, in the order of their numbers. `at` is where it was found; `file_name`, where it has a
    /// file of its own, must be its name.
    pub fn receipt(&mut self, at: &str, text: &str, file_name: Option<&str>) {
        let unreadable = |error: &dyn std::fmt::Display| What::Unreadable { why: error.to_string() };
        let envelope = match Envelope::parse(text) {
            Ok(envelope) => envelope,
            Err(error) => return self.note(at, unreadable(&error)),
        };
        self.signature(at, &envelope);
        let receipt = match envelope.receipt() {
            Ok(receipt) => receipt,
            Err(error) => return self.note(at, unreadable(&error)),
        };
        self.report.receipts += 1;
        if file_name.is_some_and(|name| name != receipt.file_name()) {
            self.note(
                at,
                What::FileName {
                    expected: receipt.file_name(),
                },
            );
        }
        let sha256 = envelope.sha256();
        self.link(at, &receipt, &sha256);
        if self.options.expect_head.as_ref() == Some(&sha256) {
            self.expected_at = Some(receipt.number);
        }
        self.remember_run(at, receipt);
    }

    fn signature(&mut self, at: &str, envelope: &Envelope) {
        match envelope.signed(&self.options.keys) {
            Signed::By { keyid } => *self.report.signed.entry(keyid).or_default() += 1,
            Signed::Unsigned => {
                self.report.unsigned += 1;
                if !self.options.allow_unsigned {
                    self.note(at, What::Unsigned);
                }
            }
            Signed::OtherKey { .. } if self.options.keys.is_empty() => self.unchecked_signatures += 1,
            Signed::OtherKey { keyid } => self.note(at, What::OtherKey { keyid }),
            Signed::Bad => self.note(at, What::BadSignature),
        }
    }

    fn link(&mut self, at: &str, receipt: &Receipt, sha256: &str) {
        let number = receipt.number;
        let expected = self.report.last_number.map_or(1, |last| last.saturating_add(1));
        let must_follow = match number.cmp(&expected) {
            Ordering::Equal => {
                self.before = std::mem::take(&mut self.last);
                self.unknown_before = false;
                true
            }
            Ordering::Greater => {
                self.note(
                    at,
                    What::Gap {
                        expected,
                        found: number,
                    },
                );
                self.before.clear();
                self.last.clear();
                self.unknown_before = true;
                false
            }
            Ordering::Less => {
                self.note(at, What::Repeated { number });
                if number.saturating_add(1) != expected {
                    return;
                }
                !self.unknown_before
            }
        };
        if must_follow {
            let found = receipt.previous.as_deref();
            let follows = match found {
                Some(previous) => self.before.iter().any(|hash| hash == previous),
                None => number == 1,
            };
            if !follows {
                self.note(
                    at,
                    What::Previous {
                        expected: self.before.first().cloned().unwrap_or_else(|| "none".to_owned()),
                        found: found.unwrap_or("none").to_owned(),
                    },
                );
            }
        }
        self.last.push(sha256.to_owned());
        self.report.last_number = Some(number);
        self.report.head = Some(sha256.to_owned());
    }

    fn remember_run(&mut self, at: &str, receipt: Receipt) {
        if let Some(first) = self.runs.get(&receipt.run_id).map(|run| run.at.clone()) {
            let run_id = receipt.run_id;
            return self.note(at, What::RunTwice { run_id, first });
        }
        let audit = RunAudit {
            at: at.to_owned(),
            says: receipt.audit,
            check: ChainCheck::new(&receipt.run_id),
            failed: false,
        };
        self.runs.insert(receipt.run_id, audit);
    }

    /// Says that audit rows are given, even if there are none.
    pub const fn audit_is_given(&mut self) {
        self.audit_given = true;
    }

    /// Takes the next line of an audit export, after all receipts. Rows of different runs may be mixed.
    pub fn audit_line(&mut self, at: &str, line: &str) {
        self.audit_given = true;
        self.report.audit_rows += 1;
        let line = match AuditLine::parse(line) {
            Ok(line) => line,
            Err(error) => return self.note(at, What::AuditUnreadable { why: error.to_string() }),
        };
        let run_id = &line.row.run_id;
        let Some(run) = self.runs.get_mut(run_id) else {
            // Told once a run, as long as its rows are together.
            if self.stray_run.as_ref() != Some(run_id) {
                self.stray_run = Some(run_id.clone());
                self.note(at, What::AuditWithoutReceipt { run_id: run_id.clone() });
            }
            return;
        };
        if run.failed {
            return;
        }
        if let Err(error) = run.check.push(&line) {
            run.failed = true;
            self.note_audit(at, run_id, error);
        }
    }

    fn note_audit(&mut self, at: &str, run_id: &str, error: ChainError) {
        let run_id = run_id.to_owned();
        let seq = error.seq();
        self.note(at, What::Audit { run_id, seq, error });
    }

    /// After everything was given.
    pub fn finish(mut self) -> Report {
        if self.audit_given {
            let wrong: Vec<(String, String, ChainError)> = self
                .runs
                .iter()
                .filter(|(_, run)| !run.failed)
                .filter_map(|(run_id, run)| Some((run.at.clone(), run_id.clone(), run.check.finish(&run.says).err()?)))
                .collect();
            for (at, run_id, error) in wrong {
                self.note_audit(&at, &run_id, error);
            }
        }
        if let (Some(expected), None) = (self.options.expect_head.clone(), self.expected_at) {
            self.note("the end", What::TailCut { expected });
        }
        self.conclude();
        self.report
    }

    fn conclude(&mut self) {
        let report = &self.report;
        let mut proved = Vec::new();
        let mut not_proved = Vec::new();
        if report.receipts == 0 {
            not_proved.push("anything: there are no receipts".to_owned());
        }
        if let Some(last) = report.last_number {
            proved.push(format!(
                "receipts 1 to {last} are all there, in order, and each follows from the one before"
            ));
            match self.expected_at {
                Some(at) if at == last => proved.push(format!("receipt {last} is the expected head: no receipt was cut off at the end")),
                Some(at) => not_proved.push(format!(
                    "that no receipt after {last} was cut off: the expected head is receipt {at}, and newer ones are here; give the newest head with --expect-head"
                )),
                None => not_proved.push(format!(
                    "that no receipt after {last} was cut off: that cannot be seen without the newest head from another place; give it with --expect-head"
                )),
            }
        }
        let signed: u64 = report.signed.values().sum();
        if signed > 0 {
            let keys: BTreeSet<&str> = report.signed.keys().map(String::as_str).collect();
            proved.push(format!(
                "{signed} receipts were written by who holds the private key of {}",
                keys.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
        if report.unsigned > 0 {
            not_proved.push(format!(
                "who wrote the {} receipts that are not signed; anybody can make such a chain",
                report.unsigned
            ));
        }
        if self.unchecked_signatures > 0 {
            not_proved.push(format!(
                "who wrote the {} signed receipts: no public key was given (--key)",
                self.unchecked_signatures
            ));
        }
        let counted: u64 = self.runs.values().map(|run| run.says.rows).sum();
        if self.audit_given {
            proved.push(format!(
                "all {} audit rows are those that the receipts name: none was changed, dropped, added or moved",
                report.audit_rows
            ));
        } else if counted > 0 {
            not_proved.push(format!(
                "the {counted} audit rows that the receipts name: no export of them was given (--audit)"
            ));
        }
        not_proved
            .push("that the rows were in fact removed: the receipts say what the program did and counted".to_owned());
        if !report.findings.is_empty() {
            proved.clear();
        }
        self.report.proved = proved;
        self.report.not_proved = not_proved;
    }
}
