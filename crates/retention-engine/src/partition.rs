//! Owns partitions that are due as a whole: detached, and dropped if rows are to be deleted.
//!
//! `DETACH CONCURRENTLY` cannot be part of a transaction. So a note is written before it (`detach`); the rows are counted, the
//! table dropped, the audit row written and the note taken away in one transaction after it (`settle`). Whoever finds a note
//! finishes what was begun (`noted`). The gate is passed for the whole of it: a hold is placed before or after.

use crate::batch::unhurried;
use crate::detach::{Way, detach, standing};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Stop};
use crate::settle::Broke;
use jiff::Timestamp;
use pg_session::{DbError, Kind, Sql};
use retention_plan::Relation;
use retention_store::detaching::{self, Detaching};
use retention_store::{audit, gate};
use std::time::{Duration, Instant};

/// Between two tries; grows.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What became of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// It is detached, dropped where it should be, and in the audit.
    Gone,
    /// It cannot go as a whole now: row by row.
    ByRows,
    /// Stopped before.
    Stopped(Stop),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Only what an earlier run began.
    pub(crate) noted: bool,
    /// It stays as a table of its own.
    pub(crate) keep: bool,
}

/// As audit rows and receipts name it.
pub(crate) fn name(keep: bool) -> &'static str {
    if keep { "detach-partition" } else { "drop-partition" }
}

impl Engine {
    /// Detaches (and drops) the job's leaf.
    pub(crate) async fn whole(&mut self, job: &mut Job<'_>, ask: Ask) -> Result<Whole, EngineError> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(stop) = self.may_go_on(job).await {
                return Ok(Whole::Stopped(stop));
            }
            let error = match self.gated(job, ask).await {
                Ok(whole) => return Ok(whole),
                Err(Broke::Db(error)) => error,
                Err(Broke::Engine(error)) => return Err(error),
            };
            match error.kind {
                Kind::Lost => {
                    let before = self.chain.seq;
                    self.regain(error).await?;
                    if self.chain.seq > before {
                        // The commit that was not answered happened. Its row tells how many.
                        let rows = self.rows_of_last().await?;
                        job.sums.rows += rows;
                        job.sums.batches += 1;
                        self.total_rows += rows;
                        self.task_rows += rows;
                        self.is_gone(job, ask.keep);
                        return Ok(Whole::Gone);
                    }
                }
                Kind::Full => return Err(EngineError::Full(error)),
                Kind::Locked | Kind::Cancelled | Kind::Conflict if begun.elapsed() < self.options.lock_patience => {}
                Kind::Locked | Kind::Cancelled | Kind::Conflict => {
                    tracing::warn!(
                        table = job.leaf.relation.shown(),
                        "the partition's locks were not had in time; it goes row by row"
                    );
                    return Ok(Whole::ByRows);
                }
                _ => return Err(job.failed(error)),
            }
            let shutdown = self.shutdown.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.recv() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// One try, behind the gate.
    async fn gated(&mut self, job: &mut Job<'_>, ask: Ask) -> Result<Whole, Broke> {
        let gate = gate::enter_session(&self.work).await?;
        if gate.fence != self.context.fence {
            return Err(Broke::Engine(EngineError::Fenced {
                ours: self.context.fence,
                found: gate.fence,
            }));
        }
        let tried = self.go(job, ask).await;
        match &tried {
            Ok(_) => {}
            Err(Broke::Db(error)) if error.kind == Kind::Lost => {}
            Err(_) => self.work.rollback().await?,
        }
        // If this fails, the session is gone, and the lock with it; the next call will say so.
        let _ = gate::leave_session(&self.work).await;
        tried
    }

    async fn go(&mut self, job: &mut Job<'_>, ask: Ask) -> Result<Whole, Broke> {
        self.holds.load(&self.work).await?;
        let oid = job.leaf.relation.oid;
        let Some(standing) = standing(&self.work, oid).await? else {
            detaching::done(&self.work, oid).await?;
            return Ok(Whole::Gone);
        };
        if ask.noted && standing.parent.as_ref().is_some_and(|parent| !parent.pending) {
            // Nothing was begun; this run's plan decides.
            detaching::done(&self.work, oid).await?;
            return Ok(Whole::ByRows);
        }
        // What is detached and stays is past every check.
        if (standing.parent.is_some() || !ask.keep) && self.must_stay(job, &standing.relation, ask).await? {
            return Ok(Whole::ByRows);
        }
        if let Some(parent) = &standing.parent {
            let table = standing.relation.quoted();
            let note = Detaching {
                partition_oid: oid,
                partition_schema: standing.relation.schema.clone(),
                partition_name: standing.relation.name.clone(),
                parent_oid: parent.oid,
                rule: job.task.rule.clone(),
                drop_it: !ask.keep,
                upper_bound: job.leaf.upper_bound.unwrap_or(Timestamp::UNIX_EPOCH),
                run_id: self.context.run_id.clone(),
            };
            let way = Way {
                parent,
                table: &table,
                concurrently: job.leaf.detach_concurrently,
                lock_timeout: self.options.lock_timeout,
            };
            detach(&self.work, &way, &note).await?;
        }
        self.settle(job, &standing.relation, ask.keep).await
    }

    /// Whether the table cannot go as a whole, as far as can be seen before anything is done.
    async fn must_stay(&self, job: &Job<'_>, relation: &Relation, ask: Ask) -> Result<bool, Broke> {
        if !ask.keep && self.holds.names(relation) {
            tracing::warn!(table = relation.shown(), "a hold names the partition; it stays");
            return Ok(true);
        }
        // By the root's rules: a partition that is detached already is in no picture.
        if let Some(held) = self.holds.predicate(job.task.table.oid, true)? {
            let sql = Sql::text(format!(
                "SELECT EXISTS (SELECT FROM ONLY {} AS t WHERE ",
                relation.quoted()
            ))
            .append(&held)
            .raw(")");
            if unhurried(&self.work, &sql).await?.try_get(0).map_err(DbError::from)? {
                tracing::warn!(table = relation.shown(), "rows are under a hold; the partition stays");
                return Ok(true);
            }
        }
        if let Some(left) = job.left(self) {
            let sql = Sql::text(format!("SELECT pg_catalog.count(*) FROM ONLY {}", relation.quoted()));
            let rows: i64 = unhurried(&self.work, &sql).await?.try_get(0).map_err(DbError::from)?;
            return Ok(u64::try_from(rows).unwrap_or(0) > left);
        }
        Ok(false)
    }

    async fn rows_of_last(&mut self) -> Result<u64, EngineError> {
        let page = audit::page(&self.work, &self.context.run_id, self.chain.seq - 1, 1)
            .await
            .map_err(EngineError::Store)?;
        Ok(page.first().map_or(0, |line| line.row.rows))
    }
}
