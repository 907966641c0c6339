//! Owns the sweep by whatever index the planner finds for the predicate: a limited number of rows a batch, until a batch
//! finds none.

use crate::controller::{Bounds, Controller};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Step, Stop};
use crate::statement::Scope;

/// Rows of the first batch, and of the largest.
const FIRST: u64 = 1000;
const LARGEST: u64 = 100_000;

impl Engine {
    /// Sweeps a leaf.
    pub(crate) async fn limited(&mut self, job: &mut Job<'_>) -> Result<Option<Stop>, EngineError> {
        let mut controller = Controller::new(self.options.batch_target, rows(FIRST));
        self.limited_in(job, &mut controller, &Scope::Anywhere).await
    }

    /// Batches in `scope` until one finds nothing.
    pub(crate) async fn limited_in(
        &mut self,
        job: &mut Job<'_>,
        controller: &mut Controller,
        scope: &Scope,
    ) -> Result<Option<Stop>, EngineError> {
        loop {
            if let Some(stop) = self.may_go_on(job).await {
                return Ok(Some(stop));
            }
            let limit = controller.size();
            match self
                .careful(job, scope.clone(), Some(limit), controller, None, None)
                .await?
            {
                // Locked rows are left out, so fewer than asked for does not mean that there are no more: the statement
                // looked at all of them.
                Step::On(done) if done.rows < limit => return Ok(None),
                Step::On(done) => controller.done(limit, done.rows, done.elapsed),
                Step::Again => {}
                Step::Past | Step::Referenced => return Ok(None),
            }
        }
    }
}

/// Bounds for batches that are counted in rows.
pub(crate) fn rows(first: u64) -> Bounds {
    Bounds {
        first,
        min: 1,
        max: LARGEST,
        share: f64::INFINITY,
        density: 1.0,
    }
}
