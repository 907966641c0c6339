//! Owns what becomes of a partition that is detached by now: one transaction that locks it, looks once more, drops it,
//! writes it down and takes the note away.
//!
//! It was looked at before it was detached, but an application that knows its name can have written into it since, and the
//! constraint that kept rows of other times out went with the detaching. Behind the lock nobody writes any more.

use crate::batch::{Chain, Done};
use crate::detach::milliseconds;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::Job;
use crate::partition::{self, Whole};
use pg_session::{DbError, Kind, Sql};
use retention_plan::Relation;
use retention_proof::AuditRow;
use retention_store::{audit, detaching};
use std::time::Instant;

/// Why a try ended without an answer.
#[derive(Debug)]
pub(crate) enum Broke {
    /// The database; it may go on.
    Db(DbError),
    /// The rule or the run is over.
    Engine(EngineError),
}

impl From<DbError> for Broke {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<EngineError> for Broke {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// What was seen behind the lock.
#[derive(Debug, Clone, Copy)]
struct Seen {
    rows: u64,
    not_due: u64,
    held: u64,
}

/// Why a table must not be dropped.
fn why_not(seen: Seen, left: Option<u64>) -> Option<&'static str> {
    if seen.held > 0 {
        Some("rows in it are under a hold")
    } else if seen.not_due > 0 {
        Some("rows in it are not due; somebody wrote into it after it was detached")
    } else if left.is_some_and(|left| seen.rows > left) {
        Some("it has more rows than may still be deleted")
    } else {
        None
    }
}

impl Engine {
    /// Settles a detached table; `keep`: it stays as a table. [`Whole::ByRows`]: it must not be dropped as it is.
    pub(crate) async fn settle(&mut self, job: &mut Job<'_>, relation: &Relation, keep: bool) -> Result<Whole, Broke> {
        let table = relation.quoted();
        let since = Instant::now();
        self.work
            .batch(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0; \
                 SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = {}; LOCK TABLE ONLY {table} IN {} MODE",
                milliseconds(self.options.lock_timeout),
                if keep { "SHARE" } else { "ACCESS EXCLUSIVE" }
            ))
            .await?;
        if !self.is_that_table(relation).await? {
            return Err(job
                .failed(DbError::new(
                    Kind::Other,
                    "the table is another than the one that was detached, or is a partition again; nothing was done with it",
                ))
                .into());
        }
        let never = Sql::text("false");
        let (mut not_due, mut held) = (never.clone(), None);
        if !keep {
            // Again, although the gate keeps holds out: values are compared here, and rows can have got them since.
            self.holds.load(&self.work).await?;
            held = self.holds.predicate(job.task.table.oid, true)?;
            not_due = Sql::text("(").append(&job.task.due).raw(") IS NOT TRUE");
        }
        let row = self
            .work
            .one(
                &Sql::text("SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE ")
                    .append(&not_due)
                    .raw("), pg_catalog.count(*) FILTER (WHERE ")
                    .append(held.as_ref().unwrap_or(&never))
                    .raw(format!(
                        "), pg_catalog.statement_timestamp(), pg_catalog.clock_timestamp() FROM ONLY {table} AS t"
                    )),
            )
            .await?;
        let count = |at: usize| -> Result<u64, DbError> { Ok(u64::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0)) };
        let seen = Seen {
            rows: count(0)?,
            not_due: count(1)?,
            held: count(2)?,
        };
        if !keep {
            let named = self.holds.names(relation).then_some("a hold names it");
            if let Some(why) = named.or_else(|| why_not(seen, job.left(self))) {
                self.work.rollback().await?;
                tracing::warn!(
                    rule = job.task.rule,
                    table = relation.shown(),
                    rows = seen.rows,
                    not_due = seen.not_due,
                    held = seen.held,
                    why,
                    "the detached partition is not dropped; what is due in it goes row by row"
                );
                return Ok(Whole::ByRows);
            }
            self.work.batch(&format!("DROP TABLE {table}")).await?;
        }
        detaching::done(&self.work, relation.oid).await?;
        let written = AuditRow {
            run_id: self.context.run_id.clone(),
            seq: self.chain.seq + 1,
            rule: job.task.rule.clone(),
            table_name: relation.shown(),
            action: partition::name(keep).to_owned(),
            rows: seen.rows,
            cascaded: 0,
            cutoff: job.task.cutoff,
            started_at: row.try_get(3).map_err(DbError::from)?,
            finished_at: row.try_get(4).map_err(DbError::from)?,
            policy_digest: self.context.policy_digest.clone(),
            strategy: job.strategy.to_owned(),
            position: None,
        };
        let link = written.link(self.chain.link);
        audit::append(&self.work, &written, link).await?;
        self.work.batch("COMMIT").await?;
        self.chain = Chain { seq: written.seq, link };
        self.is_gone(job, keep);
        self.account(
            job,
            Done {
                rows: seen.rows,
                elapsed: since.elapsed(),
                ..Done::default()
            },
        );
        Ok(Whole::Gone)
    }

    /// Whether what was locked by its name is still the table that was detached.
    async fn is_that_table(&self, relation: &Relation) -> Result<bool, DbError> {
        let row = self
            .work
            .one(
                &Sql::text(format!(
                    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                     WHERE c.oid = {oid} AND c.relkind = 'r' AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits AS i \
                     WHERE i.inhrelid = {oid}) AND n.nspname = ",
                    oid = relation.oid
                ))
                .param(relation.schema.as_str(), "pg_catalog.text")
                .raw(" AND c.relname = ")
                .param(relation.name.as_str(), "pg_catalog.text")
                .raw(")"),
            )
            .await?;
        Ok(row.try_get(0)?)
    }

    /// Later rules of this run know that the table is no longer there.
    pub(crate) fn is_gone(&mut self, job: &Job<'_>, keep: bool) {
        if !keep {
            self.dropped.insert(job.leaf.relation.oid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_table_of_nothing_but_due_rows_within_the_limit_is_dropped() {
        let sound = Seen {
            rows: 10,
            not_due: 0,
            held: 0,
        };
        assert_eq!(why_not(sound, None), None);
        assert_eq!(why_not(sound, Some(10)), None);
        for (seen, left, word) in [
            (Seen { held: 1, ..sound }, None, "hold"),
            (Seen { not_due: 1, ..sound }, None, "not due"),
            (sound, Some(9), "more rows"),
        ] {
            assert!(why_not(seen, left).unwrap().contains(word), "{seen:?}");
        }
    }
}
