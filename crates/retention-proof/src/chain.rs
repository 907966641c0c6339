//! Owns how a run's audit rows travel as JSON lines, and how their chain is checked against the receipt: the first
//! wrong row is named.

use serde::{Deserialize, Serialize};

use crate::audit::{AuditRow, ChainHash, to_microseconds};

/// A row with its link, as it is exported: one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLine {
    /// The row.
    pub row: AuditRow,
    /// The chain's hash after it.
    pub link: ChainHash,
}

/// A line that is no audit row.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is no JSON of the expected shape.
    #[error("this is no line of an audit export: {0}")]
    Read(String),
    /// It says the same in other bytes than an export writes: somebody touched it.
    #[error("this line was changed after it was exported: it is not written the way an export writes it")]
    NotAsWritten,
}

impl AuditLine {
    /// The line, with its end.
    pub fn to_line(&self) -> String {
        let row = &self.row;
        let stored = Self {
            row: AuditRow {
                cutoff: row.cutoff.map(to_microseconds),
                started_at: to_microseconds(row.started_at),
                finished_at: to_microseconds(row.finished_at),
                ..row.clone()
            },
            link: self.link,
        };
        // Strings, numbers and times only: there is nothing in it that JSON cannot say.
        let mut line = serde_json::to_string(&stored).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Reads a line (without its end). Only the one spelling that [`Self::to_line`] writes is accepted, so that no byte
    /// can change unseen.
    ///
    /// # Errors
    /// It is no such line.
    pub fn parse(line: &str) -> Result<Self, LineError> {
        let read: Self = serde_json::from_str(line).map_err(|error| LineError::Read(error.to_string()))?;
        match read.to_line().strip_suffix('\n') {
            Some(written) if written == line => Ok(read),
            _ => Err(LineError::NotAsWritten),
        }
    }
}

/// What a receipt says of the audit rows of its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSummary {
    /// How many rows.
    pub rows: u64,
    /// The first row's number: 1, or none if there are no rows.
    pub first_seq: Option<u64>,
    /// The last row's number.
    pub last_seq: Option<u64>,
    /// The chain's hash after the last row; with no rows, the chain's start.
    pub head: ChainHash,
}

impl AuditSummary {
    /// Of a run that changed nothing.
    pub fn empty(run_id: &str) -> Self {
        Self {
            rows: 0,
            first_seq: None,
            last_seq: None,
            head: ChainHash::start(run_id),
        }
    }
}

/// What is wrong with a chain. Display names the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row of another run.
    #[error("row {seq}: it is of the run {found}, not of {expected}")]
    OtherRun {
        /// Where.
        seq: u64,
        /// The run that is checked.
        expected: String,
        /// The row's run.
        found: String,
    },
    /// A row is missing, comes twice, or has changed places.
    #[error("row {expected}: the next row is {found}; rows were dropped, repeated or swapped")]
    Order {
        /// The number that should follow.
        expected: u64,
        /// The number that does.
        found: u64,
    },
    /// A field of the row, or its link, is not as it was written.
    #[error("row {seq}: it was changed, its link does not follow from it")]
    Changed {
        /// Where.
        seq: u64,
    },
    /// Rows at the end are missing.
    #[error("row {missing}: the rows from here on are missing; the receipt counts {expected}")]
    Cut {
        /// The first that is missing.
        missing: u64,
        /// How many the receipt counts.
        expected: u64,
    },
    /// Rows that the receipt does not count.
    #[error("row {seq}: the receipt counts only {expected} rows")]
    Extra {
        /// The first that is too much.
        seq: u64,
        /// How many the receipt counts.
        expected: u64,
    },
    /// All links follow from each other, but not to the receipt's head: rows were changed and the chain computed anew.
    #[error("row {last}: the chain ends with {found}, the receipt says {expected}; it was written anew")]
    Head {
        /// The last row.
        last: u64,
        /// The receipt's.
        expected: ChainHash,
        /// The chain's.
        found: ChainHash,
    },
}

impl ChainError {
    /// The first row that is wrong, from 1.
    pub const fn seq(&self) -> u64 {
        match self {
            Self::OtherRun { seq, .. } | Self::Changed { seq } | Self::Extra { seq, .. } => *seq,
            Self::Order { expected, .. } => *expected,
            Self::Cut { missing, .. } => *missing,
            Self::Head { last, .. } => *last,
        }
    }
}

/// Checks the chain of one run, row by row, in constant memory.
#[derive(Debug, Clone)]
pub struct ChainCheck {
    run_id: String,
    rows: u64,
    head: ChainHash,
}

impl ChainCheck {
    /// Before the first row.
    pub fn new(run_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            rows: 0,
            head: ChainHash::start(run_id),
        }
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// It does not follow.
    pub fn push(&mut self, line: &AuditLine) -> Result<(), ChainError> {
        let expected = self.rows.saturating_add(1);
        let AuditLine { row, link } = line;
        if row.run_id != self.run_id {
            return Err(ChainError::OtherRun {
                seq: expected,
                expected: self.run_id.clone(),
                found: row.run_id.clone(),
            });
        }
        if row.seq != expected {
            return Err(ChainError::Order {
                expected,
                found: row.seq,
            });
        }
        let follows = row.link(self.head);
        if follows != *link {
            return Err(ChainError::Changed { seq: row.seq });
        }
        self.rows = expected;
        self.head = follows;
        Ok(())
    }

    /// What the rows so far come to.
    pub fn summary(&self) -> AuditSummary {
        AuditSummary {
            rows: self.rows,
            first_seq: (self.rows > 0).then_some(1),
            last_seq: (self.rows > 0).then_some(self.rows),
            head: self.head,
        }
    }

    /// After the last row: whether this is what the receipt says.
    ///
    /// # Errors
    /// Rows are missing or too many, or the whole chain was written anew.
    pub fn finish(&self, receipt: &AuditSummary) -> Result<(), ChainError> {
        if self.rows < receipt.rows {
            return Err(ChainError::Cut {
                missing: self.rows + 1,
                expected: receipt.rows,
            });
        }
        if self.rows > receipt.rows {
            return Err(ChainError::Extra {
                seq: receipt.rows + 1,
                expected: receipt.rows,
            });
        }
        if self.head != receipt.head {
            return Err(ChainError::Head {
                last: self.rows,
                expected: receipt.head,
                found: self.head,
            });
        }
        Ok(())
    }
}

/// Checks all rows of one run against its receipt.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_chain<'a>(
    run_id: &str,
    lines: impl IntoIterator<Item = &'a AuditLine>,
    receipt: &AuditSummary,
) -> Result<(), ChainError> {
    let mut check = ChainCheck::new(run_id);
    for line in lines {
        check.push(line)?;
    }
    check.finish(receipt)
}
