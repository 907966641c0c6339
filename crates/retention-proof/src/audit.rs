//! Owns one row of the audit and the hash chain over a run's rows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One batch: what was done to how many rows of which table, in the transaction that did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRow {
    /// The run.
    pub run_id: String,
    /// 1, 2, 3 and so on within the run, without a gap.
    pub seq: u64,
    /// The rule's name.
    pub rule: String,
    /// Schema and name of the table (of the partition where there are some).
    pub table_name: String,
    /// `delete`, `anonymise`, `detach-partition`, `drop-partition`, `complete-erasure`.
    pub action: String,
    /// Rows of the table.
    pub rows: u64,
    /// Rows of other tables that foreign keys deleted or changed along.
    pub cascaded: u64,
    /// Rows before this were due; `None`: whatever their age.
    pub cutoff: Option<Timestamp>,
    /// By the database's clock.
    pub started_at: Timestamp,
    /// By the database's clock.
    pub finished_at: Timestamp,
    /// SHA-256 of the policy, hex.
    pub policy_digest: String,
    /// How the rows were found: `tid-range`, `keyset`, ...
    pub strategy: String,
    /// How far the sweep has come; the next run goes on there. Never a value of a row.
    pub position: Option<String>,
}

/// A link of the chain: SHA-256, shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// Before the first row: SHA-256 of `retention-audit-v1` and the run's id, so that rows cannot change runs.
    pub fn start(run_id: &str) -> Self {
        Self(
            Sha256::new()
                .chain_update(b"retention-audit-v1\0")
                .chain_update(run_id.as_bytes())
                .finalize()
                .into(),
        )
    }

    /// 64 hex digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl AuditRow {
    /// The link after this row: SHA-256(link before || the row's fields as a JSON array, times in microseconds since 1970).
    pub fn link(&self, before: ChainHash) -> ChainHash {
        let fields = serde_json::json!([
            self.run_id,
            self.seq,
            self.rule,
            self.table_name,
            self.action,
            self.rows,
            self.cascaded,
            self.cutoff.map(Timestamp::as_microsecond),
            self.started_at.as_microsecond(),
            self.finished_at.as_microsecond(),
            self.policy_digest,
            self.strategy,
            self.position,
        ]);
        ChainHash(
            Sha256::new()
                .chain_update(before.0)
                .chain_update(fields.to_string().as_bytes())
                .finalize()
                .into(),
        )
    }
}
