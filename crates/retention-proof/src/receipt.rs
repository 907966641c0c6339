//! Owns what a run says it did.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chain::AuditSummary;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything due is gone: residue 0 everywhere.
    Complete,
    /// A budget was used up, or the run was told to stop: the next goes on.
    Partial,
    /// Rows that are due are left, because a foreign key, a trigger or a constraint stands against it.
    Residue,
    /// It was killed or lost the database; written by the next run, from the audit rows that it left.
    Interrupted,
}

/// What one rule did to one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleResult {
    /// The rule.
    pub rule: String,
    /// Schema and name, of the table that the rule names.
    pub table: String,
    /// `delete`, `anonymise`, `detach-partition`.
    pub action: String,
    /// How: `keyset`, `tid-range`, `hot-passes`, `limited`, `drop-partition`, `detach-partition`; several if partitions differ.
    pub strategies: Vec<String>,
    /// Rows before this were due.
    pub cutoff: Option<Timestamp>,
    /// Rows that were due when the run began.
    pub due: u64,
    /// Rows that are gone, anonymised or detached.
    pub rows: u64,
    /// Rows of other tables that went along by foreign keys.
    pub cascaded: u64,
    /// Due, but under a hold when the sweep ended.
    pub held: u64,
    /// Due, but others refer to them.
    pub blocked: u64,
    /// Without a value in the age column: never due.
    pub undated: u64,
    /// Due, neither held nor blocked, and still there. `None`: not verified (budget used up).
    pub residue: Option<u64>,
    /// Transactions that changed rows.
    pub batches: u64,
    /// Milliseconds.
    pub duration_ms: u64,
}

/// What the run was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptKind {
    /// The policy.
    Run,
    /// Erasure requests.
    Erase,
}

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// `retention-job`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The database. Copies of it (a restored backup, a promoted standby) have the same identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// `system_identifier` of the cluster, as text: it does not fit into a JSON number of every reader.
    pub system_identifier: String,
    /// Its OID.
    pub oid: u32,
    /// `server_version`.
    pub server_version: String,
}

/// The policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// SHA-256, hex.
    pub digest: String,
    /// Where it came from: `built-in`, a file's name, a pack's digest.
    pub source: String,
    /// Its revision, if it has one.
    pub revision: Option<u64>,
}

/// What became of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectOutcome {
    /// Erased, and a count found nothing left.
    Completed,
    /// Under a hold: not touched.
    Held,
    /// Something is left: the next run goes on.
    Left,
}

/// One subject, known only by its MAC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// HMAC-SHA-256 of its key, hex.
    pub mac: String,
    /// What became of it.
    pub outcome: SubjectOutcome,
}

/// Erasure requests of the run. Never a subject's key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasures {
    /// Subjects that were asked for.
    pub asked: u64,
    /// See [`SubjectOutcome::Completed`].
    pub completed: u64,
    /// See [`SubjectOutcome::Held`].
    pub held: u64,
    /// See [`SubjectOutcome::Left`].
    pub left: u64,
    /// The first of them by MAC (see [`Self::MOST_SUBJECTS`]); none where there is no key for MACs.
    pub subjects: Vec<Subject>,
}

impl Erasures {
    /// So many subjects are named; all are counted.
    pub const MOST_SUBJECTS: usize = 1000;

    /// Adds a subject.
    pub fn add(&mut self, mac: Option<&str>, outcome: SubjectOutcome) {
        self.asked += 1;
        match outcome {
            SubjectOutcome::Completed => self.completed += 1,
            SubjectOutcome::Held => self.held += 1,
            SubjectOutcome::Left => self.left += 1,
        }
        if let Some(mac) = mac
            && self.subjects.len() < Self::MOST_SUBJECTS
        {
            self.subjects.push(Subject {
                mac: mac.to_owned(),
                outcome,
            });
        }
    }
}

/// Something that the policy says and that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unapplied {
    /// What: `legal_hold_labels`.
    pub what: String,
    /// Why: no rule has a labels_column.
    pub why: String,
}

/// What a run says it did. Signed as it is serialised (see [`crate::envelope`]). There is no personal data in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`Receipt::FORMAT`].
    pub format: u32,
    /// 1, 2, 3 and so on in the database's chain of receipts.
    pub number: u64,
    /// SHA-256 of the envelope before (its bytes), hex; `None`: this is the first.
    pub previous: Option<String>,
    /// The run.
    pub run_id: String,
    /// What it was for.
    pub kind: ReceiptKind,
    /// The program.
    pub tool: Tool,
    /// The database.
    pub database: Database,
    /// The policy.
    pub policy: PolicyRef,
    /// The moment from which ages were counted.
    pub as_of: Timestamp,
    /// By the database's clock.
    pub started_at: Timestamp,
    /// By the database's clock.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Per rule.
    pub rules: Vec<RuleResult>,
    /// Erasure requests.
    pub erasures: Erasures,
    /// The run's audit rows.
    pub audit: AuditSummary,
    /// What could not be applied.
    pub unapplied: Vec<Unapplied>,
    /// What still holds the old values: see [`crate::remains`].
    pub remains: Vec<String>,
}

impl Receipt {
    /// The version of the receipt's format.
    pub const FORMAT: u32 = 1;

    /// `<number>-<run_id>.json`: the file that keeps its envelope.
    pub fn file_name(&self) -> String {
        file_name(self.number, &self.run_id)
    }
}

/// `<number>-<run_id>.json`. Digits first, so that folders can be read by number; the run's id keeps receipts apart that
/// two histories of a restored database gave the same number.
pub fn file_name(number: u64, run_id: &str) -> String {
    format!("{number}-{run_id}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_subjects_are_counted_and_the_first_are_named() {
        let mut erasures = Erasures::default();
        for _ in 0..Erasures::MOST_SUBJECTS + 5 {
            erasures.add(Some("aa"), SubjectOutcome::Completed);
        }
        erasures.add(None, SubjectOutcome::Held);
        erasures.add(Some("bb"), SubjectOutcome::Left);
        assert_eq!((erasures.asked, erasures.completed), (1007, 1005));
        assert_eq!((erasures.held, erasures.left), (1, 1));
        assert_eq!(erasures.subjects.len(), Erasures::MOST_SUBJECTS);
    }
}
