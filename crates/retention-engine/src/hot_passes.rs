//! Owns the sweep block range by block range, in several commits each. The first pass moves every k-th row of a page
//! elsewhere; from then on pruning frees the old versions of one pass before the next, so new versions stay on the page
//! and no index is touched (HOT).
//!
//! Somebody's old snapshot keeps pages from being pruned: then passes cost and do not help, and blocks are taken at once.

use crate::controller::{Bounds, Controller};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Step, Stop};
use crate::statement::Scope;
use crate::tid_range::bounds;
use std::time::{Duration, Instant};

/// Passes a range.
const PASSES: u32 = 8;
/// So many rows, all but the first pass's, must have been changed before the part of HOT among them means anything.
const ENOUGH: u64 = 2000;
/// Below this part passes do not help.
const HELPS: f64 = 0.5;
/// How long blocks are taken at once before passes are tried again.
const PLAIN: Duration = Duration::from_secs(30);

/// Whether passes help, from what they did.
#[derive(Debug, Clone, Default)]
struct Yield {
    rows: u64,
    hot: u64,
    plain_until: Option<Instant>,
}

impl Yield {
    fn passes(&self, now: Instant) -> bool {
        self.plain_until.is_none_or(|until| now >= until)
    }

    fn saw(&mut self, pass: u32, rows: u64, hot: u64, now: Instant) {
        if pass > 0 {
            self.rows += rows;
            self.hot += hot;
        }
        if self.rows < ENOUGH {
            return;
        }
        if (self.hot as f64) < HELPS * self.rows as f64 {
            self.plain_until = Some(now + PLAIN);
        }
        self.rows = 0;
        self.hot = 0;
    }
}

impl Engine {
    /// Sweeps a leaf; begins where an unfinished run stopped, and wraps around.
    pub(crate) async fn hot_passes(&mut self, job: &mut Job<'_>) -> Result<Option<Stop>, EngineError> {
        let end = self.blocks(job).await?;
        let first = self.resume_at(job);
        let first = if first < end { first } else { 0 };
        let mut plain = Controller::new(self.options.batch_target, bounds(job));
        let whole = bounds(job);
        let mut controller = Controller::new(
            self.options.batch_target,
            Bounds {
                density: whole.density / f64::from(PASSES),
                ..whole
            },
        );
        let mut seen = Yield::default();
        for (mut from, end) in [(first, end), (0, first)] {
            while from < end {
                if seen.passes(Instant::now()) {
                    let to = end.min(from + controller.size());
                    if let Some(stop) = self.passes(job, &mut controller, (from, to), &mut seen).await? {
                        return Ok(Some(stop));
                    }
                    from = to;
                } else {
                    let to = end.min(from + plain.size());
                    if let Some(stop) = self.tid_stretch(job, &mut plain, from, to).await? {
                        return Ok(Some(stop));
                    }
                    from = to;
                }
            }
        }
        // What grew meanwhile are rows that we moved, and new ones: neither is due, and the count afterwards tells.
        Ok(None)
    }

    async fn passes(
        &mut self,
        job: &mut Job<'_>,
        controller: &mut Controller,
        (from, to): (u64, u64),
        seen: &mut Yield,
    ) -> Result<Option<Stop>, EngineError> {
        let blocks = to - from;
        let mut slowest = Duration::ZERO;
        let mut most = 0;
        for pass in 0..PASSES {
            loop {
                if let Some(stop) = self.may_go_on(job).await {
                    return Ok(Some(stop));
                }
                let scope = Scope::Blocks {
                    from,
                    to,
                    pass: Some((pass, PASSES)),
                };
                // Until the last pass the range is not done: a run that goes on later begins it again.
                let position = format!("block:{}", if pass + 1 == PASSES { to } else { from });
                match self.careful(job, scope, None, controller, Some(position)).await? {
                    Step::On(done) => {
                        slowest = slowest.max(done.elapsed);
                        most = most.max(done.rows);
                        seen.saw(pass, done.rows, done.hot, Instant::now());
                        break;
                    }
                    Step::Again => {}
                    Step::Past => break,
                }
            }
            if pass == 0 && most == 0 {
                // Nothing in the first eighth: most likely nothing at all; one look at the whole range is cheaper.
                return self.tid_stretch(job, &mut controller.clone(), from, to).await;
            }
        }
        controller.done(blocks, most, slowest);
        Ok(None)
    }
}
