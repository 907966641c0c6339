//! The arrivals of one sending thread, in order of time. Constant memory: each is computed when it is asked for.

use super::{Inner, Lane};
use std::sync::Arc;

/// One request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When, in nanoseconds since the start of the schedule (warm-up included).
    pub due_ns: u64,
    /// Its number: 0 to [`Schedule::total`](super::Schedule::total), each once. Rows of a data file go by it. Numbers of one
    /// scenario are in order of time, and one scenario's come after another's.
    pub seq: u64,
    /// Index of the scenario.
    pub scenario: u16,
    /// Index of the request.
    pub request: u16,
    /// In the warm-up: sent, and not counted.
    pub warm_up: bool,
}

/// Iterator over the arrivals of one sending thread. See [`Schedule::arrivals`](super::Schedule::arrivals).
#[derive(Debug, Clone)]
pub struct Arrivals {
    inner: Arc<Inner>,
    cursors: Vec<Cursor>,
    step: u64,
}

/// Where a lane stands.
#[derive(Debug, Clone)]
struct Cursor {
    /// Next index into the lane, warm-up included.
    index: u64,
    /// Piece of the curve that was used last.
    piece: usize,
    /// When that is due; `u64::MAX` after the last.
    due_ns: u64,
}

impl Cursor {
    fn look_up(&mut self, lane: &Lane) {
        let due = if self.index < lane.warm_up_count {
            lane.warm_up.as_ref().and_then(|curve| curve.due(self.index, &mut 0))
        } else {
            let index = self.index - lane.warm_up_count;
            let due = lane.curve.due(index, &mut self.piece);
            due.map(|due| due + lane.offset_ns)
        };
        self.due_ns = due.unwrap_or(u64::MAX);
    }
}

impl Arrivals {
    pub(super) fn new(inner: Arc<Inner>, shard: usize, shards: usize) -> Self {
        let step = shards.max(1);
        let cursors = inner
            .lanes
            .iter()
            .enumerate()
            .map(|(number, lane)| {
                // Another thread begins in each lane, so that many slow lanes do not all begin in the first.
                let first = (shard % step + step - number % step) % step;
                let mut cursor = Cursor {
                    index: first as u64,
                    piece: 0,
                    due_ns: 0,
                };
                cursor.look_up(lane);
                cursor
            })
            .collect();
        Self {
            inner,
            cursors,
            step: step as u64,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let (scenario, cursor) = self
            .cursors
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, cursor)| cursor.due_ns)?;
        if cursor.due_ns == u64::MAX {
            return None;
        }
        let lane = &self.inner.lanes[scenario];
        let warm_up = cursor.index < lane.warm_up_count;
        let in_part = if warm_up {
            cursor.index
        } else {
            cursor.index - lane.warm_up_count
        };
        let arrival = Arrival {
            due_ns: cursor.due_ns,
            seq: lane.first_seq + cursor.index,
            // The plan has fewer than 65,536 scenarios.
            scenario: u16::try_from(scenario).unwrap_or(u16::MAX),
            request: lane.mix.request(in_part),
            warm_up,
        };
        cursor.index += self.step;
        cursor.look_up(lane);
        Some(arrival)
    }
}
