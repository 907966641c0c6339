//! What the judge is given about each threshold, and the same for thresholds that the run did not have.

use super::{
    Tally,
    limit::{BATCHES, Limit},
    same_key,
    series::{Data, Rate, Series, Trend},
};
use crate::{
    Outcome, Threshold,
    judge::{Batch, Evidence},
    threshold::{Aggregation, Metric},
};

/// A threshold that a saved result cannot be judged by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` was not measured apart in this run, so its result cannot be judged by it: measured were {}", .measured.join(", "))]
pub struct RejudgeError {
    /// The key that is missing.
    pub key: String,
    /// Keys with tags that there are, and "every metric without tags".
    pub measured: Vec<String>,
}

impl Tally {
    /// The evidence of each of the plan's thresholds, in their order. Counts are exact.
    pub fn evidence(&self) -> Vec<Evidence<'_>> {
        let mut found: Vec<(usize, Evidence<'_>)> = self
            .series
            .iter()
            .flat_map(|series| {
                series
                    .thresholds
                    .iter()
                    .map(|(order, threshold)| (*order, self.evidence_of(series, threshold)))
            })
            .collect();
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, evidence)| evidence).collect()
    }

    /// The evidence of other thresholds than the plan's, to judge a saved run by them.
    ///
    /// A limit that one of the plan's thresholds had on the same metric has exact counts. For another one they come from the
    /// histogram, and err by at most the samples of one bucket (1/16,000 of the limit wide for `http_req_duration`, 1/1,000 for other
    /// metrics), always against the service. Metrics by tags can be judged only if a threshold of the run was about the
    /// same tags.
    pub fn evidence_for(&self, thresholds: &[Threshold]) -> Result<Vec<Evidence<'_>>, RejudgeError> {
        thresholds
            .iter()
            .map(
                |threshold| match self.series.iter().find(|series| same_key(&series.key, &threshold.key)) {
                    Some(series) => Ok(self.evidence_of(series, threshold)),
                    None => Err(RejudgeError {
                        key: threshold.key.to_string(),
                        measured: std::iter::once("every metric without tags".to_owned())
                            .chain(
                                self.series
                                    .iter()
                                    .filter(|series| !series.key.tags.is_empty())
                                    .map(|series| series.key.to_string()),
                            )
                            .collect(),
                    }),
                },
            )
            .collect()
    }

    fn evidence_of<'a>(&'a self, series: &'a Series, threshold: &Threshold) -> Evidence<'a> {
        let planned = self.planned_for(series);
        let mut evidence = Evidence {
            threshold: threshold.clone(),
            key: series.key.to_string(),
            planned: planned.total,
            n: series.requests,
            bad: 0,
            hard_bad: 0,
            batches: Vec::new(),
            observed: None,
            infinite: false,
            plain: None,
            ranked: None,
            only_answered: series.filter.only_answered(),
            per_request: planned.per_request,
        };
        match &series.data {
            Data::Trend(trend) => self.trend_evidence(&mut evidence, series, trend),
            Data::Rate(rate) => rate_evidence(&mut evidence, rate),
            Data::Counter(count) => {
                let seconds = self.seconds();
                evidence.observed = match threshold.aggregation {
                    Aggregation::Rate if seconds > 0.0 => Some(*count as f64 / seconds),
                    Aggregation::Rate => None,
                    _ => Some(*count as f64),
                };
                evidence.plain = evidence.observed;
            }
            Data::Gauge(gauge) => {
                evidence.observed = (series.requests > 0).then_some(gauge.value);
                evidence.plain = evidence.observed;
            }
        }
        evidence
    }

    fn trend_evidence<'a>(&'a self, evidence: &mut Evidence<'a>, series: &'a Series, trend: &'a Trend) {
        let metric = series.key.metric;
        let aggregation = evidence.threshold.aggregation;
        let limit = Limit::new(evidence.threshold.operator, evidence.threshold.limit);
        (evidence.observed, evidence.infinite) =
            trend.judged_figure(aggregation, self.spec.timeout.as_secs_f64() * 1e3);
        evidence.plain = trend.plain_figure(metric, aggregation);
        evidence.ranked = Some(&trend.judged);
        if let Some(counted) = trend.counted_like(limit) {
            evidence.bad = counted.bad;
            evidence.hard_bad = counted.hard_bad;
            evidence.batches.clone_from(&counted.batches);
        } else {
            evidence.bad = bad_by_histogram(trend, limit);
            evidence.hard_bad = match metric {
                Metric::SendLag => 0,
                // Failures that lateness cannot explain break every upper limit; by tags, how many is not known.
                _ if series.key.tags.is_empty() && matches!(limit, Limit::Below(_) | Limit::Exactly(_)) => {
                    self.hard_failures()
                }
                _ => 0,
            };
            evidence.batches = self.batches_by_cells(trend, limit, evidence.n, evidence.bad);
        }
    }

    /// Requests that got a wrong answer or none.
    fn hard_failures(&self) -> u64 {
        [
            Outcome::HttpError,
            Outcome::CheckFailed,
            Outcome::Dns,
            Outcome::Connect,
            Outcome::Tls,
            Outcome::Reset,
            Outcome::Protocol,
        ]
        .into_iter()
        .map(|outcome| self.outcomes[outcome as usize])
        .sum()
    }

    /// How the bad ones lie in time, for a limit that was not counted: the cells tell it of the judged latency of all requests.
    /// For other metrics and for tags it is taken from the latency that as large a share of all requests broke.
    // Counts of requests, rounded: not negative, and small.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn batches_by_cells(&self, trend: &Trend, limit: Limit, n: u64, bad: u64) -> Vec<Batch> {
        let whole = match &self.base(Metric::HttpReqDuration).data {
            Data::Trend(whole) => whole,
            _ => trend,
        };
        let good_share = if n == 0 { 1.0 } else { 1.0 - bad as f64 / n as f64 };
        let limit = match limit {
            Limit::Below(ns) if std::ptr::eq(whole, trend) => ns,
            _ => whole
                .judged
                .population()
                .quantile(good_share)
                .map_or(u64::MAX, |ms| (ms * 1e6) as u64),
        };
        let cells = self.cells.cells();
        let mut batches = vec![(0.0, 0.0); BATCHES];
        for (at, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.scheduled > 0) {
            let middle = (at as f64 + 0.5) * self.cells.width() as f64;
            if let Some(batch) = batches.get_mut(self.batch(middle as u64)) {
                batch.0 += cell.scheduled as f64;
                batch.1 += self.cells.bad(at, limit);
            }
        }
        let (all, all_bad) = batches
            .iter()
            .fold((0.0, 0.0), |sum, batch| (sum.0 + batch.0, sum.1 + batch.1));
        let scale = |part: f64, whole: f64, to: u64| {
            if whole > 0.0 {
                (part / whole * to as f64).round() as u64
            } else {
                0
            }
        };
        batches
            .into_iter()
            .map(|(some, some_bad)| {
                let n = scale(some, all, n);
                Batch {
                    n,
                    bad: scale(some_bad, all_bad, bad).min(n),
                }
            })
            .collect()
    }

    /// How many samples a full run has for this series (an upper bound where the answer decides), and how many a request adds.
    fn planned_for(&self, series: &Series) -> Planned {
        let spec = &self.spec;
        let mut planned = Planned {
            total: 0,
            per_request: 1,
        };
        for (kind, count) in spec.planned.iter().enumerate() {
            let requests = spec.requests.len().max(1);
            let (scenario, request) = (kind / requests, kind % requests);
            if *count == 0 || scenario >= spec.scenarios.len() || !series.filter.matches_plan(spec, scenario, request) {
                continue;
            }
            let each = match series.key.metric {
                Metric::Checks => u64::from((spec.requests[request].checks & series.filter.checks).count_ones()),
                _ => 1,
            };
            planned.total = planned.total.saturating_add(count.saturating_mul(each));
            planned.per_request = planned.per_request.max(each);
        }
        planned
    }
}

struct Planned {
    total: u64,
    per_request: u64,
}

fn rate_evidence(evidence: &mut Evidence<'_>, rate: &Rate) {
    let share = |trues: u64, total: u64| (total > 0).then(|| trues as f64 / total as f64);
    evidence.n = rate.total;
    evidence.observed = share(rate.trues, rate.total);
    evidence.plain = share(rate.plain_trues, rate.plain_total);
    let trues_are_bad = Rate::trues_are_bad(evidence.threshold.operator);
    let bad = |n: u64, trues: u64| if trues_are_bad { trues } else { n - trues };
    evidence.bad = bad(rate.total, rate.trues);
    evidence.batches = rate
        .batches
        .iter()
        .map(|batch| Batch {
            n: batch.n,
            bad: bad(batch.n, batch.bad),
        })
        .collect();
    // Only the side that is a failure can have failures in it.
    let bad_is_failure = (evidence.threshold.key.metric == Metric::HttpReqFailed) == trues_are_bad;
    evidence.hard_bad = if bad_is_failure { rate.hard } else { 0 };
}

/// The bad ones of a limit that was not counted, erring against the service.
fn bad_by_histogram(trend: &Trend, limit: Limit) -> u64 {
    let judged = &trend.judged;
    match limit {
        Limit::Below(ns) => judged.count() - judged.finite.surely_below(ns),
        // All values that are not surely at or above the limit.
        Limit::AtLeast(ns) => judged
            .finite
            .buckets()
            .take_while(|bucket| bucket.start < ns)
            .map(|bucket| bucket.count)
            .sum(),
        // Such a threshold is judged by the figure itself.
        Limit::Exactly(_) => judged.count(),
        Limit::Other(_) => 0,
    }
}
