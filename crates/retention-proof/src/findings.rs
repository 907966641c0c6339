//! Owns what a verification says: findings, and the report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::chain::ChainError;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// No envelope, or no receipt in it.
    #[error("{why}")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// The file's name is not that of the receipt in it.
    #[error("the file's name should be {expected}")]
    FileName {
        /// What it should be.
        expected: String,
    },
    /// The receipt or its signature was changed.
    #[error("the signature is wrong: the receipt was changed after it was signed")]
    BadSignature,
    /// Signed by a key that was not given.
    #[error("it is signed by the key {keyid}, which is none of those given")]
    OtherKey {
        /// What the envelope says.
        keyid: String,
    },
    /// Signed by nobody.
    #[error("it is not signed")]
    Unsigned,
    /// Receipts are missing.
    #[error("receipt {expected} is missing: the next one is {found}")]
    Gap {
        /// The number that should follow.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// A number comes again, or a lower one follows.
    #[error(
        "the number {number} was there before: two histories (a restored backup?), or receipts that were repeated or swapped"
    )]
    Repeated {
        /// The number.
        number: u64,
    },
    /// It does not follow the receipt before.
    #[error("it does not follow the receipt before: previous is {found}, expected {expected}")]
    Previous {
        /// The hash of the receipt before.
        expected: String,
        /// What it says.
        found: String,
    },
    /// The run has another receipt.
    #[error("the run {run_id} has another receipt: {first}")]
    RunTwice {
        /// The run.
        run_id: String,
        /// Where the other is.
        first: String,
    },
    /// The receipt that should be the newest, or among them, is not there.
    #[error("no receipt has the expected head {expected}: receipts were cut off at the end, or changed")]
    TailCut {
        /// The head.
        expected: String,
    },
    /// No audit row.
    #[error("{why}")]
    AuditUnreadable {
        /// Why.
        why: String,
    },
    /// Audit rows of the run are missing, changed or too many.
    #[error("audit of the run {run_id}, {error}")]
    Audit {
        /// The run.
        run_id: String,
        /// The first row that is wrong, from 1.
        seq: u64,
        /// What is wrong.
        #[serde(serialize_with = "as_text")]
        error: ChainError,
    },
    /// Audit rows of a run without a receipt.
    #[error("the run {run_id} of this audit row has no receipt")]
    AuditWithoutReceipt {
        /// The run.
        run_id: String,
    },
}

fn as_text<S: serde::Serializer>(error: &ChainError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Finding {
    /// File, or file and line.
    pub at: String,
    /// What.
    pub what: What,
}

/// What the verification came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Receipts that were read.
    pub receipts: u64,
    /// The newest receipt's number.
    pub last_number: Option<u64>,
    /// SHA-256 of the newest receipt's envelope: keep it where nobody can change it.
    pub head: Option<String>,
    /// Receipts with a right signature, by key.
    pub signed: BTreeMap<String, u64>,
    /// Receipts that nobody signed.
    pub unsigned: u64,
    /// Audit rows that were read.
    pub audit_rows: u64,
    /// What is wrong, in the order in which it was found; the first [`Report::MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Findings that are not listed.
    pub more_findings: u64,
    /// What is proved. Empty when there are findings.
    pub proved: Vec<String>,
    /// What is not proved, and what would prove it.
    pub not_proved: Vec<String>,
}

impl Report {
    /// So many findings are listed; all are counted.
    pub const MOST_FINDINGS: usize = 1000;

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}
