//! Everything that is kept of the samples, in constant memory.
//!
//! | file | owns |
//! |---|---|
//! | `spec.rs` | what must be known of the plan; which samples a threshold's tags mean |
//! | `histogram.rs`, `quantile.rs` | durations, and order statistics of them |
//! | `limit.rs` | exact counts for thresholds, by stretches of the schedule |
//! | `series.rs` | one metric, whole or by tags |
//! | `cells.rs` | the run by time |
//! | `evidence.rs` | what the judge is given; judging again by other thresholds |
//! | `figures.rs`, `time.rs` | the [`Summary`](crate::summary::Summary) |
//! | `dump.rs`, `restore.rs`, `hdr.rs` | the tally as part of a result document, and back |
//!
//! # Memory
//! Nothing grows with the number of requests or the length of the run. Histograms and cells are allocated in pieces of 1 to 4
//! KiB when a latency first falls there, and never again for that range: after its first seconds a run allocates nothing.
//!
//! | | typical run (1 to 1,000 ms) | the worst that any latencies can do |
//! |---|---|---|
//! | empty | 0.15 MiB | |
//! | all metrics without tags | 1.3 MiB | 8.3 MiB |
//! | each `http_req_duration{...}` more | 0.7 MiB | 4.6 MiB |
//! | each other metric with tags more | 0.05 MiB | 0.2 MiB |
//!
//! [`Tally::memory`] tells. Recording takes 80 ns (130 ns with three metrics by tags) at `opt-level = "s"`.
//!
//! # Accuracy
//! Counts of thresholds are exact, in nanoseconds. Quantiles of `http_req_duration` err by less than 1/16,000 of the value (or 16
//! ns), before interpolation makes it less; those of other metrics by less than 1/1,000; slices and windows by about 1 %.

mod cells;
mod dump;
mod evidence;
mod figures;
mod hdr;
mod histogram;
mod limit;
mod quantile;
mod restore;
mod series;
mod spec;
#[cfg(test)]
mod tests;
mod time;

pub use dump::{
    CellDump, CheckDump, DataDump, DumpError, HistogramDump, RequestDump, SeriesDump, TallyDump, ThresholdDump,
};
pub use evidence::RejudgeError;
pub use figures::Live;
pub use hdr::HdrError;
pub use spec::{RequestSpec, Tags, TallySpec};

use crate::{
    Outcome, Sample,
    judge::{Ranked, RunTotals},
    threshold::{Metric, MetricKey},
};
use cells::Cells;
use limit::BATCHES;
use series::{Data, Gauge, Measured, Series};
use std::{sync::Arc, time::Duration};

/// Statuses are counted up to here; what is above cannot be sent by HTTP.
const STATUSES: usize = 1000;

/// Everything that is kept of the samples of one thread, or of a whole run.
#[derive(Debug, Clone)]
pub struct Tally {
    spec: Arc<TallySpec>,
    /// Metrics without tags, in the order of [`Metric::ALL`]; behind them those of thresholds with tags.
    series: Vec<Series>,
    /// By `scenario * requests + request`: the series with tags that such a sample may belong to.
    tagged: Vec<Vec<u32>>,
    cells: Cells,
    outcomes: [u64; 11],
    statuses: Vec<u64>,
    /// By check: passed, failed.
    checks: Vec<[u64; 2]>,
    warm_up: u64,
    counted_ns: u64,
    warm_up_ns: u64,
    /// Last moment at which a request was due, nanoseconds since the start of the counted schedule.
    last_due: u64,
    /// How much of the counted schedule was carried out, if it was said.
    elapsed: Option<Duration>,
}

/// Tallies of different plans cannot become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these are figures of different plans: {what} differ; only runs of the same plan can be merged")]
pub struct MergeError {
    /// What is not the same.
    pub what: &'static str,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Tally {
    /// An empty one.
    pub fn new(spec: Arc<TallySpec>) -> Self {
        let mut series: Vec<Series> = Metric::ALL
            .into_iter()
            .map(|metric| Series::new(&spec, MetricKey::plain(metric)))
            .collect();
        for (order, threshold) in spec.thresholds.iter().enumerate() {
            let at = series.iter().position(|series| same_key(&series.key, &threshold.key));
            let at = at.unwrap_or_else(|| {
                series.push(Series::new(&spec, threshold.key.clone()));
                series.len() - 1
            });
            if let Some(series) = series.get_mut(at) {
                series.watch(order, threshold);
            }
        }
        let kinds = (0..spec.scenarios.len())
            .flat_map(|scenario| (0..spec.requests.len()).map(move |request| (scenario, request)));
        let tagged = kinds
            .map(|(scenario, request)| {
                let tagged = series.iter().enumerate().skip(Metric::ALL.len());
                tagged
                    .filter(|(_, series)| series.filter.matches_plan(&spec, scenario, request))
                    .filter_map(|(at, _)| u32::try_from(at).ok())
                    .collect()
            })
            .collect();
        let counted_ns = nanoseconds(spec.counted);
        Self {
            tagged,
            series,
            cells: Cells::new(counted_ns),
            outcomes: [0; 11],
            statuses: vec![0; STATUSES],
            checks: vec![[0; 2]; spec.checks.len()],
            warm_up: 0,
            counted_ns,
            warm_up_ns: nanoseconds(spec.warm_up),
            last_due: 0,
            elapsed: None,
            spec,
        }
    }

    /// The plan's part.
    pub fn spec(&self) -> &TallySpec {
        &self.spec
    }

    /// Takes one sample. Warm-up samples are only counted.
    pub fn record(&mut self, sample: &Sample) {
        if sample.warm_up {
            self.warm_up += 1;
            return;
        }
        let due = sample.due_ns.saturating_sub(self.warm_up_ns);
        self.last_due = self.last_due.max(due);
        let measured = Measured::new(sample, self.batch(due));
        self.outcomes[sample.outcome as usize] += 1;
        if let Some(count) = self.statuses.get_mut(usize::from(sample.status)) {
            *count += 1;
        }
        let mut made = sample.checks_made;
        while made != 0 {
            let check = made.trailing_zeros();
            if let Some(counts) = self.checks.get_mut(check as usize) {
                counts[(sample.checks_failed >> check & 1) as usize] += 1;
            }
            made &= made - 1;
        }
        self.cells.record(due, sample, sample.judged_ns());
        for series in &mut self.series[..Metric::ALL.len()] {
            series.record(sample, &measured);
        }
        let kind = usize::from(sample.scenario) * self.spec.requests.len() + usize::from(sample.request);
        for at in self.tagged.get(kind).into_iter().flatten() {
            let series = &mut self.series[*at as usize];
            if series.filter.matches_answer(sample) {
                series.record(sample, &measured);
            }
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn batch(&self, due: u64) -> usize {
        let batches = BATCHES as u64;
        (due.saturating_mul(batches) / self.counted_ns.max(1)).min(batches - 1) as usize
    }

    /// Notes how many connections are in use (k6's `vus`).
    pub fn connection_gauge(&mut self, in_use: usize) {
        let value = in_use as f64;
        for metric in [Metric::Vus, Metric::VusMax] {
            let Some(series) = self
                .series
                .iter_mut()
                .find(|series| series.key.metric == metric && series.key.tags.is_empty())
            else {
                continue;
            };
            let first = series.requests == 0;
            series.requests += 1;
            if let Data::Gauge(gauge) = &mut series.data {
                let max = if first { value } else { gauge.max.max(value) };
                *gauge = Gauge {
                    value: if metric == Metric::VusMax { max } else { value },
                    min: if first { value } else { gauge.min.min(value) },
                    max,
                };
            }
        }
    }

    /// Says how much of the counted schedule was carried out, when the run ends before its time. Otherwise it is taken as
    /// complete once all that was planned is here, and as far as the last request that was due before.
    pub fn set_elapsed(&mut self, counted: Duration) {
        self.elapsed = Some(counted.min(self.spec.counted));
    }

    /// Adds what another thread of the same run has: both were made with the same plan. The number that was planned stays.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if !Arc::ptr_eq(&self.spec, &other.spec) {
            self.check_same_plan(other)?;
        }
        for (mine, theirs) in self.series.iter_mut().zip(&other.series) {
            mine.add(theirs);
        }
        self.cells.add(&other.cells);
        add_all(&mut self.outcomes, &other.outcomes);
        add_all(&mut self.statuses, &other.statuses);
        for (mine, theirs) in self.checks.iter_mut().zip(&other.checks) {
            add_all(mine, theirs);
        }
        self.warm_up = self.warm_up.saturating_add(other.warm_up);
        self.last_due = self.last_due.max(other.last_due);
        self.elapsed = match (self.elapsed, other.elapsed) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        Ok(())
    }

    /// Adds another run of the same plan beside this one (another pod): what it had planned is added too.
    pub fn merge_pod(&mut self, other: &Self) -> Result<(), MergeError> {
        self.merge(other)?;
        let mut spec = TallySpec::clone(&self.spec);
        add_all(&mut spec.planned, &other.spec.planned);
        self.spec = Arc::new(spec);
        Ok(())
    }

    fn check_same_plan(&self, other: &Self) -> Result<(), MergeError> {
        let (a, b) = (&self.spec, &other.spec);
        let same = [
            (
                "the lengths of the schedules",
                a.counted == b.counted && a.warm_up == b.warm_up,
            ),
            ("the thresholds", a.thresholds == b.thresholds),
            ("the checks", a.checks == b.checks),
            (
                "the scenarios",
                a.scenarios == b.scenarios && a.planned.len() == b.planned.len(),
            ),
            ("the requests", a.requests == b.requests),
            ("the timeouts", a.timeout == b.timeout),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(MergeError { what }),
            None => Ok(()),
        }
    }

    /// Requests that were due so far.
    pub fn scheduled(&self) -> u64 {
        self.outcomes.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Requests of the warm-up, which nothing else counts.
    pub fn warmed_up(&self) -> u64 {
        self.warm_up
    }

    /// Figures of the whole run for the judge.
    pub fn totals(&self, interrupted: bool) -> RunTotals {
        let (scheduled, planned) = (self.scheduled(), self.spec.planned_total());
        RunTotals {
            scheduled,
            succeeded: self.outcomes[Outcome::Ok as usize],
            outcomes: self.outcomes,
            completed: if planned == 0 {
                1.0
            } else {
                (scheduled as f64 / planned as f64).min(1.0)
            },
            interrupted,
            timeout_ms: self.spec.timeout.as_secs_f64() * 1e3,
        }
    }

    /// A quantile (0 to 1) of the send lag in milliseconds; 0 without requests.
    pub fn lag(&self, quantile: f64) -> f64 {
        match &self.base(Metric::SendLag).data {
            Data::Trend(trend) => trend.judged.population().quantile(quantile).unwrap_or(0.0),
            _ => 0.0,
        }
    }

    /// The judged latencies of all requests, for comparing two runs.
    pub fn judged(&self) -> Option<&dyn Ranked> {
        match &self.base(Metric::HttpReqDuration).data {
            Data::Trend(trend) => Some(&trend.judged),
            _ => None,
        }
    }

    /// Bytes on the heap that the figures take.
    pub fn memory(&self) -> usize {
        self.cells.memory()
            + self.series.iter().map(Series::memory).sum::<usize>()
            + self.series.capacity() * size_of::<Series>()
            + self.statuses.capacity() * 8
    }

    fn base(&self, metric: Metric) -> &Series {
        let at = Metric::ALL.iter().position(|known| *known == metric).unwrap_or(0);
        &self.series[at]
    }

    /// Seconds of the counted schedule that the figures are about.
    fn seconds(&self) -> f64 {
        let done = self.spec.planned_total() <= self.scheduled();
        match self.elapsed {
            Some(elapsed) => elapsed.as_secs_f64(),
            None if done => self.spec.counted.as_secs_f64(),
            None => (self.last_due as f64 / 1e9).min(self.spec.counted.as_secs_f64()),
        }
    }
}

/// The same metric and the same tags, in whatever order.
fn same_key(a: &MetricKey, b: &MetricKey) -> bool {
    a.metric == b.metric && a.tags.len() == b.tags.len() && a.tags.iter().all(|tag| b.tags.contains(tag))
}

fn add_all(mine: &mut [u64], theirs: &[u64]) {
    for (a, b) in mine.iter_mut().zip(theirs) {
        *a = a.saturating_add(*b);
    }
}
