//! Owns the way around rows that foreign keys keep although the predicate calls them free: because somebody referred to them
//! a moment ago, or because a cascade leads through one key again and again, further than the predicate looks.
//!
//! One such row fails the whole batch. The place is halved until it stands alone, and everything beside it goes.

use crate::batch::Ended;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Stop};
use crate::statement::{Place, Scope, Taking};

/// More than a block of any size has rows.
const ROWS: u64 = 2048;
/// So many rows are looked for one by one in a sweep: each costs a dozen batches.
const MOST: u32 = 500;

fn place(at: u64) -> Place {
    Place {
        block: at / ROWS,
        number: at % ROWS,
    }
}

/// Where to part `from..to`: between two blocks if there are several. `None`: it is one row's place.
fn middle(from: u64, to: u64) -> Option<u64> {
    let half = from + (to - from) / 2;
    let block = half / ROWS * ROWS;
    if block > from {
        Some(block)
    } else {
        (half > from).then_some(half)
    }
}

impl Engine {
    /// Blocks `from..to`, in which a batch was refused by a foreign key.
    pub(crate) async fn around(&mut self, job: &mut Job<'_>, from: u64, to: u64) -> Result<Option<Stop>, EngineError> {
        let mut left = Vec::new();
        let part = |left: &mut Vec<(u64, u64)>, from, to| match middle(from, to) {
            Some(middle) => left.extend([(middle, to), (from, middle)]),
            None => left.push((from, to)),
        };
        part(&mut left, from * ROWS, to * ROWS);
        let mut kept = 0;
        while let Some((from, to)) = left.pop() {
            if let Some(stop) = self.may_go_on(job).await {
                return Ok(Some(stop));
            }
            let mut taking = Taking {
                scope: Scope::Places {
                    from: place(from),
                    to: place(to),
                },
                limit: None,
                skip_locked: false,
            };
            let mut ended = self.batch(job, &taking, None, None).await?;
            if ended == Ended::TooMany {
                taking.limit = job.left(self);
                job.sums.skipped = true;
                ended = self.batch(job, &taking, None, None).await?;
            }
            match ended {
                Ended::Done(done) => self.account(job, done),
                Ended::TooMany | Ended::Locked => job.sums.skipped = true,
                Ended::Referenced if to - from > 1 => part(&mut left, from, to),
                Ended::Referenced => {
                    kept += 1;
                    job.sums.kept += 1;
                    if kept == MOST {
                        tracing::warn!(
                            rule = job.task.rule,
                            table = job.leaf.relation.shown(),
                            rows = kept,
                            "foreign keys keep that many rows in a few blocks; what lies beside them is left for the next sweep"
                        );
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn halving_ends_at_every_place_once(from in 0_u64..5000, length in 1_u64..5000) {
            let mut left = vec![(from, from + length)];
            let mut next = from;
            while let Some((from, to)) = left.pop() {
                if let Some(middle) = middle(from, to) {
                    prop_assert!(from < middle && middle < to);
                    left.extend([(middle, to), (from, middle)]);
                } else {
                    prop_assert_eq!((from, to), (next, next + 1));
                    next = to;
                }
            }
            prop_assert_eq!(next, from + length);
        }
    }

    #[test]
    fn blocks_are_parted_before_rows() {
        assert_eq!(middle(0, 4 * ROWS), Some(2 * ROWS));
        assert_eq!(middle(3 * ROWS, 5 * ROWS), Some(4 * ROWS));
        assert_eq!(middle(ROWS, 2 * ROWS), Some(ROWS + ROWS / 2));
    }
}
