//! Evidence and figures against every sample, sorted and counted the slow way.

use super::{random_samples, spec, tally};
use crate::{
    Outcome, Sample, Threshold,
    judge::Evidence,
    summary::MetricSummary,
    threshold::{Aggregation, Kind, Metric},
};
use proptest::prelude::*;

const FLAGS: &[&str] = &[
    "http_req_duration=p(95)<350",
    "http_req_duration=p(99)<=0.5e3",
    "http_req_duration=avg<200",
    "http_req_duration=max<1000",
    "http_req_duration=med>1",
    "http_req_duration{op:read}=p(90)<400",
    "http_req_duration{dark:yes,op:write}=p(50)<400",
    "http_req_duration{expected_response:true}=p(95)<350",
    "http_req_duration{status:503}=p(95)<350",
    "http_req_waiting=p(95)<300",
    "http_req_receiving=p(95)<30",
    "http_req_blocked=p(95)<10",
    "http_req_connecting{scenario:day}=p(95)<3",
    "http_req_tls_handshaking=min>=0",
    "iteration_duration=p(95)<350",
    "send_lag=p(99)<1",
    "http_req_failed=rate<0.01",
    "http_req_failed{op:read}=rate>0.5",
    "checks=rate>0.99",
    "checks{check:no_graphql_errors}=rate>0.9",
    "checks{check:status==200,outcome:http_error}=rate<0.1",
    "http_reqs=count>10",
    "http_reqs{status:200}=rate>1",
    "iterations=count>1",
    "dropped_iterations=count<1",
    "data_sent{op:write}=count>1",
    "data_received=rate>1",
];

fn matches(key: &[(String, String)], sample: &Sample) -> bool {
    key.iter().all(|(name, value)| match name.as_str() {
        "op" => (value == "read") == (sample.request == 0),
        "dark" => sample.scenario == 1,
        "scenario" => (value == "day") == (sample.scenario == 0),
        "status" => sample.status.to_string() == *value,
        "expected_response" => (200..400).contains(&sample.status),
        "outcome" => sample.outcome.as_str() == value,
        "check" => true,
        other => panic!("tag {other}"),
    })
}

fn observed_by_k6(sample: &Sample) -> bool {
    !matches!(sample.outcome, Outcome::Dropped | Outcome::Unfinished)
}

/// Judged and plain value of a trend, in nanoseconds.
fn values(metric: Metric, sample: &Sample) -> (u64, u64) {
    let value = match metric {
        Metric::HttpReqDuration => return (sample.total_ns(), sample.service_ns()),
        Metric::IterationDuration => sample.total_ns(),
        Metric::HttpReqWaiting => sample.first_byte_ns,
        Metric::HttpReqReceiving => sample.receive_ns,
        Metric::HttpReqBlocked => sample.queue_ns + sample.connect_ns + sample.tls_ns,
        Metric::HttpReqConnecting => sample.connect_ns,
        Metric::HttpReqTlsHandshaking => sample.tls_ns,
        Metric::SendLag => sample.lag_ns,
        other => panic!("no trend: {other}"),
    };
    (value, value)
}

/// An aggregate of values in milliseconds, infinite ones among them; `None` is infinite or no value.
fn aggregate(aggregation: Aggregation, mut values: Vec<f64>, infinite_is: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let figure = match aggregation {
        _ if n == 0 => return None,
        Aggregation::Avg => {
            values
                .iter()
                .map(|ms| if ms.is_finite() { *ms } else { infinite_is })
                .sum::<f64>()
                / n as f64
        }
        Aggregation::Min => values[0],
        Aggregation::Max => values[n - 1],
        other => {
            let i = other.quantile().unwrap() * (n as f64 - 1.0);
            let (low, high) = (values[i.floor() as usize], values[i.ceil() as usize]);
            if i.fract() == 0.0 {
                low
            } else {
                low + (high - low) * i.fract()
            }
        }
    };
    figure.is_finite().then_some(figure)
}

fn close(got: Option<f64>, expected: Option<f64>, precision: f64) -> bool {
    match (got, expected) {
        (Some(got), Some(expected)) => (got - expected).abs() <= expected.abs() * precision + 20e-6,
        (got, expected) => got == expected,
    }
}

fn check(evidence: &Evidence<'_>, threshold: &Threshold, samples: &[Sample]) {
    let metric = threshold.key.metric;
    let mine: Vec<&Sample> = samples
        .iter()
        .filter(|sample| !sample.warm_up && matches(&threshold.key.tags, sample))
        .collect();
    assert_eq!(&evidence.threshold, threshold);
    let (mut n, mut bad, mut hard_bad) = (mine.len() as u64, 0, 0);
    let (observed, plain, precision);
    match metric.kind() {
        Kind::Trend => {
            let own = metric == Metric::SendLag;
            let judged = |sample: &Sample| {
                if own || sample.outcome == Outcome::Ok {
                    values(metric, sample).0 as f64 / 1e6
                } else {
                    f64::INFINITY
                }
            };
            for sample in &mine {
                let is_bad = !threshold.operator.holds(judged(sample), threshold.limit);
                bad += u64::from(is_bad);
                let late = matches!(
                    sample.outcome,
                    Outcome::Ok | Outcome::Timeout | Outcome::Dropped | Outcome::Unfinished
                );
                hard_bad += u64::from(is_bad && !late && !own);
            }
            observed = aggregate(
                threshold.aggregation,
                mine.iter().map(|sample| judged(sample)).collect(),
                30_000.0,
            );
            let seen = mine.iter().filter(|sample| own || observed_by_k6(sample));
            plain = aggregate(
                threshold.aggregation,
                seen.map(|sample| values(metric, sample).1 as f64 / 1e6).collect(),
                0.0,
            );
            precision = if metric == Metric::HttpReqDuration {
                1.0 / 16_000.0
            } else {
                1.0 / 1000.0
            };
            assert_eq!(evidence.ranked.unwrap().count(), n);
        }
        Kind::Rate => {
            let mask = match threshold.key.tags.iter().find(|(name, _)| name == "check") {
                Some((_, check)) => [0b01, 0b10][usize::from(check == "no_graphql_errors")],
                None => 0b11,
            };
            let failed_is_bad =
                (metric == Metric::HttpReqFailed) == matches!(threshold.operator, crate::threshold::Operator::Less);
            let mut sums = [[0u64; 2]; 2];
            n = 0;
            for sample in &mine {
                let (total, failed) = if metric == Metric::Checks {
                    (
                        u64::from((sample.checks_made & mask).count_ones()),
                        u64::from((sample.checks_failed & mask).count_ones()),
                    )
                } else {
                    (
                        1,
                        u64::from(!matches!(sample.outcome, Outcome::Ok | Outcome::CheckFailed)),
                    )
                };
                let trues = if metric == Metric::Checks {
                    total - failed
                } else {
                    failed
                };
                n += total;
                bad += if failed_is_bad { failed } else { total - failed };
                let late = matches!(
                    sample.outcome,
                    Outcome::Timeout | Outcome::Dropped | Outcome::Unfinished
                );
                hard_bad += if failed_is_bad && !late { failed } else { 0 };
                for (sum, counts) in sums.iter_mut().zip([true, observed_by_k6(sample)]) {
                    sum[0] += trues * u64::from(counts);
                    sum[1] += total * u64::from(counts);
                }
            }
            let share = |[trues, total]: [u64; 2]| (total > 0).then(|| trues as f64 / total as f64);
            (observed, plain, precision) = (share(sums[0]), share(sums[1]), 1e-12);
        }
        Kind::Counter => {
            let count: u64 = mine
                .iter()
                .map(|sample| match metric {
                    Metric::DataSent => sample.sent_bytes,
                    Metric::DataReceived => sample.received_bytes,
                    Metric::DroppedIterations => u64::from(sample.outcome == Outcome::Dropped),
                    _ => u64::from(observed_by_k6(sample)),
                })
                .sum();
            let figure = if threshold.aggregation == Aggregation::Rate {
                count as f64 / 20.0
            } else {
                count as f64
            };
            (observed, plain, precision) = (Some(figure), Some(figure), 1e-12);
        }
        Kind::Gauge => panic!("no gauge here"),
    }
    assert_eq!(
        (evidence.n, evidence.bad, evidence.hard_bad),
        (n, bad, hard_bad),
        "{threshold}"
    );
    if metric.kind() != Kind::Counter {
        let batches = evidence
            .batches
            .iter()
            .fold((0, 0), |sum, batch| (sum.0 + batch.n, sum.1 + batch.bad));
        assert_eq!(batches, (n, bad), "{threshold}");
    }
    assert!(
        close(evidence.observed, observed, precision),
        "{threshold}: {:?} for {observed:?}",
        evidence.observed
    );
    assert!(
        close(evidence.plain, plain, precision),
        "{threshold}: {:?} for {plain:?}",
        evidence.plain
    );
    assert_eq!(
        evidence.infinite,
        evidence.observed.is_none() && n > 0 && metric.kind() == Kind::Trend,
        "{threshold}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn evidence_is_what_the_samples_say(seed: u64, count in 0usize..400) {
        let samples = random_samples(seed, count);
        let spec = spec(FLAGS);
        let mut tally = tally(&spec, &samples);
        tally.set_elapsed(std::time::Duration::from_secs(20));
        let evidence = tally.evidence();
        prop_assert_eq!(evidence.len(), FLAGS.len());
        for (evidence, threshold) in evidence.iter().zip(&spec.thresholds) {
            check(evidence, threshold, &samples);
        }
        let counted: Vec<&Sample> = samples.iter().filter(|sample| !sample.warm_up).collect();
        let totals = tally.totals(false);
        prop_assert_eq!(totals.scheduled, counted.len() as u64);
        prop_assert_eq!(totals.outcomes.iter().sum::<u64>(), totals.scheduled);
        prop_assert_eq!(totals.succeeded, counted.iter().filter(|sample| sample.outcome == Outcome::Ok).count() as u64);
        prop_assert_eq!(tally.warmed_up() + totals.scheduled, count as u64);
    }

    #[test]
    fn a_summary_is_what_the_samples_say(seed: u64, count in 0usize..400) {
        let samples = random_samples(seed, count);
        let tally = tally(&spec(FLAGS), &samples);
        let summary = tally.summary(0.95);
        let counted: Vec<&Sample> = samples.iter().filter(|sample| !sample.warm_up).collect();
        prop_assert_eq!(summary.outcomes.values().sum::<u64>(), summary.scheduled);
        prop_assert_eq!(summary.statuses.values().sum::<u64>(), counted.iter().filter(|sample| sample.status > 0).count() as u64);
        prop_assert_eq!(summary.slices.iter().map(|slice| slice.scheduled).sum::<u64>(), summary.scheduled);
        prop_assert_eq!(summary.slices.iter().map(|slice| slice.failed).sum::<u64>(), summary.scheduled - summary.succeeded);
        prop_assert!(summary.slices.len() <= 120);
        prop_assert_eq!(summary.worst_window.is_some(), !counted.is_empty());
        for (index, check) in summary.checks.iter().enumerate() {
            let made = counted.iter().filter(|sample| sample.checks_made >> index & 1 == 1);
            let fails = made.clone().filter(|sample| sample.checks_failed >> index & 1 == 1).count() as u64;
            prop_assert_eq!((check.passes + check.fails, check.fails), (made.count() as u64, fails));
        }
        for row in &summary.latency {
            let judged = counted.iter().map(|sample| sample.judged_ns().map_or(f64::INFINITY, |ns| ns as f64 / 1e6)).collect();
            let expected = aggregate(Aggregation::Percentile(row.percent), judged, 0.0);
            prop_assert!(close(row.judged_ms, expected, 1.0 / 16_000.0), "{row:?} for {expected:?}");
            let (low, high) = (row.interval.low.unwrap_or(0.0), row.interval.high.unwrap_or(f64::INFINITY));
            let value = row.judged_ms.unwrap_or(f64::INFINITY);
            prop_assert!(counted.is_empty() || low <= value && value <= high, "{row:?}");
        }
        let rising = summary.curve.windows(2).all(|pair| {
            let at = |point: usize| pair[point].judged_ms.unwrap_or(f64::INFINITY);
            pair[0].percent < pair[1].percent && at(0) <= at(1)
        });
        prop_assert!(rising, "{:?}", summary.curve);
        let expected: Vec<f64> = counted.iter().filter(|s| (200..400).contains(&s.status)).map(|s| s.service_ns() as f64 / 1e6).collect();
        match &summary.metrics["http_req_duration{expected_response:true}"] {
            MetricSummary::Trend { count, p95, max, .. } => {
                prop_assert_eq!(*count, expected.len() as u64);
                prop_assert!(close(*p95, aggregate(Aggregation::Percentile(95.0), expected.clone(), 0.0), 1.0 / 16_000.0));
                prop_assert!(close(*max, aggregate(Aggregation::Max, expected, 0.0), 1e-12));
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

/// The 99th percentile of two is between them, and the order statistic that bounds it from below is the larger one.
#[test]
fn a_figure_is_within_its_interval() {
    for seed in 0..50 {
        for count in 1..8 {
            for row in &tally(&spec(FLAGS), &random_samples(seed, count)).summary(0.95).latency {
                let (low, high) = (
                    row.interval.low.unwrap_or(0.0),
                    row.interval.high.unwrap_or(f64::INFINITY),
                );
                let value = row.judged_ms.unwrap_or(f64::INFINITY);
                assert!(low <= value && value <= high, "seed {seed}, {count} samples: {row:?}");
            }
        }
    }
}

#[test]
fn what_is_planned_follows_the_tags() {
    let flags = [
        "http_req_duration=p(95)<1",
        "http_req_duration{op:read}=p(95)<1",
        "http_req_duration{scenario:night,op:write,status:200}=p(95)<1",
        "http_req_duration{op:delete}=p(95)<1",
        "checks=rate>0.9",
        "checks{check:no_graphql_errors}=rate>0.9",
    ];
    let tally = tally(&spec(&flags), &[]);
    let planned: Vec<(u64, u64, bool)> = tally
        .evidence()
        .iter()
        .map(|e| (e.planned, e.per_request, e.only_answered))
        .collect();
    let expected = [
        (1000, 1, false),
        (400, 1, false),
        (400, 1, true),
        (0, 1, false),
        // Two checks of each of the 400 reads, one of each of the 600 writes.
        (1400, 2, false),
        (400, 1, false),
    ];
    assert_eq!(planned, expected);
}
