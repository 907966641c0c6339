//! Owns the notes of partitions on their way out. `DETACH CONCURRENTLY` cannot be part of a transaction, so a note is
//! written before it and taken away after: whoever comes later can finish what was begun.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};

use crate::audit::sql_time;

/// A partition on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detaching {
    /// The partition.
    pub partition_oid: u32,
    /// Its schema then.
    pub partition_schema: String,
    /// Its name then.
    pub partition_name: String,
    /// The table that it is a partition of.
    pub parent_oid: u32,
    /// The rule.
    pub rule: String,
    /// Whether it is dropped once it is detached.
    pub drop_it: bool,
    /// All its rows are before this.
    pub upper_bound: Timestamp,
    /// The run that began it.
    pub run_id: String,
}

/// Writes a note, in the caller's transaction if there is one. A note of the same partition is replaced.
///
/// # Errors
/// The database.
pub async fn note(session: &Session, detaching: &Detaching) -> Result<(), DbError> {
    done(session, detaching.partition_oid).await?;
    session
        .execute(
            &Sql::text(
                "INSERT INTO retention.detaching (partition_oid, partition_schema, partition_name, parent_oid, rule, \
                 drop_it, upper_bound, run_id) VALUES (",
            )
            .param(detaching.partition_oid.to_string(), "bigint")
            .raw(", ")
            .param(detaching.partition_schema.as_str(), "text")
            .raw(", ")
            .param(detaching.partition_name.as_str(), "text")
            .raw(", ")
            .param(detaching.parent_oid.to_string(), "bigint")
            .raw(", ")
            .param(detaching.rule.as_str(), "text")
            .raw(", ")
            .param(detaching.drop_it.to_string(), "boolean")
            .raw(", ")
            .param(sql_time(detaching.upper_bound), "timestamptz")
            .raw(", ")
            .param(detaching.run_id.as_str(), "text")
            .raw(")"),
        )
        .await?;
    Ok(())
}

/// All notes, oldest first.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(session: &Session) -> Result<Vec<Detaching>, DbError> {
    session
        .query(&Sql::text(
            "SELECT d.partition_oid, d.partition_schema, d.partition_name, d.parent_oid, d.rule, d.drop_it, \
             d.upper_bound, d.run_id FROM retention.detaching AS d ORDER BY d.noted_at, d.partition_oid",
        ))
        .await?
        .iter()
        .map(|row| {
            Ok(Detaching {
                partition_oid: oid(row.try_get(0)?)?,
                partition_schema: row.try_get(1)?,
                partition_name: row.try_get(2)?,
                parent_oid: oid(row.try_get(3)?)?,
                rule: row.try_get(4)?,
                drop_it: row.try_get(5)?,
                upper_bound: row.try_get(6)?,
                run_id: row.try_get(7)?,
            })
        })
        .collect()
}

/// Takes a note away, in the caller's transaction if there is one.
///
/// # Errors
/// The database.
pub async fn done(session: &Session, partition_oid: u32) -> Result<(), DbError> {
    session
        .execute(
            &Sql::text("DELETE FROM retention.detaching WHERE partition_oid = ")
                .param(partition_oid.to_string(), "bigint"),
        )
        .await?;
    Ok(())
}

fn oid(number: i64) -> Result<u32, DbError> {
    u32::try_from(number).map_err(|_| crate::odd(format!("retention.detaching has the impossible OID {number}")))
}
