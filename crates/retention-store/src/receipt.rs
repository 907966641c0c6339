//! Owns how receipts are kept: numbered 1, 2, 3 and so on, each naming the hash of the one before.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};

/// The newest receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastReceipt {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its envelope's bytes, hex.
    pub sha256: String,
}

/// A receipt as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// Its number.
    pub number: u64,
    /// The run that it is of.
    pub run_id: String,
    /// SHA-256 of the envelope's bytes, hex.
    pub sha256: String,
    /// The envelope.
    pub envelope: String,
    /// By the database's clock.
    pub created_at: Timestamp,
}

/// The newest receipt; `None`: there is none yet.
///
/// # Errors
/// The database cannot be asked.
pub async fn last(session: &Session) -> Result<Option<LastReceipt>, DbError> {
    session
        .maybe(&Sql::text(
            "SELECT number, sha256 FROM retention.receipt ORDER BY number DESC LIMIT 1",
        ))
        .await?
        .map(|row| {
            Ok(LastReceipt {
                number: crate::unsigned(row.try_get(0)?)?,
                sha256: row.try_get(1)?,
            })
        })
        .transpose()
}

/// Keeps an envelope, inside the transaction that [`crate::run::closing`] began: `number` is the last one's plus one.
/// Gives the envelope's SHA-256, hex.
///
/// # Errors
/// The number is taken or leaves a gap, the run has a receipt already, or the database.
pub async fn append(session: &Session, number: u64, run_id: &str, envelope: &str) -> Result<String, DbError> {
    let sha256 = retention_proof::sha256_hex(envelope.as_bytes());
    let added = session
        .execute(
            &Sql::text("INSERT INTO retention.receipt (number, run_id, sha256, envelope) SELECT ")
                .param(number.to_string(), "bigint")
                .raw(", ")
                .param(run_id, "text")
                .raw(", ")
                .param(sha256.as_str(), "text")
                .raw(", ")
                .param(envelope, "text")
                .raw(" WHERE coalesce((SELECT pg_catalog.max(p.number) FROM retention.receipt AS p), 0) + 1 = ")
                .param(number.to_string(), "bigint"),
        )
        .await?;
    if added == 0 {
        return Err(crate::odd(format!("receipt {number} is not the next one")));
    }
    Ok(sha256)
}

/// At most `limit` receipts with a number above `after`, in order.
///
/// # Errors
/// The database cannot be asked.
pub async fn page(session: &Session, after: u64, limit: u32) -> Result<Vec<StoredReceipt>, DbError> {
    read(
        session,
        &Sql::text("p.number > ")
            .param(after.to_string(), "bigint")
            .raw(format!(" ORDER BY p.number LIMIT {limit}")),
    )
    .await
}

/// The receipt of a run, if it has one.
///
/// # Errors
/// The database cannot be asked.
pub async fn of_run(session: &Session, run_id: &str) -> Result<Option<StoredReceipt>, DbError> {
    Ok(read(session, &Sql::text("p.run_id = ").param(run_id, "text"))
        .await?
        .pop())
}

async fn read(session: &Session, which: &Sql) -> Result<Vec<StoredReceipt>, DbError> {
    session
        .query(
            &Sql::text(
                "SELECT p.number, p.run_id, p.sha256, p.envelope, p.created_at FROM retention.receipt AS p WHERE ",
            )
            .append(which),
        )
        .await?
        .iter()
        .map(|row| {
            Ok(StoredReceipt {
                number: crate::unsigned(row.try_get(0)?)?,
                run_id: row.try_get(1)?,
                sha256: row.try_get(2)?,
                envelope: row.try_get(3)?,
                created_at: row.try_get(4)?,
            })
        })
        .collect()
}
