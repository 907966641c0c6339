//! The run by time: cells of equal width by when requests were due, from which slices, windows and batches are made.
//!
//! A cell is [`widths`](width) wide: so many that there are at most [`MOST_CELLS`] whatever the run's length, so memory does not
//! grow with it. All cells have the same buckets (3 % wide, interpolated), which lie bucket by bucket and not cell by cell:
//! latencies use few buckets, and only those are allocated. Order of arrival does not matter.

use super::{
    histogram::Bucket,
    quantile::{interpolate, walk},
};
use crate::Sample;

/// Most cells of a run.
pub(super) const MOST_CELLS: usize = 720;
const SECOND: u64 = 1_000_000_000;
/// The first 64 buckets are 1.024 us wide; then 32 for every doubling.
const UNIT_BITS: u32 = 10;
const BITS: u32 = 6;
/// Latencies from here on (137 s) share the last bucket.
const TOP: u64 = (1 << 37) - 1;

/// Where the time of the requests of a cell went, in nanoseconds: lag, queue, connect, TLS, server, receive.
pub(super) type PhaseSums = [u64; 6];

/// What one cell holds besides its histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) scheduled: u64,
    pub(super) failed: u64,
    /// Largest finite latency.
    pub(super) max: u64,
    pub(super) phases: PhaseSums,
}

impl Cell {
    pub(super) fn add(&mut self, other: &Self) {
        self.scheduled = self.scheduled.saturating_add(other.scheduled);
        self.failed = self.failed.saturating_add(other.failed);
        self.max = self.max.max(other.max);
        for (a, b) in self.phases.iter_mut().zip(other.phases) {
            *a = a.saturating_add(b);
        }
    }
}

/// All cells of a run.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Cells {
    width: u64,
    cells: Vec<Cell>,
    /// By bucket: the counts of every cell; only of buckets that were used.
    rows: Vec<Option<Box<[u32]>>>,
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells")
            .field("width", &self.width)
            .field("cells", &self.cells.len())
            .finish_non_exhaustive()
    }
}

/// The width of a cell: the smallest of 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, ... seconds that makes few enough. It divides 10 s up to
/// runs of two hours, so that a window of 10 s is one of whole cells.
fn width(counted_ns: u64) -> u64 {
    let mut decade = SECOND / 10;
    loop {
        for step in [1, 2, 5] {
            let width = decade.saturating_mul(step);
            if counted_ns.div_ceil(width) <= MOST_CELLS as u64 {
                return width;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

impl Cells {
    pub(super) fn new(counted_ns: u64) -> Self {
        let width = width(counted_ns);
        let cells = usize::try_from(counted_ns.div_ceil(width))
            .unwrap_or(MOST_CELLS)
            .clamp(1, MOST_CELLS);
        Self {
            width,
            cells: vec![Cell::default(); cells],
            rows: vec![None; row(TOP) + 1],
        }
    }

    /// `due` is nanoseconds since the start of the counted schedule.
    #[inline]
    pub(super) fn record(&mut self, due: u64, sample: &Sample, judged: Option<u64>) {
        let count = self.cells.len();
        // A request is due before the end; rounding must not lose the last one.
        let at = usize::try_from(due / self.width).map_or(count - 1, |at| at.min(count - 1));
        let cell = &mut self.cells[at];
        cell.scheduled += 1;
        match judged {
            Some(ns) => {
                cell.max = cell.max.max(ns);
                self.rows[row(ns.min(TOP))].get_or_insert_with(|| vec![0; count].into_boxed_slice())[at] += 1;
            }
            None => cell.failed += 1,
        }
        let cell = &mut self.cells[at];
        let phases = [
            sample.lag_ns,
            sample.queue_ns,
            sample.connect_ns,
            sample.tls_ns,
            sample.first_byte_ns,
            sample.receive_ns,
        ];
        for (sum, ns) in cell.phases.iter_mut().zip(phases) {
            *sum = sum.saturating_add(ns);
        }
    }

    /// Both must be of runs of the same length.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.cells.iter_mut().zip(&other.cells) {
            mine.add(theirs);
        }
        let count = self.cells.len();
        for (mine, theirs) in self.rows.iter_mut().zip(&other.rows) {
            if let Some(theirs) = theirs {
                let mine = mine.get_or_insert_with(|| vec![0; count].into_boxed_slice());
                for (a, b) in mine.iter_mut().zip(theirs.iter()) {
                    *a = a.saturating_add(*b);
                }
            }
        }
    }

    /// Width of a cell in nanoseconds.
    pub(super) const fn width(&self) -> u64 {
        self.width
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// A stretch of cells as one.
    pub(super) fn stretch(&self, from: usize, to: usize) -> Stretch {
        let mut sum = Cell::default();
        self.cells[from..to].iter().for_each(|cell| sum.add(cell));
        let counts = self
            .rows
            .iter()
            .map(|row| {
                row.as_deref()
                    .map_or(0, |row| row[from..to].iter().map(|n| u64::from(*n)).sum())
            })
            .collect();
        Stretch { sum, counts }
    }

    /// Moves a stretch by one cell: `leave` goes, `enter` comes. The largest latency is not kept.
    pub(super) fn slide(&self, stretch: &mut Stretch, leave: usize, enter: usize) {
        for (total, row) in stretch.counts.iter_mut().zip(&self.rows) {
            if let Some(row) = row {
                *total = *total + u64::from(row[enter]) - u64::from(row[leave]);
            }
        }
        let (out, into) = (self.cells[leave], self.cells[enter]);
        stretch.sum.scheduled = stretch.sum.scheduled + into.scheduled - out.scheduled;
        stretch.sum.failed = stretch.sum.failed + into.failed - out.failed;
        for ((sum, into), out) in stretch.sum.phases.iter_mut().zip(into.phases).zip(out.phases) {
            *sum = sum.saturating_add(into).saturating_sub(out);
        }
    }

    /// Latencies of a cell that are at or above `limit`, and failures; in the bucket that the limit cuts, its share.
    pub(super) fn bad(&self, cell: usize, limit: u64) -> f64 {
        let above: f64 = self
            .rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| Some((range(index), row.as_deref()?[cell])))
            .map(|((start, end), count)| {
                let share = (end.saturating_sub(limit.max(start)) as f64 / (end - start) as f64).min(1.0);
                f64::from(count) * share
            })
            .sum();
        above + self.cells[cell].failed as f64
    }

    /// The used buckets of one cell: number and count.
    pub(super) fn buckets_of(&self, cell: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.rows
            .iter()
            .enumerate()
            .filter_map(move |(index, row)| Some((index, row.as_deref()?[cell])))
            .filter(|(_, count)| *count > 0)
    }

    /// Puts a cell back as it was dumped. `false`: there is no such cell or bucket.
    pub(super) fn restore(&mut self, at: usize, cell: Cell, buckets: impl Iterator<Item = (usize, u32)>) -> bool {
        let count = self.cells.len();
        let Some(place) = self.cells.get_mut(at) else {
            return false;
        };
        place.add(&cell);
        for (bucket, n) in buckets {
            let Some(row) = self.rows.get_mut(bucket) else {
                return false;
            };
            let slot = &mut row.get_or_insert_with(|| vec![0; count].into_boxed_slice())[at];
            *slot = slot.saturating_add(n);
        }
        true
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<Cell>()
            + self.rows.capacity() * size_of::<Option<Box<[u32]>>>()
            + self.rows.iter().flatten().count() * self.cells.len() * 4
    }

    /// The most that [`memory`](Self::memory) can become.
    #[cfg(test)]
    pub(super) fn memory_limit(&self) -> usize {
        self.memory() + self.rows.iter().filter(|row| row.is_none()).count() * self.cells.len() * 4
    }
}

/// Several cells as one.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) sum: Cell,
    counts: Vec<u64>,
}

impl Stretch {
    /// Quantiles (ascending) over scheduled requests in milliseconds; `None` is infinite, or no request.
    pub(super) fn quantiles(&self, quantiles: &[f64]) -> Vec<Option<f64>> {
        let count = self.sum.scheduled;
        if count == 0 {
            return vec![None; quantiles.len()];
        }
        interpolate(quantiles, count, |ranks| {
            let buckets = self
                .counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(|(index, count)| {
                    let (start, end) = range(index);
                    Bucket {
                        index,
                        start,
                        end,
                        count: *count,
                    }
                });
            walk(buckets, count - self.sum.failed, ranks)
        })
    }
}

#[inline]
const fn row(ns: u64) -> usize {
    let value = ns >> UNIT_BITS;
    let shift = (64 - BITS).saturating_sub(value.leading_zeros());
    ((shift as usize) << (BITS - 1)) + (value >> shift) as usize
}

const fn range(row: usize) -> (u64, u64) {
    let half = 1usize << (BITS - 1);
    let shift = (row / half).saturating_sub(1);
    let start = (row - shift * half) as u64;
    ((start << shift) << UNIT_BITS, ((start + 1) << shift) << UNIT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_many_cells_and_ten_seconds_are_whole_ones() {
        for seconds in [0, 1, 3, 10, 59, 60, 300, 301, 600, 3600, 7200, 86_400, 10_000_000] {
            let cells = Cells::new(seconds * SECOND);
            assert!(cells.cells.len() <= MOST_CELLS);
            assert!(cells.width * cells.cells.len() as u64 >= seconds * SECOND);
            assert!((10 * SECOND).is_multiple_of(cells.width) || seconds > 7200, "{seconds}");
        }
        assert_eq!(width(60 * SECOND), SECOND / 10);
        assert_eq!(width(300 * SECOND), SECOND / 2);
        assert_eq!(width(7200 * SECOND), 10 * SECOND);
        assert_eq!(width(u64::MAX).saturating_mul(MOST_CELLS as u64), u64::MAX);
    }

    #[test]
    fn buckets_tile_the_range() {
        let mut expected = 0;
        for at in 0..=row(TOP) {
            let (start, end) = range(at);
            assert_eq!((start, row(start), row(end - 1)), (expected, at, at));
            assert!(end - start <= (start / 32).max(1024));
            expected = end;
        }
        assert_eq!(expected, TOP + 1);
    }
}
