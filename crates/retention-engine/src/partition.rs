//! Owns partitions that are due as a whole: detached, and dropped if rows are to be deleted.
//!
//! `DETACH CONCURRENTLY` cannot be part of a transaction. So a note is written before it; the rows are counted, the table
//! dropped, the audit row written and the note taken away in one transaction after it. Whoever finds a note finishes
//! what was begun. The gate is passed for the whole of it: a hold is placed before or after.

use crate::batch::{Chain, unhurried};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Stop, Sums};
use jiff::Timestamp;
use pg_session::{DbError, Kind, Session, Sql, quote_ident};
use retention_plan::{Leaf, Relation, Task, Work};
use retention_proof::AuditRow;
use retention_store::detaching::{self, Detaching};
use retention_store::{audit, gate};
use std::time::{Duration, Instant};

/// Between two tries; grows.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long CONCURRENTLY and FINALIZE wait for old transactions. Nobody waits behind them meanwhile, except holds.
const OLD_TRANSACTIONS: Duration = Duration::from_secs(10);

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

/// Where a partition stands.
#[derive(Debug, Clone)]
struct Standing {
    relation: Relation,
    /// The parent's quoted name, and whether a detach was begun.
    parent: Option<(String, u32, bool)>,
}

/// As audit rows and receipts name it.
pub(crate) fn name(work: &Work) -> &'static str {
    match work {
        Work::Detach => "detach-partition",
        Work::Delete | Work::Anonymise { .. } => "drop-partition",
    }
}

impl Engine {
    /// Finishes what an earlier run began for this rule, or takes the note away where nothing was begun. Gives the OIDs
    /// that are gone.
    pub(crate) async fn finish_noted(&mut self, task: &Task, sums: &mut Sums) -> Result<Vec<u32>, EngineError> {
        let mut gone = Vec::new();
        let notes = loop {
            match detaching::list(&self.work).await {
                Ok(notes) => break notes,
                Err(error) if error.kind == Kind::Lost => self.regain(error).await?,
                Err(error) => return Err(EngineError::Store(error)),
            }
        };
        for note in notes.into_iter().filter(|note| note.rule == task.rule) {
            self.is_what_was_noted(task, &note).await?;
            let leaf = leaf_of(&note);
            let mut job = Job::new(task, &leaf, name(&task.work), sums);
            match self.whole(&mut job, true).await? {
                Whole::Gone => gone.push(note.partition_oid),
                Whole::ByRows => {}
                Whole::Stopped(_) => break,
            }
        }
        Ok(gone)
    }

    /// A note survives in a backup, and an OID can be another table's afterwards; a rule can have changed since. Nothing is
    /// dropped on the word of a note alone.
    async fn is_what_was_noted(&mut self, task: &Task, note: &Detaching) -> Result<(), EngineError> {
        let agrees = match task.work {
            Work::Delete => note.drop_it,
            Work::Detach => !note.drop_it,
            Work::Anonymise { .. } => false,
        };
        let due = task.cutoff.is_some_and(|cutoff| note.upper_bound <= cutoff);
        let columns = |oid: u32| {
            format!(
                "ARRAY(SELECT a.attname || ' ' || a.atttypid FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {oid} AND a.attnum > 0 \
                 AND NOT a.attisdropped ORDER BY 1)"
            )
        };
        let sql = Sql::text("SELECT c.oid IS NULL OR (n.nspname = ")
        .param(note.partition_schema.as_str(), "pg_catalog.text")
        .raw(" AND c.relname = ")
        .param(note.partition_name.as_str(), "pg_catalog.text")
        .raw(format!(
            " AND c.relkind = 'r' AND {} = {}) FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_class AS c ON c.oid = {} \
             LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace",
            columns(note.partition_oid),
            columns(note.parent_oid),
            note.partition_oid
        ));
        let same = loop {
            match self.work.one(&sql).await {
                Ok(row) => {
                    break row
                        .try_get::<_, bool>(0)
                        .map_err(|error| EngineError::Store(error.into()))?;
                }
                Err(error) if error.kind == Kind::Lost => self.regain(error).await?,
                Err(error) => return Err(EngineError::Store(error)),
            }
        };
        if same && due && agrees {
            return Ok(());
        }
        Err(EngineError::Rule {
            rule: task.rule.clone(),
            table: format!("{}.{}", note.partition_schema, note.partition_name),
            source: DbError::new(
                Kind::Other,
                "a partition that an earlier run began to detach is not what was noted, or the rule has changed since; look at \
                 the table, then delete its row from retention.detaching",
            ),
        })
    }

    /// Detaches (and drops) the job's leaf. `noted`: only what an earlier run began.
    pub(crate) async fn whole(&mut self, job: &mut Job<'_>, noted: bool) -> Result<Whole, EngineError> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(stop) = self.may_go_on(job).await {
                return Ok(Whole::Stopped(stop));
            }
            let tried = self.gated(job, noted).await;
            let error = match tried {
                Ok(Ok(whole)) => return Ok(whole),
                Ok(Err(error)) => error,
                Err(error) => return Err(error),
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
                        self.gone(job);
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
    async fn gated(&mut self, job: &mut Job<'_>, noted: bool) -> Result<Result<Whole, DbError>, EngineError> {
        let gate = match gate::enter_session(&self.work).await {
            Ok(gate) => gate,
            Err(error) => return Ok(Err(error)),
        };
        if gate.fence != self.context.fence {
            return Err(EngineError::Fenced {
                ours: self.context.fence,
                found: gate.fence,
            });
        }
        let tried = match self.holds.load(&self.work).await {
            Ok(()) => self.go(job, noted).await,
            Err(error) => Ok(Err(error)),
        };
        if let Ok(Err(error)) = &tried
            && error.kind != Kind::Lost
            && let Err(error) = self.work.rollback().await
        {
            return Ok(Err(error));
        }
        // If this fails, the session is gone, and the lock with it; the next call will say so.
        let _ = gate::leave_session(&self.work).await;
        tried
    }

    async fn go(&mut self, job: &mut Job<'_>, noted: bool) -> Result<Result<Whole, DbError>, EngineError> {
        // By the root's rules: a partition that is detached already is in no picture.
        let held = self.holds.predicate(job.task.table.oid, true)?;
        Ok(self.go_on(job, noted, held.as_ref()).await)
    }

    async fn go_on(&mut self, job: &mut Job<'_>, noted: bool, held: Option<&Sql>) -> Result<Whole, DbError> {
        let oid = job.leaf.relation.oid;
        let Some(standing) = standing(&self.work, oid).await? else {
            detaching::done(&self.work, oid).await?;
            return Ok(Whole::Gone);
        };
        let table = standing.relation.quoted();
        if noted && matches!(standing.parent, Some((_, _, false))) {
            // Nothing was begun; this run's plan decides.
            detaching::done(&self.work, oid).await?;
            return Ok(Whole::ByRows);
        }
        if let Some(held) = held {
            let sql = Sql::text(format!("SELECT EXISTS (SELECT FROM ONLY {table} AS t WHERE "))
                .append(held)
                .raw(")");
            if unhurried(&self.work, &sql).await?.try_get(0)? {
                tracing::warn!(
                    table = standing.relation.shown(),
                    "rows are under a hold; the partition stays"
                );
                return Ok(Whole::ByRows);
            }
        }
        if let Some(left) = job.left(self) {
            let sql = Sql::text(format!("SELECT pg_catalog.count(*) FROM ONLY {table}"));
            let rows: i64 = unhurried(&self.work, &sql).await?.try_get(0)?;
            if u64::try_from(rows).unwrap_or(0) > left {
                return Ok(Whole::ByRows);
            }
        }
        if let Some((parent, parent_oid, pending)) = &standing.parent {
            let note = Detaching {
                partition_oid: oid,
                partition_schema: standing.relation.schema.clone(),
                partition_name: standing.relation.name.clone(),
                parent_oid: *parent_oid,
                rule: job.task.rule.clone(),
                drop_it: !matches!(job.task.work, Work::Detach),
                upper_bound: job.leaf.upper_bound.unwrap_or(Timestamp::UNIX_EPOCH),
                run_id: self.context.run_id.clone(),
            };
            detach(
                &self.work,
                &Way {
                    parent,
                    table: &table,
                    pending: *pending,
                    concurrently: job.leaf.detach_concurrently,
                    lock_timeout: self.options.lock_timeout,
                },
                &note,
            )
            .await?;
        }
        self.settle(job, &standing.relation).await
    }

    /// Counts, drops and writes down what is detached by now: one transaction.
    async fn settle(&mut self, job: &mut Job<'_>, relation: &Relation) -> Result<Whole, DbError> {
        let keep = matches!(job.task.work, Work::Detach);
        let table = relation.quoted();
        let since = Instant::now();
        let session = &self.work;
        session
            .batch(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0; \
                 SET LOCAL lock_timeout = {}; LOCK TABLE ONLY {table} IN {} MODE",
                milliseconds(self.options.lock_timeout),
                if keep { "SHARE" } else { "ACCESS EXCLUSIVE" }
            ))
            .await?;
        let row = session
            .one(&Sql::text(format!(
                "SELECT pg_catalog.count(*), pg_catalog.statement_timestamp(), pg_catalog.clock_timestamp() FROM ONLY {table}"
            )))
            .await?;
        let rows = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
        if !keep {
            session.batch(&format!("DROP TABLE {table}")).await?;
        }
        detaching::done(session, relation.oid).await?;
        let written = AuditRow {
            run_id: self.context.run_id.clone(),
            seq: self.chain.seq + 1,
            rule: job.task.rule.clone(),
            table_name: relation.shown(),
            action: name(&job.task.work).to_owned(),
            rows,
            cascaded: 0,
            cutoff: job.task.cutoff,
            started_at: row.try_get(1)?,
            finished_at: row.try_get(2)?,
            policy_digest: self.context.policy_digest.clone(),
            strategy: job.strategy.to_owned(),
            position: None,
        };
        let link = written.link(self.chain.link);
        audit::append(session, &written, link).await?;
        session.batch("COMMIT").await?;
        self.chain = Chain { seq: written.seq, link };
        self.gone(job);
        self.account(
            job,
            crate::batch::Done {
                rows,
                elapsed: since.elapsed(),
                ..crate::batch::Done::default()
            },
        );
        Ok(Whole::Gone)
    }

    /// Later rules of this run know that the table is no longer there.
    fn gone(&mut self, job: &Job<'_>) {
        if !matches!(job.task.work, Work::Detach) {
            self.dropped.insert(job.leaf.relation.oid);
        }
    }

    async fn rows_of_last(&mut self) -> Result<u64, EngineError> {
        let page = audit::page(&self.work, &self.context.run_id, self.chain.seq - 1, 1)
            .await
            .map_err(EngineError::Store)?;
        Ok(page.first().map_or(0, |line| line.row.rows))
    }
}

/// How a partition is detached.
struct Way<'a> {
    parent: &'a str,
    table: &'a str,
    pending: bool,
    concurrently: bool,
    lock_timeout: Duration,
}

async fn detach(session: &Session, way: &Way<'_>, note: &Detaching) -> Result<(), DbError> {
    let Way { parent, table, .. } = way;
    let how = if way.pending {
        "FINALIZE"
    } else if way.concurrently {
        detaching::note(session, note).await?;
        "CONCURRENTLY"
    } else {
        // A short lock on the parent: writers wait for it at most `lock_timeout`.
        session
            .batch(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {}",
                milliseconds(way.lock_timeout)
            ))
            .await?;
        detaching::note(session, note).await?;
        session
            .batch(&format!("ALTER TABLE {parent} DETACH PARTITION {table}"))
            .await?;
        return session.batch("COMMIT").await;
    };
    let before: String = session
        .one(&Sql::text("SELECT pg_catalog.current_setting('lock_timeout')"))
        .await?
        .try_get(0)?;
    session
        .batch(&format!("SET lock_timeout = {}", milliseconds(OLD_TRANSACTIONS)))
        .await?;
    let detached = session
        .batch(&format!("ALTER TABLE {parent} DETACH PARTITION {table} {how}"))
        .await;
    if !detached.as_ref().is_err_and(|error| error.kind == Kind::Lost) {
        session.batch(&format!("SET lock_timeout = '{before}'")).await?;
    }
    detached
}

/// The table by its OID, as it is now.
async fn standing(session: &Session, oid: u32) -> Result<Option<Standing>, DbError> {
    let row = session
        .maybe(
            &Sql::text(
                "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, p.oid, pn.nspname::pg_catalog.text, \
                 p.relname::pg_catalog.text, coalesce(i.inhdetachpending, false) FROM pg_catalog.pg_class AS c \
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid \
                 LEFT JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent \
                 LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace WHERE c.oid = ",
            )
            .param(oid.to_string(), "pg_catalog.oid"),
        )
        .await?;
    row.map(|row| {
        let parent: Option<u32> = row.try_get(2)?;
        let parent = match parent {
            Some(parent) => {
                let (schema, table): (String, String) = (row.try_get(3)?, row.try_get(4)?);
                Some((
                    format!("{}.{}", quote_ident(&schema), quote_ident(&table)),
                    parent,
                    row.try_get(5)?,
                ))
            }
            None => None,
        };
        Ok(Standing {
            relation: Relation {
                oid,
                schema: row.try_get(0)?,
                name: row.try_get(1)?,
            },
            parent,
        })
    })
    .transpose()
}

/// A leaf as a note describes it.
fn leaf_of(note: &Detaching) -> Leaf {
    Leaf {
        relation: Relation {
            oid: note.partition_oid,
            schema: note.partition_schema.clone(),
            name: note.partition_name.clone(),
        },
        blocks: 0,
        estimated_rows: 0.0,
        strategy: retention_plan::Strategy::Partition,
        upper_bound: Some(note.upper_bound),
        detach_concurrently: true,
        keyset: None,
    }
}

fn milliseconds(time: Duration) -> u128 {
    time.as_millis().clamp(1, 1 << 30)
}
