//! Owns one row of the audit and its link in the hash chain over a run's rows. [`crate::chain`] checks chains.

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

    /// Reads 64 small hex digits; `None`: it is anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let hash = Self(bytes);
        (hash.to_hex() == text).then_some(hash)
    }
}

impl std::fmt::Display for ChainHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl Serialize for ChainHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected SHA-256 as 64 small hex digits"))
    }
}

/// SHA-256 of bytes, hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Cut to microseconds: what PostgreSQL stores, and what the chain's hash covers.
pub fn to_microseconds(at: Timestamp) -> Timestamp {
    // What was in range stays in range when it is cut towards 1970.
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = ChainHash([0xab; 32]);
        assert_eq!(ChainHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(ChainHash::from_hex(&hash.to_hex().to_uppercase()), None);
        assert_eq!(ChainHash::from_hex("ab"), None);
        assert_eq!(ChainHash::from_hex(""), None);
    }

    #[test]
    fn times_are_cut_on_both_sides_of_1970() {
        for (text, cut) in [
            ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456Z"),
            ("1969-12-31T23:59:59.999999900Z", "1970-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(to_microseconds(at).to_string(), cut);
            assert_eq!(to_microseconds(at).as_microsecond(), at.as_microsecond());
        }
    }

    #[test]
    fn the_links_of_a_format_once_written_never_change() {
        let row = AuditRow {
            run_id: "r".to_owned(),
            seq: 1,
            rule: "old".to_owned(),
            table_name: "public.t".to_owned(),
            action: "delete".to_owned(),
            rows: 2,
            cascaded: 3,
            cutoff: None,
            started_at: Timestamp::from_microsecond(1).unwrap(),
            finished_at: Timestamp::from_microsecond(2).unwrap(),
            policy_digest: "d".to_owned(),
            strategy: "keyset".to_owned(),
            position: Some("p".to_owned()),
        };
        // By hand: printf 'retention-audit-v1\0r' | sha256sum, then that and the JSON array.
        let start = ChainHash::start("r");
        let mut by_hand = start.0.to_vec();
        by_hand.extend_from_slice(br#"["r",1,"old","public.t","delete",2,3,null,1,2,"d","keyset","p"]"#);
        assert_eq!(row.link(start).to_hex(), sha256_hex(&by_hand));
        assert_eq!(start.to_hex(), sha256_hex(b"retention-audit-v1\0r"));
    }
}
