//! Owns the sweep block by block.

use crate::batch::unhurried;
use crate::controller::{Bounds, Controller};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Step, Stop};
use crate::statement::{self, Scope};
use pg_session::Sql;

/// A sweep follows a table that grows behind it, so often; the next sweep sees to the rest.
const FOLLOWED: u32 = 3;
/// Blocks at the end of a table in which rows are looked for that writers moved: updates of rows on full pages go there.
const TAIL: u64 = 1024;
/// Blocks that are looked at in one statement that changes nothing: a second or two where they come from a disk.
const LEAP: u64 = 1 << 15;

impl Engine {
    /// Sweeps a leaf; begins where an unfinished run stopped, and wraps around.
    pub(crate) async fn tid_range(&mut self, job: &mut Job<'_>) -> Result<Option<Stop>, EngineError> {
        let mut end = self.blocks(job).await?;
        let first = self.resume_at(job);
        let first = if first < end { first } else { 0 };
        let mut controller = Controller::new(self.options.batch_target, bounds(job));
        if let Some(stop) = self.tid_stretch(job, &mut controller, first, end).await? {
            return Ok(Some(stop));
        }
        if let Some(gap) = job.gap {
            let grown = self.blocks(job).await?;
            let tail = end.saturating_sub(TAIL).max(gap);
            for (from, to) in [(tail, grown), (gap, tail)] {
                if let Some(stop) = self.tid_stretch(job, &mut controller, from, to).await? {
                    return Ok(Some(stop));
                }
            }
            end = grown;
        }
        for _ in 0..FOLLOWED {
            if job.has_enough() {
                return Ok(None);
            }
            let grown = self.blocks(job).await?;
            if grown <= end {
                break;
            }
            if let Some(stop) = self.tid_stretch(job, &mut controller, end, grown).await? {
                return Ok(Some(stop));
            }
            end = grown;
        }
        self.tid_stretch(job, &mut controller, 0, first).await
    }

    /// Blocks `from..end`.
    pub(crate) async fn tid_stretch(
        &mut self,
        job: &mut Job<'_>,
        controller: &mut Controller,
        mut from: u64,
        end: u64,
    ) -> Result<Option<Stop>, EngineError> {
        while from < end && !job.has_enough() {
            let to = if let Some(to) = self.opened_ahead() {
                to
            } else {
                if let Some(stop) = self.may_go_on(job).await {
                    return Ok(Some(stop));
                }
                end.min(from + controller.size())
            };
            let scope = Scope::Blocks { from, to, part: None };
            let position = Some(format!("block:{to}"));
            match self.careful(job, scope, None, controller, position, Some(end)).await? {
                Step::On(done) => {
                    controller.done(to - from, done.rows, done.elapsed);
                    from = if done.rows > 0 {
                        to
                    } else if job.gap.is_none() && job.has_almost_enough() {
                        job.gap = Some(to);
                        return Ok(None);
                    } else {
                        self.leap(job, to, end).await?
                    };
                }
                Step::Again => {}
                Step::Past => from = to,
                Step::Referenced => {
                    if let Some(stop) = self.around(job, from, to).await? {
                        return Ok(Some(stop));
                    }
                    from = to;
                }
            }
        }
        Ok(None)
    }

    /// The next block from `from` on that has something to do, or `end`: batches are as small as rows make them, and many
    /// where there are none.
    async fn leap(&mut self, job: &Job<'_>, mut from: u64, end: u64) -> Result<u64, EngineError> {
        let deletes = job.task.work.removes();
        while from < end && self.has_time() && self.holds.epoch().is_some() {
            let to = end.min(from + LEAP);
            let held = self.holds.predicate(job.leaf.relation.oid, deletes)?;
            let sql = statement::first(job.task, job.leaf, (from, to), held.as_ref());
            let place = self.ask(job, &sql).await?;
            let block = place.and_then(|place| place.strip_prefix('(')?.split(',').next()?.parse::<u64>().ok());
            if let Some(block) = block {
                return Ok(block.clamp(from, end));
            }
            from = to;
        }
        Ok(from)
    }

    /// How many blocks the leaf has now.
    pub(crate) async fn blocks(&mut self, job: &Job<'_>) -> Result<u64, EngineError> {
        let sql = Sql::text(format!(
            "SELECT coalesce(pg_catalog.pg_relation_size({}::pg_catalog.oid), 0) / \
             pg_catalog.current_setting('block_size')::pg_catalog.int8",
            job.leaf.relation.oid
        ));
        loop {
            let asked = unhurried(&self.work, &sql).await;
            match asked.and_then(|row| Ok(row.try_get::<_, i64>(0)?)) {
                Ok(blocks) => return Ok(u64::try_from(blocks).unwrap_or(0)),
                Err(error) if error.kind == pg_session::Kind::Lost => self.regain(error).await?,
                Err(error) => return Err(job.failed(error)),
            }
        }
    }
}

/// Blocks of the first batch, and how many rows a block holds.
pub(crate) fn bounds(job: &Job<'_>) -> Bounds {
    Bounds {
        first: 64,
        min: 1,
        max: 1 << 16,
        share: share(job),
        density: rows(job) / f64::from(job.leaf.blocks.max(1)),
    }
}

/// Rows of a batch at most. A writer who comes at random finds its row locked once in 128 times, so that the batch is not what
/// 99 of 100 writers wait for.
pub(crate) fn share(job: &Job<'_>) -> f64 {
    (rows(job) / 128.0).max(1000.0)
}

/// Rows of the leaf, about. Never analysed: as many short ones as fit into its blocks.
fn rows(job: &Job<'_>) -> f64 {
    if job.leaf.estimated_rows > 0.0 {
        job.leaf.estimated_rows
    } else {
        f64::from(job.leaf.blocks.max(1)) * 60.0
    }
}
