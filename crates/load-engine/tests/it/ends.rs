//! Every arrival becomes exactly one sample, however it ends.

use crate::run::{carry_out, count, plan, target};
use load_plan::plan::Protocol;
use load_target::{Fault, Kind, OverLimit};
use load_verdict::{Outcome, Sample};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn once_each(samples: &[Sample], expected: usize) {
    assert_eq!(samples.len(), expected);
    assert!(
        samples.windows(2).all(|pair| pair[0].due_ns < pair[1].due_ns),
        "no arrival twice"
    );
}

#[test]
fn every_fault_has_its_outcome_and_nothing_is_lost() {
    for (kind, outcome) in [
        (Kind::Error, Outcome::HttpError),
        (Kind::GraphqlError, Outcome::CheckFailed),
        (Kind::Html, Outcome::CheckFailed),
        (Kind::Reset, Outcome::Reset),
        (Kind::Hangup, Outcome::Reset),
        (Kind::Garbage, Outcome::Protocol),
        (Kind::Truncated, Outcome::Reset),
        (Kind::Never, Outcome::Timeout),
    ] {
        let target = target(|config| config.faults = vec![Fault { kind, share: 0.2 }]);
        let plan = plan(&target, 1_000.0, SECOND, |settings| {
            settings.timeout = Some(Duration::from_millis(500));
        });
        let (samples, _) = carry_out(plan, None);
        once_each(&samples, 1_000);
        let truth = target.truth();
        assert_eq!(truth.total(), 1_000, "{kind:?}: each was sent once");
        assert_eq!(count(&samples, outcome), truth.count(kind), "{kind:?}");
        assert_eq!(
            count(&samples, Outcome::Ok),
            truth.count(Kind::Ok),
            "{kind:?}: the others are right"
        );
    }
}

#[test]
fn connections_that_end_between_requests_cost_no_request() {
    for unannounced in [false, true] {
        let target = target(|config| {
            config.requests_per_connection = 7;
            config.close_unannounced = unannounced;
        });
        let (samples, finished) = carry_out(plan(&target, 500.0, SECOND, |_| {}), None);
        once_each(&samples, 500);
        assert!(finished.opened > 50, "{} connections", finished.opened);
        // A request that was written to a connection which the server closed at that moment is lost for every client;
        // nothing else may be.
        assert!(count(&samples, Outcome::Ok) >= if unannounced { 400 } else { 500 });
        assert_eq!(count(&samples, Outcome::Ok) + count(&samples, Outcome::Reset), 500);
    }
}

#[test]
fn requests_over_the_connection_limit_wait_and_their_wait_counts() {
    let target = target(|config| {
        config.latency = "20".parse().expect("a latency");
        config.connections = 2;
        config.over_limit = OverLimit::Wait;
    });
    let plan = plan(&target, 200.0, SECOND, |settings| {
        settings.connections = Some(2);
        settings.max_connections = Some(2);
    });
    let (samples, _) = carry_out(plan, None);
    once_each(&samples, 200);
    assert_eq!(count(&samples, Outcome::Ok), 200);
    // 100 a second can be served: the last one waits for about a second.
    let last = samples.last().expect("samples");
    assert!(last.queue_ns > 700_000_000, "waited {} ns", last.queue_ns);
    assert!(last.service_ns() < 200_000_000, "served in {} ns", last.service_ns());
}

#[test]
fn too_many_waiting_are_dropped_and_counted() {
    let target = target(|config| config.latency = "100".parse().expect("a latency"));
    let plan = plan(&target, 500.0, SECOND, |settings| {
        settings.connections = Some(1);
        settings.max_connections = Some(1);
        settings.max_waiting = Some(10);
    });
    let (samples, _) = carry_out(plan, None);
    once_each(&samples, 500);
    assert!(count(&samples, Outcome::Dropped) > 400);
    assert_eq!(count(&samples, Outcome::Dropped) + count(&samples, Outcome::Ok), 500);
}

#[test]
fn a_stopped_run_has_a_sample_for_everything_that_was_due_until_then() {
    let target = target(|config| config.latency = "5000".parse().expect("a latency"));
    let (samples, finished) = carry_out(
        plan(&target, 200.0, 20 * SECOND, |_| {}),
        Some(Duration::from_millis(500)),
    );
    let gap = 5_000_000;
    assert!(samples.len() > 60, "{} samples", samples.len());
    assert!(
        samples
            .iter()
            .enumerate()
            .all(|(index, sample)| sample.due_ns == index as u64 * gap),
        "the first {} arrivals, without a hole",
        samples.len()
    );
    assert_eq!(count(&samples, Outcome::Unfinished), samples.len(), "none was answered");
    assert!(finished.elapsed < Duration::from_secs(4), "{:?}", finished.elapsed);
}

#[test]
fn http2_and_tls_lose_nothing_either() {
    for (tls, protocol) in [
        (false, Protocol::Http2),
        (true, Protocol::Auto),
        (true, Protocol::Http1),
    ] {
        let target = target(|config| config.tls = tls);
        let plan = plan(&target, 500.0, SECOND, |settings| {
            settings.protocol = Some(protocol);
            settings.insecure_skip_verify = tls;
        });
        let (samples, finished) = carry_out(plan, None);
        once_each(&samples, 500);
        assert_eq!(
            count(&samples, Outcome::Ok),
            500,
            "tls {tls}, {protocol:?}: {:?}",
            finished.causes
        );
    }
}
