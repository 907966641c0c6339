//! Owns what one run tells the next: the last cutoff of each rule, and how far a sweep came.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};

use crate::audit::sql_time;

/// The cutoff that a rule was last applied with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LastCutoff {
    /// The rule.
    pub rule: String,
    /// Its table then.
    pub table_name: String,
    /// The cutoff.
    pub cutoff: Timestamp,
    /// The moment from which the age was counted.
    pub as_of: Timestamp,
}

/// Where the sweep of a leaf stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The rule.
    pub rule: String,
    /// Schema and name of the leaf, as its audit rows say.
    pub table_name: String,
    /// How it was swept: a position is of no use to another strategy.
    pub strategy: String,
    /// As the engine wrote it.
    pub position: String,
}

/// The last cutoffs of all rules.
///
/// # Errors
/// The database cannot be asked.
pub async fn cutoffs(session: &Session) -> Result<Vec<LastCutoff>, DbError> {
    session
        .query(&Sql::text(
            "SELECT rule, table_name, cutoff, as_of FROM retention.cutoff ORDER BY rule",
        ))
        .await?
        .iter()
        .map(|row| {
            Ok(LastCutoff {
                rule: row.try_get(0)?,
                table_name: row.try_get(1)?,
                cutoff: row.try_get(2)?,
                as_of: row.try_get(3)?,
            })
        })
        .collect()
}

/// Remembers a cutoff, in the caller's transaction if there is one. A cutoff that lies before the stored one replaces it
/// too: a longer term is the new measure.
///
/// # Errors
/// The database.
pub async fn set_cutoff(session: &Session, run_id: &str, last: &LastCutoff) -> Result<(), DbError> {
    session
        .execute(
            &Sql::text("INSERT INTO retention.cutoff AS c (rule, table_name, cutoff, as_of, run_id) VALUES (")
                .param(last.rule.as_str(), "text")
                .raw(", ")
                .param(last.table_name.as_str(), "text")
                .raw(", ")
                .param(sql_time(last.cutoff), "timestamptz")
                .raw(", ")
                .param(sql_time(last.as_of), "timestamptz")
                .raw(", ")
                .param(run_id, "text")
                .raw(
                    ") ON CONFLICT (rule) DO UPDATE SET table_name = excluded.table_name, cutoff = excluded.cutoff, \
                     as_of = excluded.as_of, run_id = excluded.run_id",
                ),
        )
        .await?;
    Ok(())
}

/// Where sweeps stopped in the runs since the last that came to its end: per rule and leaf, from the newest audit row.
///
/// # Errors
/// The database cannot be asked.
pub async fn resume(session: &Session) -> Result<Vec<Resume>, DbError> {
    session
        .query(&Sql::text(
            "SELECT d.rule, d.table_name, d.strategy, d.position FROM (SELECT DISTINCT ON (a.rule, a.table_name) a.rule, \
             a.table_name, a.strategy, a.position FROM retention.run AS r JOIN retention.audit AS a ON a.run_id = r.run_id \
             WHERE r.kind = 'run' AND r.number > coalesce((SELECT pg_catalog.max(e.number) FROM retention.run AS e \
             WHERE e.kind = 'run' AND e.state IN ('complete', 'residue')), 0) \
             ORDER BY a.rule, a.table_name, r.number DESC, a.seq DESC) AS d WHERE d.position IS NOT NULL",
        ))
        .await?
        .iter()
        .map(|row| {
            Ok(Resume {
                rule: row.try_get(0)?,
                table_name: row.try_get(1)?,
                strategy: row.try_get(2)?,
                position: row.try_get(3)?,
            })
        })
        .collect()
}
