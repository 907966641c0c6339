//! The run by time: slices for a chart, and the worst ten seconds with where their time went.

use super::{
    Tally,
    cells::{PhaseSums, Stretch},
};
use crate::summary::{Phases, Slice, WorstWindow};

/// Most slices of a summary.
const MOST_SLICES: usize = 120;
/// Width of the window.
const WINDOW_NS: u64 = 10_000_000_000;

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

impl Tally {
    /// Latency over time, up to the last request that was due.
    pub(super) fn slices(&self) -> Vec<Slice> {
        let cells = self.cells.cells();
        let used = cells
            .iter()
            .rposition(|cell| cell.scheduled > 0)
            .map_or(0, |last| last + 1);
        let step = cells.len().div_ceil(MOST_SLICES);
        (0..used)
            .step_by(step)
            .map(|from| {
                let to = (from + step).min(cells.len());
                let stretch = self.cells.stretch(from, to);
                let quantiles = stretch.quantiles(&[0.5, 0.95, 0.99]);
                let at = |index: usize| quantiles.get(index).copied().flatten();
                let max_ms = stretch.sum.max as f64 / 1e6;
                // The bucket that holds the largest may reach beyond it.
                let within = |value: Option<f64>| value.map(|ms| ms.min(max_ms));
                Slice {
                    start_s: seconds(from as u64 * self.cells.width()),
                    width_s: self.end_of(to) - seconds(from as u64 * self.cells.width()),
                    scheduled: stretch.sum.scheduled,
                    failed: stretch.sum.failed,
                    p50_ms: within(at(0)),
                    p95_ms: within(at(1)),
                    p99_ms: within(at(2)),
                    max_ms: (stretch.sum.max > 0).then_some(max_ms),
                }
            })
            .collect()
    }

    /// Where a cell before `to` ends: not after the schedule.
    fn end_of(&self, to: usize) -> f64 {
        let end = (to as u64).saturating_mul(self.cells.width());
        seconds(if self.counted_ns == 0 {
            end
        } else {
            end.min(self.counted_ns)
        })
    }

    /// The worst 10 s: by the judged p95, then by failures, then by the mean. It moves by whole cells.
    pub(super) fn worst_window(&self) -> Option<WorstWindow> {
        let cells = self.cells.cells();
        let length = usize::try_from(WINDOW_NS.div_ceil(self.cells.width()))
            .unwrap_or(1)
            .clamp(1, cells.len());
        let mut stretch = self.cells.stretch(0, length);
        let mut worst: Option<(usize, Badness, Stretch)> = None;
        for from in 0..=cells.len() - length {
            if from > 0 {
                self.cells.slide(&mut stretch, from - 1, from + length - 1);
            }
            if stretch.sum.scheduled == 0 {
                continue;
            }
            let badness = Badness::of(&stretch);
            if worst.as_ref().is_none_or(|(_, known, _)| badness.is_worse_than(known)) {
                worst = Some((from, badness, stretch.clone()));
            }
        }
        let (from, badness, stretch) = worst?;
        let start_s = seconds(from as u64 * self.cells.width());
        Some(WorstWindow {
            start_s,
            width_s: self.end_of(from + length) - start_s,
            scheduled: stretch.sum.scheduled,
            failed: stretch.sum.failed,
            p95_ms: badness.p95_ms,
            phases: phases(stretch.sum.phases, stretch.sum.scheduled),
        })
    }
}

/// How bad a window is.
#[derive(Debug, Clone, Copy)]
struct Badness {
    /// `None` is infinite.
    p95_ms: Option<f64>,
    failed: u64,
    mean: f64,
}

impl Badness {
    fn of(stretch: &Stretch) -> Self {
        let spent: u64 = stretch.sum.phases.iter().fold(0, |sum, ns| sum.saturating_add(*ns));
        Self {
            p95_ms: stretch.quantiles(&[0.95]).first().copied().flatten(),
            failed: stretch.sum.failed,
            mean: spent as f64 / stretch.sum.scheduled.max(1) as f64,
        }
    }

    fn is_worse_than(&self, other: &Self) -> bool {
        let p95 = |badness: &Self| badness.p95_ms.unwrap_or(f64::INFINITY);
        p95(self)
            .total_cmp(&p95(other))
            .then(self.failed.cmp(&other.failed))
            .then(self.mean.total_cmp(&other.mean))
            .is_gt()
    }
}

fn phases(sums: PhaseSums, requests: u64) -> Phases {
    let [lag_ms, queue_ms, connect_ms, tls_ms, server_ms, receive_ms] =
        sums.map(|sum| sum as f64 / 1e6 / requests.max(1) as f64);
    Phases {
        lag_ms,
        queue_ms,
        connect_ms,
        tls_ms,
        server_ms,
        receive_ms,
    }
}
