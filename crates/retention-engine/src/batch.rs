//! Owns one batch: a transaction that passes the gate, changes rows, writes the audit row and commits, in two round
//! trips. What to do when it fails is decided here only where every strategy would decide the same.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::Job;
use crate::statement::{self, Taking};
use crate::wire;
use jiff::Timestamp;
use pg_session::{DbError, Kind, Session, Sql};
use retention_plan::{Relation, Work};
use retention_proof::{AuditRow, ChainHash};
use retention_store::{audit, gate};
use std::time::{Duration, Instant};

/// So often a batch is begun anew for reasons that pass by themselves (holds changed, serialization, children came).
const ANEW: u32 = 20;

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is committed.
    Done(Done),
    /// Somebody else's lock, or somebody cancelled it: nothing was changed.
    Locked,
    /// It would have changed more rows than there were left to change: nothing was changed.
    TooMany,
    /// A foreign key stands against it, though the predicate saw nothing: nothing was changed.
    Referenced,
}

/// A committed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Done {
    /// Rows of the leaf.
    pub(crate) rows: u64,
    /// Of those, changed without touching an index.
    pub(crate) hot: u64,
    /// Rows of other tables.
    pub(crate) cascaded: u64,
    /// From the first message to the commit's answer.
    pub(crate) elapsed: Duration,
}

/// What the next audit row's number and link follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) seq: u64,
    pub(crate) link: ChainHash,
}

/// Why an attempt changed nothing.
enum Failed {
    /// The gate's fence is another.
    Fenced(i64),
    /// The gate's epoch is another.
    Epoch,
    TooMany,
    /// Rows that had to stay went along.
    ChildrenTouched,
    /// The gate itself was locked.
    Gate(DbError),
    /// Everything else; nothing was committed.
    Db(DbError),
    /// The commit was sent and not answered: this row may be there or not.
    Unknown(DbError, Pending),
}

/// What was being committed when the connection was lost.
struct Pending {
    seq: u64,
    link: ChainHash,
    done: Done,
}

impl Engine {
    /// Runs a batch. `position` goes into the audit row.
    pub(crate) async fn batch(
        &mut self,
        job: &Job<'_>,
        taking: &Taking,
        position: Option<String>,
    ) -> Result<Ended, EngineError> {
        let deletes = !matches!(job.task.work, Work::Anonymise { .. });
        let mut anew = 0;
        let mut locked_gate = 0;
        loop {
            if self.holds.epoch().is_none()
                && let Err(error) = self.holds.load(&self.work).await
            {
                self.regain(error).await?;
                continue;
            }
            let held = self.holds.predicate(job.leaf.relation.oid, deletes)?;
            let failed = match self.attempt(job, taking, held.as_ref(), position.clone()).await {
                Ok(done) => return Ok(self.ended(job, done)),
                Err(failed) => failed,
            };
            if let Failed::Unknown(error, pending) = failed {
                self.regain(error).await?;
                if self.chain.seq == pending.seq && self.chain.link == pending.link {
                    return Ok(self.ended(job, pending.done));
                }
                continue;
            }
            let error = match failed {
                Failed::Db(ref error) | Failed::Gate(ref error) if lost(error) => None,
                _ => self.work.rollback().await.err(),
            };
            if let Some(error) = error {
                self.regain(error).await?;
            }
            anew += 1;
            match failed {
                Failed::Unknown(..) => {}
                Failed::Fenced(found) => {
                    return Err(EngineError::Fenced {
                        ours: self.context.fence,
                        found,
                    });
                }
                Failed::Epoch => {
                    tracing::info!("holds have changed; they are read again");
                    self.holds.forget();
                }
                Failed::TooMany => return Ok(Ended::TooMany),
                Failed::ChildrenTouched if anew <= ANEW => {}
                Failed::ChildrenTouched => return Ok(Ended::Referenced),
                Failed::Gate(error) if lost(&error) => self.regain(error).await?,
                Failed::Gate(error) if error.kind == Kind::Locked => {
                    locked_gate += 1;
                    if self.options.lock_timeout * locked_gate > self.options.lock_patience {
                        return Err(EngineError::Store(error));
                    }
                    // Whoever holds the gate is a hold being placed: it is short, and goes first.
                }
                Failed::Gate(error) => return Err(EngineError::Store(error)),
                Failed::Db(error) => match error.kind {
                    Kind::Lost => self.regain(error).await?,
                    Kind::Locked | Kind::Cancelled => return Ok(Ended::Locked),
                    Kind::Conflict if anew <= ANEW => {}
                    Kind::Full => return Err(EngineError::Full(error)),
                    Kind::ReadOnly => return Err(EngineError::Lost(error)),
                    Kind::Constraint if error.code.as_deref() == Some("23503") => return Ok(Ended::Referenced),
                    _ => return Err(job.failed(error)),
                },
            }
        }
    }

    fn ended(&mut self, job: &Job<'_>, done: Done) -> Ended {
        *self.changed.entry(job.leaf.relation.oid).or_default() += done.rows;
        Ended::Done(done)
    }

    async fn attempt(
        &mut self,
        job: &Job<'_>,
        taking: &Taking,
        held: Option<&Sql>,
        position: Option<String>,
    ) -> Result<Done, Failed> {
        let since = Instant::now();
        self.attempts += 1;
        let marker = self.attempts.to_string();
        // READ COMMITTED, because every statement must see what was committed before its own locks were had. The marker
        // is set behind the lock: a DELETE that runs although this failed finds none and touches nothing.
        let opening = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = off; \
             SET LOCAL lock_timeout = {}; SELECT pg_catalog.pg_advisory_xact_lock_shared({}); SET LOCAL retention.batch = '{marker}'",
            self.options.lock_timeout.as_millis().clamp(1, 1 << 30),
            gate::GATE
        );
        // Where deleted rows take others along, somebody could refer to one while the statement waits for it, with a row that
        // is held: foreign keys take it along unseen. So rows are locked first, and looked at again by a statement of its own.
        let guarded = held.filter(|_| matches!(job.task.work, Work::Delete) && !job.task.cascades_to.is_empty());
        let locking = guarded.map(|held| statement::lock(job.task, job.leaf, taking, Some(held), &marker));
        let change = statement::change(job.task, job.leaf, taking, held, locking.is_some(), &marker);
        let (look, seen) = (look(job, true), look(job, false));
        let session = &self.work;
        let (opened, before, obtained, rows, after) = tokio::join!(
            biased;
            session.batch(&opening),
            wire::one(session, &look),
            async {
                match &locking {
                    Some(sql) => wire::one(session, sql).await.map(|_| ()),
                    None => Ok(()),
                }
            },
            wire::execute(session, &change),
            wire::one(session, &seen),
        );
        opened.map_err(Failed::Gate)?;
        let before = before.and_then(|row| Look::read(&row, true)).map_err(Failed::Gate)?;
        if before.fence != self.context.fence {
            return Err(Failed::Fenced(before.fence));
        }
        // Before the statement's own error: it may come from a predicate that is out of date.
        if Some(before.epoch) != self.holds.epoch() {
            return Err(Failed::Epoch);
        }
        obtained.map_err(Failed::Db)?;
        let rows = rows.map_err(Failed::Db)?;
        let after = after.and_then(|row| Look::read(&row, false)).map_err(Failed::Db)?;
        if job.left(self).is_some_and(|left| rows > left) {
            return Err(Failed::TooMany);
        }
        let own = if job.cascades_into_itself() { rows } else { 0 };
        let cascaded = after.cascades.saturating_sub(before.cascades).saturating_sub(own);
        if job.task.children_stay && cascaded > 0 {
            return Err(Failed::ChildrenTouched);
        }
        let mut done = Done {
            rows,
            hot: after.hot.saturating_sub(before.hot),
            cascaded,
            elapsed: Duration::ZERO,
        };
        if rows == 0 {
            session.batch("COMMIT").await.map_err(Failed::Db)?;
            done.elapsed = since.elapsed();
            return Ok(done);
        }
        let row = AuditRow {
            run_id: self.context.run_id.clone(),
            seq: self.chain.seq + 1,
            rule: job.task.rule.clone(),
            table_name: job.leaf.relation.shown(),
            action: job.task.action().to_owned(),
            rows,
            cascaded,
            cutoff: job.task.cutoff,
            started_at: before.now,
            finished_at: after.now,
            policy_digest: self.context.policy_digest.clone(),
            strategy: job.strategy.to_owned(),
            position,
        };
        let link = row.link(self.chain.link);
        let insertion = audit::insertion(&row, link);
        // Behind a failed INSERT, COMMIT rolls back.
        let (inserted, committed) = tokio::join!(
            biased;
            wire::execute(session, &insertion),
            session.batch("COMMIT"),
        );
        done.elapsed = since.elapsed();
        if let Err(error) = inserted.and(committed) {
            return Err(if lost(&error) {
                Failed::Unknown(
                    error,
                    Pending {
                        seq: row.seq,
                        link,
                        done,
                    },
                )
            } else {
                Failed::Db(error)
            });
        }
        self.chain = Chain { seq: row.seq, link };
        Ok(done)
    }
}

/// Whether it is not known what became of the transaction.
pub(crate) fn lost(error: &DbError) -> bool {
    error.kind == Kind::Lost
}

/// What is looked at before and after the statement. Counts of `pg_stat_get_xact_*` begin where the session last reported
/// to the statistics, which need not be this transaction: only differences mean anything.
fn look(job: &Job<'_>, gate: bool) -> Sql {
    let sum = |relations: &[Relation]| {
        if relations.is_empty() {
            return "0::pg_catalog.int8".to_owned();
        }
        relations
            .iter()
            .map(|relation| {
                let oid = relation.oid;
                format!(
                    "pg_catalog.pg_stat_get_xact_tuples_deleted({oid}) + pg_catalog.pg_stat_get_xact_tuples_updated({oid})"
                )
            })
            .collect::<Vec<_>>()
            .join(" + ")
    };
    let mut text = format!(
        "SELECT pg_catalog.clock_timestamp(), pg_catalog.pg_stat_get_xact_tuples_hot_updated({}), {}",
        job.leaf.relation.oid,
        sum(if matches!(job.task.work, Work::Delete) {
            &job.task.cascades_to
        } else {
            &[]
        })
    );
    if gate {
        text.push_str(", fence, holds_epoch FROM retention.gate WHERE id = 1");
    }
    Sql::text(text)
}

struct Look {
    now: Timestamp,
    hot: u64,
    cascades: u64,
    fence: i64,
    epoch: i64,
}

impl Look {
    fn read(row: &tokio_postgres::Row, gate: bool) -> Result<Self, DbError> {
        let count = |at: usize| -> Result<u64, DbError> { Ok(u64::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0)) };
        Ok(Self {
            now: row.try_get(0)?,
            hot: count(1)?,
            cascades: count(2)?,
            fence: if gate { row.try_get(3)? } else { 0 },
            epoch: if gate { row.try_get(4)? } else { 0 },
        })
    }
}

/// Runs a statement that must see the whole table, however long that takes.
pub(crate) async fn unhurried(session: &Session, sql: &Sql) -> Result<tokio_postgres::Row, DbError> {
    let (begun, row, ended) = tokio::join!(
        biased;
        session.batch("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 0"),
        wire::one(session, sql),
        session.batch("COMMIT"),
    );
    begun?;
    let row = row?;
    ended?;
    Ok(row)
}
