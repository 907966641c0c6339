//! Owns the sweep block range by block range, in several commits each. Pruning frees the old versions of one pass before
//! the next, so new versions find room on their own page and no index is touched (HOT).
//!
//! The first pass takes one row of each block. A full page has no room for it: it moves, and leaves room for the next. As pages
//! get emptier (values that became NULL take no room), passes grow. A row that moves is dear: an entry in each index, and,
//! behind a checkpoint, a whole page of WAL for the page that it goes to and for each index page. Between two passes whoever
//! could still see the old versions is waited for ([`crate::horizon`]).
//!
//! Somebody's old snapshot keeps pages from being pruned: then passes cost and do not help, and blocks are taken at once.

use crate::controller::{Bounds, Controller};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::horizon::Horizon;
use crate::job::{Job, Step, Stop};
use crate::statement::{Part, Scope};
use crate::tid_range::bounds;
use std::time::{Duration, Instant};

/// Of 256, the part of a block's rows that the last passes take.
const LARGEST_PART: u32 = 51;
/// A pass whose rows stayed on their pages (this part of them) is followed by a larger one.
const ROOM: f64 = 0.97;
const GROWTH: f64 = 1.3;
/// Batches that the largest passes of a range are divided into; the small ones take the range at once.
const BATCHES: u64 = 4;
/// Blocks of a range at most: it stays in the server's memory from one pass to the next.
const LARGEST_RANGE: u64 = 2048;
/// So many rows must have been changed before the part of HOT among them means anything.
const ENOUGH: u64 = 2000;
/// Below this part passes do not help.
const HELPS: f64 = 0.5;
/// How long blocks are taken at once before passes are tried again.
const PLAIN: Duration = Duration::from_secs(3);

/// Which rows the next pass takes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pass {
    number: u32,
    /// The first one's size.
    first: u32,
    part: Part,
}

impl Pass {
    /// One row of each block, where a block has so many.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
    fn first(rows: f64) -> Self {
        let first = ((f64::from(Part::END) / rows.max(1.0)).ceil() as u32).clamp(1, LARGEST_PART);
        Self {
            number: 0,
            first,
            part: Part { from: 0, to: first },
        }
    }

    const fn size(self) -> u32 {
        self.part.to - self.part.from
    }

    /// Blocks of a batch, where a batch of the largest pass has `largest`.
    fn blocks(self, largest: u64) -> u64 {
        // Rows of the first passes find no room yet: they move, and are written to every index.
        let dear = if self.number < 3 { 4 } else { 1 };
        (largest * u64::from(LARGEST_PART) / u64::from(self.size() * dear)).max(1)
    }

    const fn is_last(self) -> bool {
        self.part.to >= Part::END
    }

    /// After this one, of whose rows `hot` (0 to 1) stayed on their page. Rows that moved away made room too, so a pass is
    /// never smaller than the one before; and it grows a little in any case, because each pass reads all rows of the range.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2 x 256")]
    fn next(self, hot: f64) -> Self {
        let number = self.number + 1;
        let size = if self.number == 0 || hot < ROOM {
            self.size()
        } else {
            (f64::from(self.size()) * GROWTH).ceil() as u32
        };
        let size = size.max(self.first + number / 2).min(LARGEST_PART);
        let to = self.part.to + size;
        Self {
            number,
            first: self.first,
            part: Part {
                from: self.part.to,
                // No crumbs.
                to: if to + size / 3 >= Part::END { Part::END } else { to },
            },
        }
    }
}

/// Whether passes help, from what they did.
#[derive(Debug, Clone)]
struct Yield {
    rows: u64,
    hot: u64,
    plain_until: Option<Instant>,
    /// The range before had nothing to do.
    idle: bool,
    horizon: Horizon,
}

impl Yield {
    fn new(now: Instant) -> Self {
        Self {
            rows: 0,
            hot: 0,
            plain_until: None,
            idle: false,
            horizon: Horizon::new(now),
        }
    }

    fn passes(&self, now: Instant) -> bool {
        self.plain_until.is_none_or(|until| now >= until)
    }

    /// The first passes find no room yet, so they say nothing.
    fn saw(&mut self, pass: Pass, rows: u64, hot: u64, now: Instant) {
        if pass.number >= 2 {
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
        let whole = bounds(job);
        let mut plain = Controller::new(self.options.batch_target, whole);
        let mut ranges = Controller::new(
            self.options.batch_target,
            Bounds {
                density: whole.density * f64::from(LARGEST_PART) / f64::from(Part::END),
                max: LARGEST_RANGE,
                ..whole
            },
        );
        let mut seen = Yield::new(Instant::now());
        for (mut from, end) in [(first, end), (0, first)] {
            while from < end {
                if seen.passes(Instant::now()) {
                    let to = end.min(from + (ranges.size() * BATCHES).min(LARGEST_RANGE));
                    if let Some(stop) = self.passes(job, &mut ranges, &mut plain, (from, to), &mut seen).await? {
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
        ranges: &mut Controller,
        plain: &mut Controller,
        (from, to): (u64, u64),
        seen: &mut Yield,
    ) -> Result<Option<Stop>, EngineError> {
        let mut pass = Pass::first(bounds(job).density);
        let mut nothing = true;
        loop {
            // Until the last pass the range is not done: a run that goes on later begins it again.
            let position = format!("block:{}", if pass.is_last() { to } else { from });
            if !nothing {
                self.until_prunable(&mut seen.horizon).await;
            }
            let (mut rows, mut hot) = (0, 0);
            let mut at = from;
            while at < to {
                if let Some(stop) = self.may_go_on(job).await {
                    return Ok(Some(stop));
                }
                let next = to.min(at + pass.blocks(ranges.size()));
                let scope = Scope::Blocks {
                    from: at,
                    to: next,
                    part: Some(pass.part),
                };
                // Not opened ahead: writers that began beside one batch would keep its old versions from being pruned in the next.
                let position = Some(position.clone());
                match self.careful(job, scope, None, ranges, position, None).await? {
                    Step::On(done) => {
                        seen.saw(pass, done.rows, done.hot, Instant::now());
                        rows += done.rows;
                        hot += done.hot;
                        // Small passes mostly look, and the first one writes more: neither says how long rows take.
                        if pass.size() >= LARGEST_PART / 2 {
                            ranges.done(next - at, done.rows, done.elapsed);
                        }
                        at = next;
                    }
                    Step::Again => {}
                    Step::Past | Step::Referenced => at = next,
                }
            }
            tracing::trace!(
                from,
                to,
                pass = pass.number,
                part = pass.size(),
                rows,
                hot,
                "a pass is done"
            );
            nothing &= rows == 0;
            let enough = if seen.idle { 0 } else { 2 };
            if nothing && pass.number == enough {
                seen.idle = true;
            } else if rows > 0 {
                seen.idle = false;
            }
            if pass.is_last() {
                return Ok(None);
            }
            if seen.idle || !seen.passes(Instant::now()) {
                // Most likely there is nothing at all, or passes do not help: one look at the whole range is cheaper.
                return self.tid_stretch(job, plain, from, to).await;
            }
            pass = pass.next(if rows == 0 { 1.0 } else { hot as f64 / rows as f64 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(rows: f64, hot: f64) -> Vec<Pass> {
        let mut passes = vec![Pass::first(rows)];
        while let Some(last) = passes.last().copied().filter(|pass| !pass.is_last()) {
            passes.push(last.next(hot));
        }
        passes
    }

    #[test]
    fn passes_take_every_row_once() {
        let rows = [0.0, 1.0, 5.0, 20.0, 65.0, 226.0, 1e9];
        for (rows, hot) in rows
            .iter()
            .flat_map(|rows| [0.0, 0.5, 0.8, 1.0].map(|hot| (*rows, hot)))
        {
            let passes = all(rows, hot);
            assert_eq!(passes[0].part.from, 0);
            assert_eq!(passes.last().unwrap().part.to, Part::END);
            assert!(
                passes.windows(2).all(|pair| pair[0].part.to == pair[1].part.from),
                "{passes:?}"
            );
            assert!(passes.iter().all(|pass| pass.size() > 0), "{passes:?}");
            assert!(passes.len() <= 32, "{} passes of {rows} rows, hot {hot}", passes.len());
        }
        assert_eq!(Pass::first(65.0).size(), 4, "one of 65 rows");
        assert!(all(65.0, 1.0).len() <= 12, "{}", all(65.0, 1.0).len());
        assert!(all(5.0, 1.0).len() <= 6, "{}", all(5.0, 1.0).len());
    }
}
