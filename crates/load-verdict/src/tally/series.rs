//! One metric, whole or by tags: what is kept of its samples, and the thresholds on it.

use super::{
    histogram::{Digits, Histogram},
    limit::{BATCHES, Counted, Limit, add_batches},
    quantile::{Judged, Population},
    spec::{Filter, TallySpec, is_expected},
};
use crate::{
    Outcome, Sample, Threshold,
    judge::Batch,
    threshold::{Aggregation, Kind, Metric, MetricKey, Operator},
};

/// One metric and its tags.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) key: MetricKey,
    pub(super) filter: Filter,
    /// Requests that match; for a gauge, how often it was set.
    pub(super) requests: u64,
    pub(super) data: Data,
    /// Thresholds, by their place among the run's.
    pub(super) thresholds: Vec<(usize, Threshold)>,
}

/// What is kept of the samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Trend(Trend),
    Rate(Rate),
    Counter(u64),
    Gauge(Gauge),
}

/// Durations.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trend {
    /// Over scheduled requests, failures infinitely late.
    pub(super) judged: Judged,
    /// What k6 would have seen, in two parts. `http_req_duration` measures something else there than it is judged by: the first
    /// part has the responses that k6 calls expected, the second the rest. For other metrics the first part is `judged` itself,
    /// and only the second is here.
    pub(super) plain: Vec<Histogram>,
    /// Exact counts of each threshold.
    pub(super) counted: Vec<Counted>,
}

/// A share. Which side is good depends on the metric: `http_req_failed` is bad when true, `checks` when false.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) total: u64,
    pub(super) trues: u64,
    /// Bad ones that lateness cannot explain.
    pub(super) hard: u64,
    /// What k6 would have seen: without what was never sent, or not ended.
    pub(super) plain_total: u64,
    pub(super) plain_trues: u64,
    /// True ones, by stretch.
    pub(super) batches: Vec<Batch>,
}

/// A level.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Gauge {
    pub(super) value: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// What one sample means to the metrics; worked out once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) total: u64,
    pub(super) service: u64,
    /// k6 would have a sample of it.
    pub(super) observed: bool,
    /// A wrong answer or none: see [`Evidence::hard_bad`](crate::judge::Evidence::hard_bad).
    pub(super) hard: bool,
    pub(super) batch: usize,
}

impl Measured {
    pub(super) fn new(sample: &Sample, batch: usize) -> Self {
        Self {
            total: sample.total_ns(),
            service: sample.service_ns(),
            observed: !matches!(sample.outcome, Outcome::Dropped | Outcome::Unfinished),
            hard: matches!(
                sample.outcome,
                Outcome::HttpError
                    | Outcome::CheckFailed
                    | Outcome::Dns
                    | Outcome::Connect
                    | Outcome::Tls
                    | Outcome::Reset
                    | Outcome::Protocol
            ),
            batch,
        }
    }
}

/// Whether k6 calls the request failed: no response below 400.
const fn is_failed(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Ok | Outcome::CheckFailed)
}

impl Series {
    pub(super) fn new(spec: &TallySpec, key: MetricKey) -> Self {
        let data = match key.metric.kind() {
            Kind::Trend => {
                let digits = if key.metric == Metric::HttpReqDuration {
                    Digits::Four
                } else {
                    Digits::Three
                };
                let parts = if key.metric == Metric::HttpReqDuration { 2 } else { 1 };
                Data::Trend(Trend {
                    judged: Judged {
                        finite: Histogram::new(digits),
                        infinite: 0,
                    },
                    plain: vec![Histogram::new(digits); parts],
                    counted: Vec::new(),
                })
            }
            Kind::Rate => Data::Rate(Rate {
                batches: vec![Batch::default(); BATCHES],
                ..Rate::default()
            }),
            Kind::Counter => Data::Counter(0),
            Kind::Gauge => Data::Gauge(Gauge::default()),
        };
        Self {
            filter: Filter::new(spec, &key),
            key,
            requests: 0,
            data,
            thresholds: Vec::new(),
        }
    }

    pub(super) fn watch(&mut self, order: usize, threshold: &Threshold) {
        self.thresholds.push((order, threshold.clone()));
        if let Data::Trend(trend) = &mut self.data {
            trend.counted.push(Counted::new(order, threshold.clone()));
        }
    }

    /// Takes a sample whose tags match.
    #[inline]
    pub(super) fn record(&mut self, sample: &Sample, measured: &Measured) {
        self.requests += u64::from(!matches!(self.data, Data::Gauge(_)));
        match &mut self.data {
            Data::Trend(trend) => trend.record(self.key.metric, sample, measured),
            Data::Rate(rate) => rate.record(self.key.metric, self.filter.checks, sample, measured),
            Data::Counter(count) => {
                *count = count.saturating_add(match self.key.metric {
                    Metric::DataSent => sample.sent_bytes,
                    Metric::DataReceived => sample.received_bytes,
                    Metric::DroppedIterations => u64::from(sample.outcome == Outcome::Dropped),
                    _ => u64::from(measured.observed),
                });
            }
            Data::Gauge(_) => {}
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        // Saturating, here and below: a document that somebody wrote by hand may hold any number.
        self.requests = self.requests.saturating_add(other.requests);
        match (&mut self.data, &other.data) {
            (Data::Trend(mine), Data::Trend(theirs)) => mine.add(theirs),
            (Data::Rate(mine), Data::Rate(theirs)) => mine.add(theirs),
            (Data::Counter(mine), Data::Counter(theirs)) => *mine = mine.saturating_add(*theirs),
            // Threads and pods have their own connections: together they have the sum.
            (Data::Gauge(mine), Data::Gauge(theirs)) => {
                mine.value += theirs.value;
                mine.min += theirs.min;
                mine.max += theirs.max;
            }
            _ => debug_assert!(false, "series of the same key hold the same kind of data"),
        }
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        match &self.data {
            Data::Trend(trend) => {
                let batches: usize = trend
                    .counted
                    .iter()
                    .map(|counted| counted.batches.capacity() * size_of::<Batch>())
                    .sum();
                trend.judged.finite.memory() + trend.plain.iter().map(Histogram::memory).sum::<usize>() + batches
            }
            Data::Rate(rate) => rate.batches.capacity() * size_of::<Batch>(),
            Data::Counter(_) | Data::Gauge(_) => 0,
        }
    }
}

impl Trend {
    #[inline]
    fn record(&mut self, metric: Metric, sample: &Sample, measured: &Measured) {
        let value = match metric {
            Metric::HttpReqWaiting => sample.first_byte_ns,
            Metric::HttpReqReceiving => sample.receive_ns,
            Metric::HttpReqBlocked => sample.queue_ns + sample.connect_ns + sample.tls_ns,
            Metric::HttpReqConnecting => sample.connect_ns,
            Metric::HttpReqTlsHandshaking => sample.tls_ns,
            Metric::SendLag => sample.lag_ns,
            _ => measured.total,
        };
        // The generator's own lateness is known of every request, whatever became of it.
        let own = metric == Metric::SendLag;
        let judged = (own || sample.outcome == Outcome::Ok).then_some(value);
        match judged {
            Some(ns) => self.judged.finite.record(ns),
            None => self.judged.infinite += 1,
        }
        if metric == Metric::HttpReqDuration {
            if measured.observed {
                self.plain[usize::from(!is_expected(sample))].record(measured.service);
            }
        } else if judged.is_none() && measured.observed {
            self.plain[0].record(value);
        }
        for counted in &mut self.counted {
            counted.record(judged, measured.hard && !own, measured.batch);
        }
    }

    fn add(&mut self, other: &Self) {
        self.judged.finite.add(&other.judged.finite);
        self.judged.infinite = self.judged.infinite.saturating_add(other.judged.infinite);
        for (mine, theirs) in self.plain.iter_mut().zip(&other.plain) {
            mine.add(theirs);
        }
        for (mine, theirs) in self.counted.iter_mut().zip(&other.counted) {
            mine.add(theirs);
        }
    }

    /// What k6 would have seen.
    pub(super) fn plain(&self, metric: Metric) -> Population<'_> {
        let mut parts: Vec<&Histogram> = self.plain.iter().collect();
        if metric != Metric::HttpReqDuration {
            parts.push(&self.judged.finite);
        }
        Population { parts, infinite: 0 }
    }

    /// An aggregate of what k6 would have seen.
    pub(super) fn plain_figure(&self, metric: Metric, aggregation: Aggregation) -> Option<f64> {
        let plain = self.plain(metric);
        match aggregation {
            Aggregation::Avg => plain.mean().map(super::quantile::ms),
            Aggregation::Min => plain.min().map(|ns| super::quantile::ms(ns as f64)),
            Aggregation::Max => plain.max().map(|ns| super::quantile::ms(ns as f64)),
            other => plain.quantile(other.quantile()?),
        }
    }

    /// An aggregate over scheduled requests, and whether it is infinite. In the mean, a failure counts as the timeout.
    pub(super) fn judged_figure(&self, aggregation: Aggregation, timeout_ms: f64) -> (Option<f64>, bool) {
        let judged = self.judged.population();
        let count = judged.count();
        if count == 0 {
            return (None, false);
        }
        let figure = match aggregation {
            Aggregation::Avg => {
                let sum = super::quantile::ms(judged.sum() as f64) + judged.infinite as f64 * timeout_ms;
                Some(sum / count as f64)
            }
            Aggregation::Min => judged.min().map(|ns| super::quantile::ms(ns as f64)),
            Aggregation::Max if judged.infinite > 0 => None,
            Aggregation::Max => judged.max().map(|ns| super::quantile::ms(ns as f64)),
            other => other.quantile().and_then(|q| judged.quantile(q)),
        };
        (figure, figure.is_none())
    }

    /// The exact counts of a threshold like this one, if the run had one.
    pub(super) fn counted_like(&self, limit: Limit) -> Option<&Counted> {
        self.counted.iter().find(|counted| counted.limit == limit)
    }
}

impl Rate {
    #[inline]
    fn record(&mut self, metric: Metric, checks: u32, sample: &Sample, measured: &Measured) {
        let (total, bad) = if metric == Metric::Checks {
            let made = sample.checks_made & checks;
            (
                u64::from(made.count_ones()),
                u64::from((made & sample.checks_failed).count_ones()),
            )
        } else {
            (1, u64::from(is_failed(sample.outcome)))
        };
        let trues = if metric == Metric::Checks { total - bad } else { bad };
        self.total += total;
        self.trues += trues;
        if measured.hard {
            self.hard += bad;
        }
        if measured.observed {
            self.plain_total += total;
            self.plain_trues += trues;
        }
        if let Some(batch) = self.batches.get_mut(measured.batch) {
            batch.n += total;
            batch.bad += trues;
        }
    }

    fn add(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        self.trues = self.trues.saturating_add(other.trues);
        self.hard = self.hard.saturating_add(other.hard);
        self.plain_total = self.plain_total.saturating_add(other.plain_total);
        self.plain_trues = self.plain_trues.saturating_add(other.plain_trues);
        add_batches(&mut self.batches, &other.batches);
    }

    /// Whether a threshold with this operator takes the true ones as bad.
    pub(super) const fn trues_are_bad(operator: Operator) -> bool {
        !matches!(operator, Operator::Greater | Operator::GreaterOrEqual)
    }
}
