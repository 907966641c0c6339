//! Recording: memory, the order of what comes, and k6's view beside ours.

use super::{MS, SECOND, random_samples, sample, spec, tally};
use crate::{
    Outcome, Sample,
    summary::MetricSummary,
    tally::{Tally, cells::Cells, histogram::Digits, histogram::Histogram},
};
use std::sync::Arc;

const FLAGS: &[&str] = &["http_req_duration=p(95)<350", "http_req_duration{op:read}=p(95)<350"];

/// Latencies as they are: most around 30 ms, some up to 1 s.
fn usual(random: &mut fastrand::Rng, due_ns: u64) -> Sample {
    let tail = if random.u8(..) < 10 { random.u64(..900 * MS) } else { 0 };
    Sample {
        due_ns,
        lag_ns: random.u64(20_000..90_000),
        queue_ns: 0,
        first_byte_ns: 20 * MS + random.u64(..20 * MS) + tail,
        receive_ns: random.u64(5_000..50_000),
        ..sample()
    }
}

#[test]
fn memory_is_what_the_documentation_says_and_does_not_grow() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut long = super::TallySpec::clone(&spec(&FLAGS[..1]));
    long.counted = std::time::Duration::from_mins(5);
    let mut tally = Tally::new(Arc::new(long));
    let empty = tally.memory();
    assert!(empty < 150 << 10, "{empty}");
    let mut record = |tally: &mut Tally, from: u64, to: u64| {
        (from..to).for_each(|i| tally.record(&usual(&mut random, 5 * SECOND + i % 15_000 * 20 * MS)));
        tally.memory()
    };
    let after_a_run = record(&mut tally, 0, 15_000);
    assert!(after_a_run < 1536 << 10, "{after_a_run}");
    // Twenty runs' worth of requests more: a few pages for latencies that had not come before.
    let later = record(&mut tally, 15_000, 300_000);
    assert!(later < after_a_run + (256 << 10), "{after_a_run} {later}");
    let flat = record(&mut tally, 300_000, 330_000);
    assert!(flat <= later + (16 << 10), "{later} {flat}");
}

#[test]
fn memory_has_a_bound_whatever_the_latencies() {
    let mut random = fastrand::Rng::with_seed(2);
    let (mut fine, mut coarse) = (Histogram::new(Digits::Four), Histogram::new(Digits::Three));
    let mut cells = Cells::new(u64::MAX);
    for _ in 0..300_000 {
        let bits = random.u32(1..42);
        let ns = random.u64(..1 << bits);
        fine.record(ns);
        coarse.record(ns);
        cells.record(ns, &sample(), Some(ns));
    }
    assert!(
        fine.memory() <= fine.memory_limit() && fine.memory_limit() < 1600 << 10,
        "{}",
        fine.memory_limit()
    );
    assert!(
        coarse.memory() <= coarse.memory_limit() && coarse.memory_limit() < 110 << 10,
        "{}",
        coarse.memory_limit()
    );
    assert!(
        cells.memory() <= cells.memory_limit() && cells.memory_limit() < 2304 << 10,
        "{}",
        cells.memory_limit()
    );
}

#[test]
fn k6_sees_failures_as_fast_as_they_were() {
    // 6 % instant errors: k6's p95 gets better, ours becomes infinite.
    let samples: Vec<Sample> = (0..1000u64)
        .map(|i| {
            let failed = i % 100 < 6;
            Sample {
                due_ns: 5 * SECOND + i * 20 * MS,
                first_byte_ns: if failed { MS } else { 300 * MS + i * MS / 10 },
                outcome: if failed { Outcome::HttpError } else { Outcome::Ok },
                status: if failed { 500 } else { 200 },
                ..sample()
            }
        })
        .collect();
    let tally = tally(&spec(FLAGS), &samples);
    let evidence = tally.evidence();
    assert!(evidence[0].infinite && evidence[0].observed.is_none());
    assert!(evidence[0].plain.unwrap() < 396.0);
    assert_eq!(evidence[0].hard_bad, 60);
    let summary = tally.summary(0.95);
    let p95 = summary
        .latency
        .iter()
        .find(|row| (row.percent - 95.0).abs() < 1e-9)
        .unwrap();
    assert_eq!((p95.judged_ms, p95.interval.high), (None, None));
    assert_eq!(
        summary.metrics["http_req_failed"],
        MetricSummary::Rate {
            rate: Some(0.06),
            trues: 60,
            total: 1000
        }
    );
}

#[test]
fn what_was_never_sent_is_judged_and_not_in_k6s_figures() {
    let dropped = Sample {
        outcome: Outcome::Dropped,
        status: 0,
        first_byte_ns: 0,
        checks_failed: 0b11,
        ..sample()
    };
    let tally = tally(
        &spec(FLAGS),
        &[
            sample(),
            dropped,
            Sample {
                outcome: Outcome::Unfinished,
                ..dropped
            },
        ],
    );
    let summary = tally.summary(0.95);
    assert_eq!((summary.scheduled, summary.succeeded), (3, 1));
    assert_eq!(tally.evidence()[0].bad, 2);
    assert_eq!(
        summary.metrics["http_req_failed"],
        MetricSummary::Rate {
            rate: Some(0.0),
            trues: 0,
            total: 1
        }
    );
    assert_eq!(
        summary.metrics["checks"],
        MetricSummary::Rate {
            rate: Some(1.0),
            trues: 2,
            total: 2
        }
    );
    for (metric, expected) in [("http_reqs", 1), ("dropped_iterations", 1)] {
        assert!(
            matches!(summary.metrics[metric], MetricSummary::Counter { count, .. } if count == expected),
            "{metric}"
        );
    }
}

#[test]
fn no_request_makes_no_figures() {
    let tally = tally(
        &spec(FLAGS),
        &[Sample {
            warm_up: true,
            ..sample()
        }],
    );
    assert_eq!((tally.scheduled(), tally.warmed_up()), (0, 1));
    let evidence = tally.evidence();
    assert!(
        evidence
            .iter()
            .all(|e| e.n == 0 && e.observed.is_none() && !e.infinite && e.plain.is_none())
    );
    let summary = tally.summary(0.95);
    assert!(summary.slices.is_empty() && summary.worst_window.is_none() && summary.curve.is_empty());
    assert!(matches!(
        summary.metrics["http_req_duration"],
        MetricSummary::Trend {
            count: 0,
            avg: None,
            p95: None,
            ..
        }
    ));
    assert!((tally.lag(0.99)).abs() < f64::EPSILON);
}

#[test]
fn odd_samples_are_counted_too() {
    // Beyond the schedule, beyond every range, of a scenario and a check that the plan does not have.
    let odd = Sample {
        due_ns: u64::MAX,
        first_byte_ns: u64::MAX / 4,
        scenario: 999,
        request: 999,
        status: 65_535,
        checks_made: u32::MAX,
        checks_failed: 1 << 31,
        ..sample()
    };
    let tally = tally(&spec(FLAGS), &[odd, sample()]);
    assert_eq!(tally.scheduled(), 2);
    assert_eq!(tally.evidence()[0].bad, 1);
    assert_eq!(
        tally
            .summary(0.95)
            .slices
            .iter()
            .map(|slice| slice.scheduled)
            .sum::<u64>(),
        2
    );
}

#[test]
fn gauges_keep_last_and_largest() {
    let mut tally = tally(&spec(&["vus=value<5", "vus_max=value<5"]), &random_samples(1, 5));
    [3, 9, 4]
        .into_iter()
        .for_each(|connections| tally.connection_gauge(connections));
    let observed: Vec<Option<f64>> = tally.evidence().iter().map(|evidence| evidence.observed).collect();
    assert_eq!(observed, [Some(4.0), Some(9.0)]);
    assert_eq!(
        tally.summary(0.95).metrics["vus"],
        MetricSummary::Gauge {
            value: 4.0,
            min: 3.0,
            max: 9.0
        }
    );
}
