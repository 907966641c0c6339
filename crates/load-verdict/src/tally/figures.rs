//! The figures of a run as people read them.

use super::{
    Tally,
    limit::Limit,
    quantile::{Population, ms},
    series::{Data, Series, Trend},
};
use crate::{
    Outcome,
    judge::{Interval, Ranked},
    stats,
    summary::{CheckSummary, CurvePoint, MetricSummary, QuantileRow, Summary},
    threshold::{Metric, MetricKey},
};
use std::collections::BTreeMap;

/// Quantiles of the latency that every summary has, in percent.
const PERCENTS: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0];

/// What a progress display shows. Cheap: one pass over a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live {
    /// Requests that were due and ended.
    pub scheduled: u64,
    /// Requests that got a right answer.
    pub succeeded: u64,
    /// Judged median in milliseconds; `None` is infinite, or no request.
    pub p50_ms: Option<f64>,
    /// Judged 95th percentile.
    pub p95_ms: Option<f64>,
    /// Judged 99th percentile.
    pub p99_ms: Option<f64>,
    /// Requests by how they ended; `outcome as usize` is the index.
    pub outcomes: [u64; 11],
}

impl Tally {
    /// The figures for a progress display.
    pub fn live(&self) -> Live {
        let quantiles = match &self.base(Metric::HttpReqDuration).data {
            Data::Trend(trend) => trend.judged.population().quantiles(&[0.5, 0.95, 0.99]),
            _ => Vec::new(),
        };
        let at = |index: usize| quantiles.get(index).copied().flatten();
        Live {
            scheduled: self.scheduled(),
            succeeded: self.outcomes[Outcome::Ok as usize],
            p50_ms: at(0),
            p95_ms: at(1),
            p99_ms: at(2),
            outcomes: self.outcomes,
        }
    }

    /// All figures. `confidence` is the two-sided coverage of the intervals, for example 0.95.
    pub fn summary(&self, confidence: f64) -> Summary {
        let (latency, curve) = match &self.base(Metric::HttpReqDuration).data {
            Data::Trend(trend) => (self.latency(trend, confidence), curve(trend)),
            _ => (Vec::new(), Vec::new()),
        };
        Summary {
            scheduled: self.scheduled(),
            succeeded: self.outcomes[Outcome::Ok as usize],
            outcomes: self.outcome_counts(),
            statuses: self.status_counts(),
            seconds: self.seconds(),
            metrics: self.metrics(),
            latency,
            curve,
            slices: self.slices(),
            worst_window: self.worst_window(),
            checks: self
                .spec
                .checks
                .iter()
                .zip(&self.checks)
                .map(|(name, [passes, fails])| CheckSummary {
                    name: name.clone(),
                    passes: *passes,
                    fails: *fails,
                })
                .collect(),
        }
    }

    pub(super) fn outcome_counts(&self) -> BTreeMap<String, u64> {
        let counts = Outcome::ALL.into_iter().zip(self.outcomes);
        counts
            .filter(|(_, count)| *count > 0)
            .map(|(outcome, count)| (outcome.as_str().to_owned(), count))
            .collect()
    }

    /// Without 0, which stands for "no response".
    pub(super) fn status_counts(&self) -> BTreeMap<u16, u64> {
        (0..)
            .zip(&self.statuses)
            .skip(1)
            .filter(|(_, count)| **count > 0)
            .map(|(status, count)| (status, *count))
            .collect()
    }

    fn metrics(&self) -> BTreeMap<String, MetricSummary> {
        let seconds = self.seconds();
        let mut metrics: BTreeMap<String, MetricSummary> = self
            .series
            .iter()
            .map(|series| (series.key.to_string(), metric(series, seconds)))
            .collect();
        // k6 always has this one: the durations of the responses that it calls expected.
        if let Data::Trend(trend) = &self.base(Metric::HttpReqDuration).data {
            let key = MetricKey {
                metric: Metric::HttpReqDuration,
                tags: vec![("expected_response".to_owned(), "true".to_owned())],
            };
            let parts = trend.plain.iter().take(1).collect();
            metrics.insert(key.to_string(), trend_summary(&Population { parts, infinite: 0 }));
        }
        metrics
    }

    fn latency(&self, trend: &Trend, confidence: f64) -> Vec<QuantileRow> {
        let mut percents = PERCENTS.to_vec();
        let asked = self
            .spec
            .thresholds
            .iter()
            .filter(|threshold| threshold.key.metric == Metric::HttpReqDuration);
        percents.extend(asked.filter_map(|threshold| Some(threshold.aggregation.quantile()? * 100.0)));
        percents.sort_by(f64::total_cmp);
        percents.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let quantiles: Vec<f64> = percents.iter().map(|percent| percent / 100.0).collect();
        let judged = trend.judged.population().quantiles(&quantiles);
        let plain = trend.plain(Metric::HttpReqDuration).quantiles(&quantiles);
        let rows = percents.iter().zip(judged).zip(plain);
        rows.map(|((percent, judged_ms), plain_ms)| QuantileRow {
            percent: *percent,
            judged_ms,
            interval: self.interval(trend, percent / 100.0, judged_ms, confidence),
            plain_ms,
        })
        .collect()
    }

    /// The interval of a judged quantile: order statistics, widened by how the slow ones cluster in time.
    // A latency in nanoseconds: not negative, and far below 2^64.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn interval(&self, trend: &Trend, quantile: f64, value_ms: Option<f64>, confidence: f64) -> Interval {
        let n = trend.judged.count();
        let end = |rank: u64| {
            (1..=n)
                .contains(&rank)
                .then(|| trend.judged.value_at_rank(rank))
                .flatten()
        };
        let (low, high) = if n == 0 {
            (None, None)
        } else if quantile <= 0.0 {
            (None, end(1))
        } else if quantile >= 1.0 {
            (end(n), None)
        } else {
            let limit = Limit::Below(value_ms.map_or(u64::MAX, |ms| (ms * 1e6) as u64));
            let bad = ((1.0 - quantile) * n as f64).round() as u64;
            let dependence = stats::dependence::factor(&self.batches_by_cells(trend, limit, n, bad.max(1)));
            let (low, high) = stats::order::widened_ranks(n, quantile, confidence, dependence);
            // The figure lies between two samples, and of two or three samples the end may be the one beyond it.
            let within = |end: f64, choose: fn(f64, f64) -> f64| value_ms.map_or(end, |value| choose(end, value));
            (
                end(low).map(|low| within(low, f64::min)),
                end(high).map(|high| within(high, f64::max)),
            )
        };
        Interval { low, high, confidence }
    }
}

fn metric(series: &Series, seconds: f64) -> MetricSummary {
    match &series.data {
        Data::Trend(trend) => trend_summary(&trend.plain(series.key.metric)),
        Data::Rate(rate) => MetricSummary::Rate {
            rate: (rate.plain_total > 0).then(|| rate.plain_trues as f64 / rate.plain_total as f64),
            trues: rate.plain_trues,
            total: rate.plain_total,
        },
        Data::Counter(count) => MetricSummary::Counter {
            count: *count,
            rate: if seconds > 0.0 { *count as f64 / seconds } else { 0.0 },
        },
        Data::Gauge(gauge) => MetricSummary::Gauge {
            value: gauge.value,
            min: gauge.min,
            max: gauge.max,
        },
    }
}

fn trend_summary(plain: &Population<'_>) -> MetricSummary {
    let quantiles = plain.quantiles(&[0.5, 0.9, 0.95, 0.99]);
    let at = |index: usize| quantiles.get(index).copied().flatten();
    MetricSummary::Trend {
        count: plain.count(),
        avg: plain.mean().map(ms),
        min: plain.min().map(|ns| ms(ns as f64)),
        med: at(0),
        max: plain.max().map(|ns| ms(ns as f64)),
        p90: at(1),
        p95: at(2),
        p99: at(3),
    }
}

/// The distribution from end to end, finer where it is steep.
fn curve(trend: &Trend) -> Vec<CurvePoint> {
    if trend.judged.count() == 0 {
        return Vec::new();
    }
    let steps =
        |from: u32, to: u32, by: usize, scale: f64| (from..to).step_by(by).map(move |step| f64::from(step) / scale);
    let mut percents: Vec<f64> = steps(0, 90, 2, 1.0).chain(steps(180, 198, 1, 2.0)).collect();
    percents.extend(steps(990, 999, 1, 10.0).chain(steps(9990, 9999, 1, 100.0)));
    percents.extend([99.99, 99.995, 99.999, 100.0]);
    let quantiles: Vec<f64> = percents.iter().map(|percent| percent / 100.0).collect();
    let judged = trend.judged.population().quantiles(&quantiles);
    let plain = trend.plain(Metric::HttpReqDuration).quantiles(&quantiles);
    let points = percents.into_iter().zip(judged).zip(plain);
    points
        .map(|((percent, judged_ms), plain_ms)| CurvePoint {
            percent,
            judged_ms,
            plain_ms,
        })
        .collect()
}
