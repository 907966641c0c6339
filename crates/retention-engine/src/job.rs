//! Owns what strategies share while they work on one leaf: the counters, what is left to do, and when to stop.

use crate::attempt::Onward;
use crate::batch::{Done, Ended};
use crate::controller::Controller;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::statement::{Scope, Taking};
use crate::throttle::Pause;
use pg_session::{DbError, Kind};
use retention_plan::{Leaf, Strategy, Task};
use std::time::{Duration, Instant};

/// Why a sweep ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// `max_rows`, of the rule or the run.
    Rows,
    /// The deadline.
    Time,
    /// SIGTERM.
    Shutdown,
    /// A pause for others that does not end.
    Throttled,
}

/// One leaf of a task at work.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) task: &'a Task,
    pub(crate) leaf: &'a Leaf,
    /// As audit rows name it.
    pub(crate) strategy: &'static str,
    /// What the task did before and in this leaf.
    pub(crate) sums: &'a mut Sums,
    /// With so many rows of the task done, the sweep most likely has them all.
    pub(crate) enough: Option<u64>,
    /// The block behind which the sweep found nothing when it had almost enough.
    pub(crate) gap: Option<u64>,
    /// Locks met at the place where the sweep is.
    obstacles: u32,
    obstructed: Option<Instant>,
}

/// What a task did, as it was answered: a crash of the server can have taken the last of it back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    pub(crate) rows: u64,
    pub(crate) cascaded: u64,
    pub(crate) batches: u64,
    /// Something was left out in the last sweep because others had it locked.
    pub(crate) skipped: bool,
    /// Rows that foreign keys kept in the last sweep, although the predicate called them free.
    pub(crate) kept: u64,
}

/// What a strategy does after a careful batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is done: go on behind it.
    On(Done),
    /// Nothing was done: ask the controller for the size again; locked rows will be left out.
    Again,
    /// This place cannot be had: go on behind it.
    Past,
    /// A foreign key stands against a row in these blocks.
    Referenced,
}

/// As audit rows and receipts name a strategy.
pub(crate) fn name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Partition => "partition",
        Strategy::Keyset => "keyset",
        Strategy::TidRange => "tid-range",
        Strategy::HotPasses => "hot-passes",
        Strategy::Limited => "limited",
    }
}

impl<'a> Job<'a> {
    pub(crate) fn new(task: &'a Task, leaf: &'a Leaf, strategy: &'static str, sums: &'a mut Sums) -> Self {
        Self {
            task,
            leaf,
            strategy,
            sums,
            enough: None,
            gap: None,
            obstacles: 0,
            obstructed: None,
        }
    }

    /// Rows that may still be changed; `None`: any number.
    pub(crate) fn left(&self, engine: &Engine) -> Option<u64> {
        let of_rule = self.task.max_rows.map(|max| max.saturating_sub(engine.task_rows));
        let of_run = engine.options.max_rows.map(|max| max.saturating_sub(engine.total_rows));
        match (of_rule, of_run) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether the sweep may end before the table does; the count that follows tells whether that was right.
    pub(crate) fn has_enough(&self) -> bool {
        self.has_enough_with(0)
    }

    /// The same, with `rows` more.
    pub(crate) fn has_enough_with(&self, rows: u64) -> bool {
        self.enough.is_some_and(|enough| self.sums.rows + rows >= enough)
    }

    /// Whether what lies together is through, but for what writers have moved elsewhere.
    pub(crate) fn has_almost_enough(&self) -> bool {
        let few = self.leaf.together.unwrap_or(0) / 100;
        self.has_enough_with(few)
    }

    /// Whether the table's own rows are among those that its foreign keys change.
    pub(crate) fn cascades_into_itself(&self) -> bool {
        self.task
            .cascades_to
            .iter()
            .any(|relation| relation.oid == self.leaf.relation.oid)
    }

    pub(crate) fn failed(&self, source: DbError) -> EngineError {
        EngineError::Rule {
            rule: self.task.rule.clone(),
            table: self.leaf.relation.shown(),
            source,
        }
    }

    fn moved_on(&mut self) {
        self.obstacles = 0;
        self.obstructed = None;
    }
}

impl Engine {
    /// Neither told to stop nor past the deadline.
    pub(crate) fn has_time(&self) -> bool {
        !self.shutdown.is_draining() && self.options.deadline.is_none_or(|deadline| Instant::now() < deadline)
    }

    /// Whether the next batch may begin; waits where the server or its replicas need room.
    pub(crate) async fn may_go_on(&mut self, job: &Job<'_>) -> Option<Stop> {
        let rest = std::mem::take(&mut self.rest);
        self.sleep(rest).await;
        loop {
            if self.shutdown.is_draining() {
                return Some(Stop::Shutdown);
            }
            if self.options.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Some(Stop::Time);
            }
            if job.left(self) == Some(0) {
                return Some(Stop::Rows);
            }
            let pause = match self.pause(job) {
                Pause::None => return None,
                Pause::For(pause, _) => pause,
                Pause::GiveUp(_) => return Some(Stop::Throttled),
            };
            self.sleep(pause).await;
        }
    }

    /// So long, or until we are told to stop.
    pub(crate) async fn sleep(&self, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.shutdown.recv() => {}
        }
    }

    /// A batch in `scope` that gets out of the way of others: smaller and without locked rows after a lock was met, not
    /// at all where it is met again and again. `end`: the sweep goes on behind the scope, up to this block.
    pub(crate) async fn careful(
        &mut self,
        job: &mut Job<'_>,
        scope: Scope,
        limit: Option<u64>,
        controller: &mut Controller,
        position: Option<String>,
        end: Option<u64>,
    ) -> Result<Step, EngineError> {
        let skip_locked = job.obstacles > 0;
        let mut taking = Taking {
            scope,
            limit,
            skip_locked,
        };
        let onward = end.map(|end| Onward { end, controller });
        let mut ended = self.batch(job, &taking, position.clone(), onward).await?;
        if ended == Ended::TooMany {
            taking.limit = job.left(self);
            ended = self.batch(job, &taking, position, None).await?;
        }
        match ended {
            Ended::Done(done) => {
                job.sums.skipped |= skip_locked || taking.limit.is_some();
                job.moved_on();
                self.account(job, done);
                Ok(Step::On(done))
            }
            Ended::TooMany => Ok(Step::Again),
            Ended::Referenced if matches!(taking.scope, Scope::Blocks { part: None, .. }) => Ok(Step::Referenced),
            Ended::Locked | Ended::Referenced => {
                controller.locked();
                job.obstacles += 1;
                job.obstructed.get_or_insert_with(Instant::now);
                if job.obstacles <= 3 {
                    return Ok(Step::Again);
                }
                job.sums.skipped = true;
                if !self.stand(job).await {
                    return Err(job.failed(DbError::new(
                        Kind::Locked,
                        format!(
                            "no batch got its locks for {} s; expected others to let go of the table",
                            self.options.lock_patience.as_secs()
                        ),
                    )));
                }
                job.moved_on();
                Ok(Step::Past)
            }
        }
    }

    /// A place could not be had: waits, the longer the more of them in a row, because then it is not a row but the table.
    /// False: the patience is at its end.
    pub(crate) async fn stand(&mut self, job: &Job<'_>) -> bool {
        self.standing += 1;
        let since = job.obstructed.unwrap_or_else(Instant::now);
        let since = *self.stood_since.get_or_insert(since);
        if self.standing > 4 {
            let wait = Duration::from_millis(50) * 2_u32.pow(self.standing.min(12) - 4);
            let shutdown = self.shutdown.clone();
            tokio::select! {
                () = tokio::time::sleep(wait.min(Duration::from_secs(2))) => {}
                () = shutdown.recv() => {}
            }
        }
        since.elapsed() <= self.options.lock_patience
    }

    /// Counts a committed batch.
    pub(crate) fn account(&mut self, job: &mut Job<'_>, done: Done) {
        self.standing = 0;
        self.stood_since = None;
        job.sums.rows += done.rows;
        job.sums.cascaded += done.cascaded;
        job.sums.batches += u64::from(done.rows > 0);
        self.total_rows += done.rows;
        self.task_rows += done.rows;
        self.tell(job, Some(done));
    }
}
