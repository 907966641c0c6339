//! The run by time: slices, and the worst ten seconds.

use super::{MS, SECOND, sample, spec, tally};
use crate::{Outcome, Sample};

/// 50 requests a second for 60 s, each changed by what is given.
fn steady(change: impl Fn(f64, &mut Sample)) -> Vec<Sample> {
    (0..3000u64)
        .map(|i| {
            let mut sample = Sample {
                due_ns: 5 * SECOND + i * 20 * MS,
                ..sample()
            };
            change(i as f64 / 50.0, &mut sample);
            sample
        })
        .collect()
}

#[test]
fn a_freeze_is_the_worst_window_and_its_time_is_the_servers() {
    // The server freezes from 33.4 s to 41.2 s.
    let samples = steady(|at, sample| {
        if (33.4..41.2).contains(&at) {
            sample.first_byte_ns += ((41.2 - at) * 1e9) as u64;
        }
        sample.queue_ns = MS;
    });
    let summary = tally(&spec(&[]), &samples).summary(0.95);
    let worst = summary.worst_window.unwrap();
    // It holds the whole freeze, so it may begin anywhere from 31.2 s to 33.4 s: p95 is the same everywhere.
    assert!((31.1..=33.5).contains(&worst.start_s), "{worst:?}");
    assert!((worst.width_s - 10.0).abs() < 1e-9);
    assert_eq!((worst.scheduled, worst.failed), (500, 0));
    // The 475th of 500 is 25 requests from the top: 7.3 s of waiting, and 0.1 s.
    assert!((worst.p95_ms.unwrap() - 7400.0).abs() < 200.0, "{worst:?}");
    assert!(
        worst.phases.server_ms > 2900.0
            && (worst.phases.queue_ms - 1.0).abs() < 1e-6
            && worst.phases.lag_ms.abs() < 1e-9
    );
    assert_eq!(summary.slices.len(), 120);
    let slow = summary
        .slices
        .iter()
        .filter(|slice| slice.p50_ms.unwrap() > 150.0)
        .count();
    assert!((15..=16).contains(&slow), "{slow}");
    let first = summary.slices[0];
    assert_eq!((first.scheduled, first.failed, first.max_ms), (25, 0, Some(101.0)));
    assert!((first.p95_ms.unwrap() - 101.0).abs() < 2.0);
}

#[test]
fn failures_are_worse_than_anything_slow() {
    let samples = steady(|at, sample| {
        if (10.0..15.0).contains(&at) {
            sample.first_byte_ns = 20 * SECOND;
        } else if (40.0..41.0).contains(&at) {
            sample.outcome = Outcome::Reset;
        }
    });
    let worst = tally(&spec(&[]), &samples).summary(0.95).worst_window.unwrap();
    assert_eq!((worst.failed, worst.p95_ms), (50, None));
    assert!((31.0..=40.0).contains(&worst.start_s), "{worst:?}");
}

#[test]
fn a_short_run_has_a_short_window() {
    let mut short = super::TallySpec::clone(&spec(&[]));
    short.counted = std::time::Duration::from_millis(2500);
    let samples: Vec<Sample> = steady(|_, _| {}).into_iter().take(125).collect();
    let summary = tally(&std::sync::Arc::new(short), &samples).summary(0.95);
    let worst = summary.worst_window.unwrap();
    assert!(
        (worst.width_s - 2.5).abs() < 1e-9 && worst.scheduled == 125,
        "{worst:?}"
    );
    let end = summary
        .slices
        .last()
        .map(|slice| slice.start_s + slice.width_s)
        .unwrap();
    assert!((end - 2.5).abs() < 1e-9 && summary.slices.len() == 25, "{end}");
}

#[test]
fn a_run_that_ends_early_has_no_slices_after_its_end() {
    let samples: Vec<Sample> = steady(|_, _| {}).into_iter().take(500).collect();
    let mut tally = tally(&spec(&[]), &samples);
    tally.set_elapsed(std::time::Duration::from_secs(10));
    let summary = tally.summary(0.95);
    assert_eq!((summary.slices.len(), summary.seconds), (20, 10.0));
    assert!((tally.totals(true).completed - 0.5).abs() < 1e-9);
}
