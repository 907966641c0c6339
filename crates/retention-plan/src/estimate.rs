//! Owns the estimate of WAL and time. Pure, and rough: it says minutes or hours, not seconds.
//!
//! The figures were measured on PostgreSQL 15 with two cores, 3M rows, half of them due; other machines differ by a small
//! factor, and so does the first change of a page after a checkpoint, which writes the whole page (8 KiB).

use crate::model::Strategy;
use serde::Serialize;

/// WAL of one deleted row with a primary key only, in the heap's order; scattered rows make 500, because more pages are
/// written whole.
const DELETE_WAL: f64 = 278.0;
const DELETE_WAL_SCATTERED: f64 = 505.0;
/// WAL of one row that is anonymised: by HOT, and by a plain update of a table with four indexes.
const HOT_WAL: f64 = 383.0;
const UPDATE_WAL: f64 = 790.0;
const MEASURED_INDEXES: f64 = 4.0;
/// The mean width of the rows that were measured.
const MEASURED_WIDTH: f64 = 100.0;
/// Rows per second.
const DELETE_RATE: f64 = 861_000.0;
const KEYSET_RATE: f64 = 952_000.0;
const KEYSET_RATE_SCATTERED: f64 = 201_000.0;
const LIMITED_RATE: f64 = 488_000.0;
const HOT_RATE: f64 = 118_000.0;
const UPDATE_RATE: f64 = 42_000.0;
/// Rows per second that are only read.
const READ_RATE: f64 = 3_000_000.0;

/// What one leaf is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Rows to be done.
    pub todo: u64,
    /// Rows of the leaf.
    pub rows: f64,
    /// Mean width of a row in bytes; 0: unknown.
    pub width: f64,
    /// Indexes.
    pub indexes: u32,
    /// How.
    pub strategy: Strategy,
    /// Rows are changed, not deleted.
    pub updates: bool,
    /// Rows lie in the order of the age column.
    pub in_order: bool,
}

/// About so much.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Estimate {
    /// Bytes of WAL.
    pub wal_bytes: u64,
    /// Seconds, without throttling.
    pub seconds: f64,
}

impl std::ops::Add for Estimate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wal_bytes: self.wal_bytes.saturating_add(other.wal_bytes),
            seconds: self.seconds + other.seconds,
        }
    }
}

/// Estimates one leaf.
pub fn estimate(shape: &Shape) -> Estimate {
    if shape.todo == 0 {
        return Estimate::default();
    }
    let todo = shape.todo as f64;
    if shape.strategy == Strategy::Partition {
        return Estimate {
            wal_bytes: 64 * 1024,
            seconds: 0.1,
        };
    }
    // A new version of the row is logged, an old one only marked.
    let wider = if shape.updates && shape.width > 0.0 {
        (shape.width - MEASURED_WIDTH).max(0.0)
    } else {
        0.0
    };
    let per_index = (UPDATE_WAL - HOT_WAL) / MEASURED_INDEXES;
    let wal = match (shape.updates, shape.strategy) {
        (true, Strategy::HotPasses) => HOT_WAL + wider,
        (true, _) => HOT_WAL + per_index * f64::from(shape.indexes) + wider,
        (false, _) if shape.in_order => DELETE_WAL,
        (false, _) => DELETE_WAL_SCATTERED,
    };
    let rate = match (shape.updates, shape.strategy) {
        (true, Strategy::HotPasses) => HOT_RATE,
        (true, _) => UPDATE_RATE,
        (false, Strategy::Keyset) if shape.in_order => KEYSET_RATE,
        (false, Strategy::Keyset) => KEYSET_RATE_SCATTERED,
        (false, Strategy::Limited) => LIMITED_RATE,
        (false, _) => DELETE_RATE,
    };
    let read = match shape.strategy {
        Strategy::TidRange | Strategy::HotPasses => (shape.rows - todo).max(0.0) / READ_RATE,
        Strategy::Keyset | Strategy::Limited | Strategy::Partition => 0.0,
    };
    Estimate {
        wal_bytes: whole(wal * todo),
        seconds: todo / rate + read,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A float that is too large becomes the largest integer.
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(strategy: Strategy, updates: bool) -> Shape {
        Shape {
            todo: 1_500_000,
            rows: 3_000_000.0,
            width: 100.0,
            indexes: 4,
            strategy,
            updates,
            in_order: true,
        }
    }

    #[test]
    fn what_was_measured_comes_out_again() {
        let delete = estimate(&shape(Strategy::TidRange, false));
        assert_eq!(delete.wal_bytes, 278 * 1_500_000);
        assert!((1.7..2.4).contains(&delete.seconds), "{delete:?}");
        let hot = estimate(&shape(Strategy::HotPasses, true));
        assert_eq!(hot.wal_bytes, 383 * 1_500_000);
        let plain = estimate(&shape(Strategy::TidRange, true));
        assert_eq!(plain.wal_bytes, 790 * 1_500_000);
        assert!(hot.seconds * 2.0 < plain.seconds, "{hot:?} {plain:?}");
    }

    #[test]
    fn nothing_to_do_costs_nothing_and_a_partition_next_to_nothing() {
        for strategy in [Strategy::Keyset, Strategy::TidRange, Strategy::Partition] {
            let idle = Shape {
                todo: 0,
                ..shape(strategy, false)
            };
            assert_eq!(estimate(&idle), Estimate::default());
        }
        assert!(estimate(&shape(Strategy::Partition, false)).wal_bytes < 1_000_000);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let most = Shape {
            todo: u64::MAX,
            width: f64::MAX,
            ..shape(Strategy::TidRange, true)
        };
        assert_eq!(estimate(&most).wal_bytes, u64::MAX);
        assert_eq!((estimate(&most) + estimate(&most)).wal_bytes, u64::MAX);
    }
}
