//! A tally as part of a result document: nothing that figures or verdicts rest on is left out. `restore.rs` reads it back.

use super::{
    RequestSpec, Tags, Tally,
    hdr::{self, HdrError},
    histogram::Histogram,
    series::{Data, Series, Trend},
};
use crate::{Threshold, judge::Batch, threshold::ThresholdError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this format.
pub(super) const VERSION: u32 = 1;

/// All that was kept of a run's samples, for judging it again and for merging it with others. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TallyDump {
    /// Version of this format: 1.
    pub version: u32,
    /// Length of the counted part of the schedule.
    pub counted_ns: u64,
    /// Length of the warm-up before it.
    pub warm_up_ns: u64,
    /// Longest time from due to done.
    pub timeout_ns: u64,
    /// How much of the counted part was carried out, if the run ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ns: Option<u64>,
    /// When the last request was due, from the start of the counted part.
    pub last_due_ns: u64,
    /// Requests of the warm-up.
    pub warm_up_requests: u64,
    /// Tags of each scenario.
    pub scenarios: Vec<Tags>,
    /// Each kind of request.
    pub requests: Vec<RequestDump>,
    /// Requests that were planned, at `scenario * requests + request`.
    pub planned: Vec<u64>,
    /// Each check.
    pub checks: Vec<CheckDump>,
    /// Each threshold.
    pub thresholds: Vec<ThresholdDump>,
    /// Requests by how they ended.
    pub outcomes: BTreeMap<String, u64>,
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Metrics, first those without tags.
    pub series: Vec<SeriesDump>,
    /// The run by time.
    pub cells: Vec<CellDump>,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestDump {
    /// Its tags.
    pub tags: Tags,
    /// Bit `i`: check `i` is made of its responses.
    pub checks: u32,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckDump {
    /// As written.
    pub name: String,
    /// Passed.
    pub passes: u64,
    /// Failed.
    pub fails: u64,
}

/// One threshold and its exact counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdDump {
    /// The metric's key.
    pub metric: String,
    /// The expression.
    pub expression: String,
    /// k6's `abortOnFail`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort_on_fail: bool,
    /// k6's `delayAbortEval`.
    #[serde(default)]
    pub delay_abort_ns: u64,
    /// Of a trend: requests that broke the limit.
    #[serde(default)]
    pub bad: u64,
    /// Those of them that got a wrong answer or none.
    #[serde(default)]
    pub hard_bad: u64,
    /// Of a trend: all and bad ones, by stretch of the schedule.
    #[serde(default)]
    pub batches: Vec<[u64; 2]>,
}

/// One metric, whole or by tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesDump {
    /// Its key: `http_req_duration{op:read}`.
    pub metric: String,
    /// Requests that match.
    pub requests: u64,
    /// Its figures.
    #[serde(flatten)]
    pub data: DataDump,
}

/// The figures of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DataDump {
    /// Durations.
    Trend {
        /// Finite judged ones.
        judged: HistogramDump,
        /// Infinite ones.
        infinite: u64,
        /// What k6 would have seen (with `judged`, unless the metric is `http_req_duration`).
        plain: Vec<HistogramDump>,
    },
    /// A share.
    Rate {
        /// All.
        total: u64,
        /// True ones.
        trues: u64,
        /// Bad ones that the generator's lateness cannot explain.
        hard: u64,
        /// All that k6 would have seen.
        plain_total: u64,
        /// True ones that k6 would have seen.
        plain_trues: u64,
        /// All and true ones, by stretch of the schedule.
        batches: Vec<[u64; 2]>,
    },
    /// Events.
    Counter {
        /// How many.
        count: u64,
    },
    /// A level.
    Gauge {
        /// Last value.
        value: f64,
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
}

/// A histogram of nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramDump {
    /// HdrHistogram's V2 format, deflated, in base64; absent when there are no values.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hdr: String,
    /// Values.
    pub count: u64,
    /// Their sum, exactly.
    pub sum_ns: u64,
    /// The smallest, exactly; 0 without values.
    pub min_ns: u64,
    /// The largest, exactly; 0 without values.
    pub max_ns: u64,
}

/// A stretch of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellDump {
    /// Its number, from the start of the counted part.
    pub at: usize,
    /// Requests that were due.
    pub scheduled: u64,
    /// Of those, not rightly answered.
    pub failed: u64,
    /// Largest finite latency.
    pub max_ns: u64,
    /// Sums of lag, queue, connect, TLS, server and receive time.
    pub phases_ns: [u64; 6],
    /// Latency buckets that are not empty, from low to high: for each, how many buckets it lies behind the one before, and its
    /// count; as LEB128 numbers in base64. Bucket `b < 64` begins at `1024 b` ns; after that there are 32 for every doubling.
    pub buckets: String,
}

/// A saved tally that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Another program's, or a later version's.
    #[error(
        "the saved figures have version {found}, expected {VERSION}: use the load-gate that wrote them, or a later one"
    )]
    Version {
        /// What was found.
        found: u32,
    },
    /// A threshold that is none.
    #[error("a saved threshold cannot be read")]
    Threshold(#[source] ThresholdError),
    /// A histogram that is none.
    #[error("the saved histogram of {metric} cannot be read")]
    Histogram {
        /// Of which metric.
        metric: String,
        /// Why.
        #[source]
        source: HdrError,
    },
    /// A histogram could not be written.
    #[error("a histogram cannot be written")]
    Write(#[source] std::io::Error),
    /// Parts that do not fit each other.
    #[error("the saved figures are damaged: {what}")]
    Damaged {
        /// Which part.
        what: String,
    },
}

impl Tally {
    /// Everything, as a document.
    pub fn dump(&self) -> Result<TallyDump, DumpError> {
        let spec = &self.spec;
        let mut thresholds: Vec<ThresholdDump> = spec.thresholds.iter().map(threshold_dump).collect();
        for series in &self.series {
            if let Data::Trend(trend) = &series.data {
                for counted in &trend.counted {
                    if let Some(dump) = thresholds.get_mut(counted.order) {
                        (dump.bad, dump.hard_bad) = (counted.bad, counted.hard_bad);
                        dump.batches = pairs(&counted.batches);
                    }
                }
            }
        }
        let cells = self
            .cells
            .cells()
            .iter()
            .enumerate()
            .filter(|(_, cell)| cell.scheduled > 0);
        Ok(TallyDump {
            version: VERSION,
            counted_ns: self.counted_ns,
            warm_up_ns: self.warm_up_ns,
            timeout_ns: super::nanoseconds(spec.timeout),
            elapsed_ns: self.elapsed.map(super::nanoseconds),
            last_due_ns: self.last_due,
            warm_up_requests: self.warm_up,
            scenarios: spec.scenarios.clone(),
            requests: spec
                .requests
                .iter()
                .map(|RequestSpec { tags, checks }| RequestDump {
                    tags: tags.clone(),
                    checks: *checks,
                })
                .collect(),
            planned: spec.planned.clone(),
            checks: spec
                .checks
                .iter()
                .zip(&self.checks)
                .map(|(name, [passes, fails])| CheckDump {
                    name: name.clone(),
                    passes: *passes,
                    fails: *fails,
                })
                .collect(),
            thresholds,
            outcomes: self.outcome_counts(),
            statuses: self.status_counts(),
            series: self.series.iter().map(series_dump).collect::<Result<_, _>>()?,
            cells: cells
                .map(|(at, cell)| CellDump {
                    at,
                    scheduled: cell.scheduled,
                    failed: cell.failed,
                    max_ns: cell.max,
                    phases_ns: cell.phases,
                    buckets: hdr::encode_pairs(self.cells.buckets_of(at)),
                })
                .collect(),
        })
    }
}

fn pairs(batches: &[Batch]) -> Vec<[u64; 2]> {
    batches.iter().map(|batch| [batch.n, batch.bad]).collect()
}

fn threshold_dump(threshold: &Threshold) -> ThresholdDump {
    ThresholdDump {
        metric: threshold.key.to_string(),
        expression: threshold.expression.clone(),
        abort_on_fail: threshold.abort_on_fail,
        delay_abort_ns: super::nanoseconds(threshold.delay_abort),
        bad: 0,
        hard_bad: 0,
        batches: Vec::new(),
    }
}

fn histogram_dump(histogram: &Histogram) -> Result<HistogramDump, DumpError> {
    Ok(HistogramDump {
        hdr: match histogram.count() {
            0 => String::new(),
            _ => hdr::encode(histogram).map_err(DumpError::Write)?,
        },
        count: histogram.count(),
        sum_ns: histogram.sum(),
        min_ns: histogram.min().unwrap_or(0),
        max_ns: histogram.max().unwrap_or(0),
    })
}

fn series_dump(series: &Series) -> Result<SeriesDump, DumpError> {
    Ok(SeriesDump {
        metric: series.key.to_string(),
        requests: series.requests,
        data: match &series.data {
            Data::Trend(Trend { judged, plain, .. }) => DataDump::Trend {
                judged: histogram_dump(&judged.finite)?,
                infinite: judged.infinite,
                plain: plain.iter().map(histogram_dump).collect::<Result<_, _>>()?,
            },
            Data::Rate(rate) => DataDump::Rate {
                total: rate.total,
                trues: rate.trues,
                hard: rate.hard,
                plain_total: rate.plain_total,
                plain_trues: rate.plain_trues,
                batches: pairs(&rate.batches),
            },
            Data::Counter(count) => DataDump::Counter { count: *count },
            Data::Gauge(gauge) => DataDump::Gauge {
                value: gauge.value,
                min: gauge.min,
                max: gauge.max,
            },
        },
    })
}
