//! Owns what a run says it did.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// What a run says it did. Signed as it is serialised (see `envelope`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The run.
    pub run_id: String,
    /// Per rule.
    pub rules: Vec<RuleResult>,
    /// How it ended.
    pub outcome: Outcome,
}
