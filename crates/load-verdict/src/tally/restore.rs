//! Reads a saved tally back, and refuses one whose parts do not fit each other.

use super::{
    RequestSpec, Tally, TallySpec,
    cells::Cell,
    dump::{DataDump, DumpError, HistogramDump, RequestDump, SeriesDump, TallyDump, ThresholdDump, VERSION},
    hdr,
    histogram::Histogram,
    series::{Data, Gauge, Series},
};
use crate::{
    Outcome, Threshold,
    judge::{Batch, Ranked},
    threshold::{Metric, MetricKey},
};
use std::{sync::Arc, time::Duration};

/// More scenarios or requests than a sample can name come from no run.
const MOST: usize = 1 << 16;

fn damaged(what: impl Into<String>) -> DumpError {
    DumpError::Damaged { what: what.into() }
}

impl Tally {
    /// What was dumped.
    pub fn from_dump(dump: &TallyDump) -> Result<Self, DumpError> {
        if dump.version != VERSION {
            return Err(DumpError::Version { found: dump.version });
        }
        let kinds = dump.scenarios.len().saturating_mul(dump.requests.len());
        if dump.scenarios.len() > MOST || dump.requests.len() > MOST || kinds > MOST * 16 || dump.planned.len() != kinds
        {
            return Err(damaged(format!(
                "{} numbers of planned requests for {kinds} kinds of requests",
                dump.planned.len()
            )));
        }
        let thresholds: Vec<Threshold> = dump.thresholds.iter().map(threshold).collect::<Result<_, _>>()?;
        let spec = TallySpec {
            scenarios: dump.scenarios.clone(),
            requests: dump
                .requests
                .iter()
                .map(|RequestDump { tags, checks }| RequestSpec {
                    tags: tags.clone(),
                    checks: *checks,
                })
                .collect(),
            checks: dump.checks.iter().map(|check| check.name.clone()).collect(),
            thresholds,
            planned: dump.planned.clone(),
            counted: Duration::from_nanos(dump.counted_ns),
            warm_up: Duration::from_nanos(dump.warm_up_ns),
            timeout: Duration::from_nanos(dump.timeout_ns),
        };
        let mut tally = Self::new(Arc::new(spec));
        tally.elapsed = dump.elapsed_ns.map(Duration::from_nanos);
        tally.last_due = dump.last_due_ns;
        tally.warm_up = dump.warm_up_requests;
        tally.checks = dump.checks.iter().map(|check| [check.passes, check.fails]).collect();
        for (name, count) in &dump.outcomes {
            let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == name);
            tally.outcomes[outcome.ok_or_else(|| damaged(format!("unknown outcome `{name}`")))? as usize] = *count;
        }
        for (status, count) in &dump.statuses {
            let place = tally.statuses.get_mut(usize::from(*status));
            *place.ok_or_else(|| damaged(format!("unknown status {status}")))? = *count;
        }
        if dump.series.len() != tally.series.len() {
            return Err(damaged(format!(
                "{} metrics, expected {}",
                dump.series.len(),
                tally.series.len()
            )));
        }
        for (series, saved) in tally.series.iter_mut().zip(&dump.series) {
            restore(series, saved, &dump.thresholds)?;
        }
        for saved in &dump.cells {
            let cell = Cell {
                scheduled: saved.scheduled,
                failed: saved.failed,
                max: saved.max_ns,
                phases: saved.phases_ns,
            };
            let buckets = hdr::decode_pairs(&saved.buckets)
                .ok_or_else(|| damaged(format!("cell {} cannot be read", saved.at)))?;
            let held: u64 = buckets.iter().map(|(_, count)| u64::from(*count)).sum();
            let whole = held.checked_add(saved.failed) == Some(saved.scheduled);
            if !whole || !tally.cells.restore(saved.at, cell, buckets.into_iter()) {
                return Err(damaged(format!("cell {} does not fit", saved.at)));
            }
        }
        tally.check_totals()?;
        Ok(tally)
    }

    /// Every request is in the outcomes, in the cells and in the judged latencies: the same number of times, or somebody has
    /// changed one of them.
    fn check_totals(&self) -> Result<(), DumpError> {
        let overflow = || damaged("numbers that are too large");
        let scheduled = self
            .outcomes
            .iter()
            .try_fold(0u64, |sum, count| sum.checked_add(*count))
            .ok_or_else(overflow)?;
        let cells = self
            .cells
            .cells()
            .iter()
            .try_fold(0u64, |sum, cell| sum.checked_add(cell.scheduled))
            .ok_or_else(overflow)?;
        let judged = self.judged().map_or(0, Ranked::count);
        self.spec
            .planned
            .iter()
            .try_fold(0u64, |sum, count| sum.checked_add(*count))
            .ok_or_else(overflow)?;
        let succeeded = self.outcomes[Outcome::Ok as usize];
        let finite = match &self.base(Metric::HttpReqDuration).data {
            Data::Trend(trend) => trend.judged.finite.count(),
            _ => succeeded,
        };
        if cells != scheduled || judged != scheduled || finite != succeeded {
            let what = format!(
                "{scheduled} requests by outcome, {cells} by time, {judged} by latency; {succeeded} right answers, {finite} latencies"
            );
            return Err(damaged(what));
        }
        Ok(())
    }
}

fn unpaired(saved: &[[u64; 2]], expected: usize) -> Result<Vec<Batch>, DumpError> {
    if saved.len() != expected || saved.iter().any(|[n, bad]| bad > n) {
        return Err(damaged(format!(
            "{} stretches of the schedule, expected {expected}",
            saved.len()
        )));
    }
    Ok(saved.iter().map(|[n, bad]| Batch { n: *n, bad: *bad }).collect())
}

fn threshold(saved: &ThresholdDump) -> Result<Threshold, DumpError> {
    Ok(Threshold::parse(&saved.metric, &saved.expression)
        .map_err(DumpError::Threshold)?
        .with_abort(saved.abort_on_fail, Duration::from_nanos(saved.delay_abort_ns)))
}

fn histogram(metric: &MetricKey, empty: &Histogram, saved: &HistogramDump) -> Result<Histogram, DumpError> {
    if saved.count == 0 {
        return Ok(empty.clone());
    }
    let exact = [saved.count, saved.sum_ns, saved.min_ns, saved.max_ns];
    let read = hdr::decode(&saved.hdr, exact).map_err(|source| DumpError::Histogram {
        metric: metric.to_string(),
        source,
    })?;
    if read.digits() != empty.digits() || saved.min_ns > saved.max_ns {
        return Err(damaged(format!(
            "the histogram of {metric} has other buckets or bounds than its metric"
        )));
    }
    Ok(read)
}

fn restore(series: &mut Series, saved: &SeriesDump, thresholds: &[ThresholdDump]) -> Result<(), DumpError> {
    if saved.metric != series.key.to_string() {
        return Err(damaged(format!(
            "found `{}` where `{}` belongs",
            saved.metric, series.key
        )));
    }
    series.requests = saved.requests;
    match (&mut series.data, &saved.data) {
        (
            Data::Trend(trend),
            DataDump::Trend {
                judged,
                infinite,
                plain,
            },
        ) => {
            if plain.len() != trend.plain.len() || judged.count.checked_add(*infinite) != Some(saved.requests) {
                return Err(damaged(format!("`{}` has other parts than its metric", saved.metric)));
            }
            trend.judged.finite = histogram(&series.key, &trend.judged.finite, judged)?;
            trend.judged.infinite = *infinite;
            for (part, saved) in trend.plain.iter_mut().zip(plain) {
                *part = histogram(&series.key, part, saved)?;
            }
            for counted in &mut trend.counted {
                let Some(saved) = thresholds.get(counted.order) else {
                    continue;
                };
                (counted.bad, counted.hard_bad) = (saved.bad, saved.hard_bad);
                counted.batches = unpaired(&saved.batches, counted.batches.len())?;
                let total = |part: fn(&Batch) -> u64| {
                    let mut parts = counted.batches.iter().map(part);
                    parts.try_fold(0_u64, |sum: u64, part| sum.checked_add(part))
                };
                let (n, bad) = (total(|batch| batch.n), total(|batch| batch.bad));
                if n != Some(series.requests) || bad != Some(saved.bad) || saved.hard_bad > saved.bad {
                    return Err(damaged(format!(
                        "the counts of the threshold `{}` do not add up",
                        counted.threshold
                    )));
                }
            }
        }
        (
            Data::Rate(rate),
            DataDump::Rate {
                total,
                trues,
                hard,
                plain_total,
                plain_trues,
                batches,
            },
        ) => {
            if trues > total || plain_trues > plain_total || plain_total > total || hard > total {
                return Err(damaged(format!("the counts of `{}` do not add up", saved.metric)));
            }
            rate.batches = unpaired(batches, rate.batches.len())?;
            (rate.total, rate.trues, rate.hard) = (*total, *trues, *hard);
            (rate.plain_total, rate.plain_trues) = (*plain_total, *plain_trues);
        }
        (Data::Counter(count), DataDump::Counter { count: saved }) => *count = *saved,
        (Data::Gauge(gauge), DataDump::Gauge { value, min, max }) => {
            *gauge = Gauge {
                value: *value,
                min: *min,
                max: *max,
            };
        }
        _ => return Err(damaged(format!("`{}` has another type than its metric", saved.metric))),
    }
    Ok(())
}
