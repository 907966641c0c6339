//! The times of a sample are those of its request.

use crate::run::{carry_out, count, plan, target};
use load_target::{Fault, Kind};
use load_verdict::{Outcome, Sample};
use std::time::Duration;

const MS: u64 = 1_000_000;
const SECOND: Duration = Duration::from_secs(1);

fn median(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let mut all: Vec<u64> = samples.iter().map(of).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

#[test]
fn no_answer_is_timed_before_it_was_given_and_most_are_timed_at_once() {
    // At both rates: with every wake-up its own, and with answers that are read later than they arrive.
    for rate in [100.0, 1_500.0, 4_000.0] {
        let target = target(|config| config.latency = "5".parse().expect("a latency"));
        let (samples, _) = carry_out(plan(&target, rate, SECOND, |_| {}), None);
        assert_eq!(count(&samples, Outcome::Ok), samples.len());
        let least = samples.iter().map(Sample::service_ns).min().expect("samples");
        assert!(least >= 5 * MS - MS / 20, "at {rate}/s: an answer after {least} ns");
        let truth = target.truth();
        let theirs = truth.answered_quantile(0.5);
        let ours = median(&samples, Sample::service_ns) as f64 / 1e6;
        // The way there and back, and a machine that does other things too.
        assert!(
            ours > theirs - 0.05 && ours < theirs + 2.0,
            "at {rate}/s: {ours} ms, the server says {theirs} ms"
        );
    }
}

#[test]
fn a_frozen_server_is_felt_by_everything_that_was_due_meanwhile() {
    let target = target(|config| {
        config.freezes = vec![load_target::Freeze {
            from_ms: 300.0,
            for_ms: 400.0,
        }];
    });
    let (samples, _) = carry_out(plan(&target, 500.0, SECOND, |_| {}), None);
    assert_eq!(count(&samples, Outcome::Ok), 500);
    // Due at the start of the freeze: 400 ms; at its end: nothing. 200 requests of 500, so 150 of them over 100 ms.
    let slow = samples.iter().filter(|sample| sample.total_ns() > 100 * MS).count();
    assert!((130..=200).contains(&slow), "{slow} slow ones");
    let worst = samples.iter().map(Sample::total_ns).max().expect("samples");
    assert!((370 * MS..700 * MS).contains(&worst), "worst {worst} ns");
}

#[test]
fn the_body_counts_as_receiving() {
    let target = target(|config| {
        config.faults = vec![Fault {
            kind: Kind::SlowBody,
            share: 1.0,
        }];
        config.slow_body_ms = 30.0;
    });
    let (samples, _) = carry_out(plan(&target, 200.0, SECOND, |_| {}), None);
    assert_eq!(count(&samples, Outcome::Ok), 200);
    assert!(median(&samples, |sample| sample.receive_ns) >= 29 * MS);
    assert!(median(&samples, |sample| sample.first_byte_ns) < 20 * MS);
}

#[test]
fn opening_a_connection_is_told_apart_from_the_server() {
    let target = target(|_| {});
    let plan = plan(&target, 100.0, SECOND, |settings| settings.no_connection_reuse = true);
    let (samples, finished) = carry_out(plan, None);
    assert_eq!(count(&samples, Outcome::Ok), 100);
    assert!(finished.opened >= 90, "{} connections", finished.opened);
    let opened = samples.iter().filter(|sample| sample.connect_ns > 0).count();
    assert!(opened >= 80, "{opened} requests waited for their connection");
}
