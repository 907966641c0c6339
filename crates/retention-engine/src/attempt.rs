//! Owns one attempt at a batch: a transaction that passes the gate, changes rows, writes the audit row and commits.
//!
//! It is two round trips: opening (everything up to the change), and closing (audit row and commit), which needs to know how
//! many rows it were. The closing of one attempt may carry the opening of the next, so that the server does not wait for us
//! between two batches. Nothing rests on that: what was opened ahead is committed only after what it follows is known to be.

use crate::batch::{Chain, Done, lost};
use crate::controller::Controller;
use crate::engine::Engine;
use crate::job::Job;
use crate::statement::{self, Scope, Taking};
use crate::wire;
use jiff::Timestamp;
use pg_session::{DbError, Sql};
use retention_plan::{Relation, Work};
use retention_proof::{AuditRow, ChainHash};
use retention_store::{audit, gate};
use std::time::{Duration, Instant};

/// Why an attempt changed nothing.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The gate's fence is another.
    Fenced(i64),
    /// The gate's epoch is another.
    Epoch,
    /// It was opened ahead, and something else is to be done first.
    Abandoned,
    /// More rows than there were left to change.
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
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) seq: u64,
    pub(crate) link: ChainHash,
    pub(crate) done: Done,
}

/// Rows are changed and locked; nothing is committed.
#[derive(Debug)]
pub(crate) struct Opened {
    /// When the first message was sent.
    since: Instant,
    rows: u64,
    hot: u64,
    cascaded: u64,
    /// By the server's clock.
    started_at: Timestamp,
    finished_at: Timestamp,
}

/// What became of an attempt that was opened together with the commit before it.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) taking: Taking,
    pub(crate) outcome: Result<Opened, Failed>,
}

/// A sweep that goes on behind its batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Onward<'a> {
    /// Up to this block.
    pub(crate) end: u64,
    pub(crate) controller: &'a Controller,
}

impl Onward<'_> {
    /// What comes after a batch that changed `rows` in `elapsed`.
    fn next(self, taking: &Taking, rows: u64, elapsed: Duration) -> Option<Taking> {
        let Taking {
            scope: Scope::Blocks { from, to, part },
            limit: None,
            skip_locked: false,
        } = *taking
        else {
            return None;
        };
        if rows == 0 {
            // Where nothing is, the sweep looks for where something is.
            return None;
        }
        let mut controller = self.controller.clone();
        controller.done(to - from, rows, elapsed);
        let blocks = controller.size();
        (to < self.end).then(|| Taking {
            scope: Scope::Blocks {
                from: to,
                to: self.end.min(to + blocks),
                part,
            },
            limit: None,
            skip_locked: false,
        })
    }
}

impl Engine {
    /// Opens an attempt: changes rows, and looks whether that may be.
    pub(crate) async fn open_attempt(
        &self,
        job: &Job<'_>,
        taking: &Taking,
        held: Option<&Sql>,
        attempt: u64,
    ) -> Result<Opened, Failed> {
        let since = Instant::now();
        let marker = attempt.to_string();
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
        Ok(Opened {
            since,
            rows,
            hot: after.hot.saturating_sub(before.hot),
            cascaded,
            started_at: before.now,
            finished_at: after.now,
        })
    }

    /// Closes an attempt: writes its audit row and commits. Opens the next one with it, if there is one and nothing is in
    /// its way; [`Engine::ahead`] has it then.
    pub(crate) async fn close_attempt(
        &mut self,
        job: &Job<'_>,
        taking: &Taking,
        opened: Opened,
        (position, onward): (Option<String>, Option<Onward<'_>>),
        held: Option<&Sql>,
    ) -> Result<Done, Failed> {
        let mut done = Done {
            rows: opened.rows,
            hot: opened.hot,
            cascaded: opened.cascaded,
            elapsed: opened.since.elapsed(),
        };
        let row = (opened.rows > 0).then(|| AuditRow {
            run_id: self.context.run_id.clone(),
            seq: self.chain.seq + 1,
            rule: job.task.rule.clone(),
            table_name: job.leaf.relation.shown(),
            action: job.task.action().to_owned(),
            rows: opened.rows,
            cascaded: opened.cascaded,
            cutoff: job.task.cutoff,
            started_at: opened.started_at,
            finished_at: opened.finished_at,
            policy_digest: self.context.policy_digest.clone(),
            strategy: job.strategy.to_owned(),
            position,
        });
        let next = row.map(|row| (row.seq, row.link(self.chain.link), row));
        let insertion = next.as_ref().map(|(_, link, row)| audit::insertion(row, *link));
        let follower = onward
            .filter(|_| self.may_open_ahead(job, done.rows))
            .and_then(|onward| onward.next(taking, done.rows, done.elapsed));
        self.attempts += 1;
        let session = &self.work;
        // Behind a failed INSERT, COMMIT rolls back.
        let ((closed, elapsed), ahead) = tokio::join!(
            biased;
            async {
                let closed = match &insertion {
                    Some(sql) => {
                        let (inserted, committed) = tokio::join!(biased; wire::execute(session, sql), session.batch("COMMIT"));
                        inserted.and(committed)
                    }
                    None => session.batch("COMMIT").await,
                };
                (closed, opened.since.elapsed())
            },
            async {
                match &follower {
                    Some(taking) => Some(self.open_attempt(job, taking, held, self.attempts).await),
                    None => None,
                }
            },
        );
        done.elapsed = elapsed;
        let next = next.map(|(seq, link, _)| Chain { seq, link });
        if let Err(error) = closed {
            return Err(match next {
                Some(Chain { seq, link }) if lost(&error) => Failed::Unknown(error, Pending { seq, link, done }),
                _ => Failed::Db(error),
            });
        }
        self.chain = next.unwrap_or(self.chain);
        self.ahead = follower.zip(ahead).map(|(taking, outcome)| Ahead { taking, outcome });
        Ok(done)
    }

    /// The block up to which the batch reaches that is open already and is to be run next.
    pub(crate) fn opened_ahead(&self) -> Option<u64> {
        match self.ahead.as_ref()?.taking.scope {
            Scope::Blocks { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Whether the next batch may be opened before this one, of `rows`, is known to be committed. Where anything is to be
    /// decided in between, it may not.
    fn may_open_ahead(&self, job: &Job<'_>, rows: u64) -> bool {
        self.has_time()
            && job.left(self).is_none()
            && !job.has_enough_with(rows)
            && self.watcher.sees_nothing()
            // Whoever rests holds no locks.
            && self.options.throttle.rest(Duration::from_secs(1)).is_zero()
    }
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
