//! Owns the count that ends a sweep: what is still due, in a snapshot of its own.

use crate::batch::unhurried;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::statement::{self, Looking};
use pg_session::DbError;
use retention_plan::{Leaf, Task};

/// Rows of a leaf that are still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Left {
    /// Neither held nor blocked.
    pub(crate) free: u64,
    /// Held.
    pub(crate) held: u64,
    /// Not held, but referred to.
    pub(crate) blocked: u64,
}

impl Left {
    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            free: self.free + other.free,
            held: self.held + other.held,
            blocked: self.blocked + other.blocked,
        }
    }
}

/// Batches do not wait for the disk. What is counted must not come back by a crash, so it is waited for here: a commit
/// that writes something flushes everything before it. (A read-only one would not.)
async fn durable(engine: &mut Engine) -> Result<(), DbError> {
    let seq = engine.chain.seq;
    if engine.durable != seq {
        engine
            .work
            .batch(
                "BEGIN; SET LOCAL synchronous_commit = on; \
                 SELECT pg_catalog.pg_logical_emit_message(true, 'retention', ''); COMMIT",
            )
            .await?;
        engine.durable = seq;
    }
    Ok(())
}

/// Behind a sweep that changed a good part of the leaf, an index on the age is full of entries whose rows are gone, and
/// every one of them has to be looked up: 1.5 of 3 million rows took 0.6 to 3 s by index and 0.2 s by looking at all.
fn looking(task: &Task, leaf: &Leaf, changed: u64) -> Looking {
    if task.cutoff.is_some() && changed as f64 > leaf.estimated_rows / 5.0 && changed > 10_000 {
        Looking::AtAll
    } else {
        Looking::Planned
    }
}

/// Counts. Holds are read again before: the count says what is held now.
pub(crate) async fn left(engine: &mut Engine, task: &Task, leaf: &Leaf) -> Result<Result<Left, DbError>, EngineError> {
    if let Err(error) = engine.holds.load(&engine.work).await {
        return Ok(Err(error));
    }
    if let Err(error) = durable(engine).await {
        return Ok(Err(error));
    }
    let deletes = task.work.removes();
    let held = engine.holds.predicate(leaf.relation.oid, deletes)?;
    let changed = engine.changed.remove(&leaf.relation.oid).unwrap_or(0);
    let sql = statement::count(task, leaf, held.as_ref(), looking(task, leaf, changed));
    Ok(unhurried(&engine.work, &sql).await.and_then(|row| {
        let count = |at: usize| -> Result<u64, DbError> { Ok(u64::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0)) };
        Ok(Left {
            free: count(0)?,
            held: count(1)?,
            blocked: count(2)?,
        })
    }))
}
