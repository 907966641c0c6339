//! What servers do to connections.

use load_target::{OverLimit, TargetConfig};

use crate::setup::{fixed, turn, usual};

#[test]
fn a_connection_that_ends_politely_costs_no_request() {
    let _turn = turn();
    let judged = usual(
        TargetConfig {
            requests_per_connection: 20,
            ..fixed(2.0)
        },
        &[],
    );
    judged.expect("PASS", 0).expect_outcomes(&[]).expect_truth(95.0);
    assert!(
        judged.truth.connections >= 800 / 20,
        "{} connections",
        judged.truth.connections
    );
}

#[test]
fn a_connection_that_ends_without_a_word_is_replaced() {
    let _turn = turn();
    let judged = usual(
        TargetConfig {
            requests_per_connection: 20,
            close_unannounced: true,
            ..fixed(2.0)
        },
        &[],
    );
    // A request may meet the end of its connection, and is then lost: that is what a user would meet, too.
    judged.expect("PASS", 0);
    assert!(judged.outcome("reset") <= 8, "{}", judged.explained());
    assert_eq!(
        judged.outcome("ok") + judged.outcome("reset"),
        800,
        "{}",
        judged.explained()
    );
}

#[test]
fn late_accepts_are_in_the_latency() {
    let _turn = turn();
    // Each connection is taken up 25 ms after the one before, and each answer takes 30 ms: the first connections have to
    // carry what the later ones cannot yet.
    let judged = usual(
        TargetConfig {
            accept_ms: 25.0,
            ..fixed(30.0)
        },
        &["--connections", "1", "--early-stop", "never"],
    );
    assert_eq!(judged.scheduled(), 800);
    assert_eq!(judged.outcome("ok"), 800, "{}", judged.explained());
    let (p50, p99) = (judged.quantile(50.0), judged.quantile(99.0));
    // At 400/s, twelve connections are needed: the last of them is there after 300 ms.
    assert!(p99.judged > 100.0 && p50.judged < p99.judged, "{p50:?} {p99:?}");
    let arrived_late = judged.truth.honest_quantile(0.99);
    assert!(
        p99.judged > arrived_late,
        "the wait before the target knew of a request is in our figure"
    );
}

#[test]
fn connections_over_the_servers_limit_are_failures() {
    let _turn = turn();
    // 400/s at 50 ms need twenty connections; the server takes ten.
    let config = |over_limit| TargetConfig {
        connections: 10,
        over_limit,
        ..fixed(50.0)
    };
    let judged = usual(config(OverLimit::Reset), &["--early-stop", "never", "--timeout", "1s"]);
    judged.expect("FAIL", 1);
    assert_eq!(judged.truth.most_open, 10);
    assert!(judged.truth.turned_away > 0);
    assert!(judged.outcome("ok") >= 350, "{}", judged.explained());
    let judged = usual(config(OverLimit::Wait), &["--early-stop", "never", "--timeout", "1s"]);
    judged.expect("FAIL", 1);
    assert!(judged.quantile(95.0).judged > 350.0);
}

#[test]
fn our_own_limit_makes_requests_wait_and_the_wait_counts() {
    let _turn = turn();
    let judged = usual(fixed(50.0), &["--max-connections", "10", "--early-stop", "never"]);
    judged.expect("FAIL", 1);
    assert_eq!(judged.truth.most_open, 10);
    // Half of what is asked can be served: the last in line waits about as long as the whole run.
    let p95 = judged.quantile(95.0);
    assert!(p95.judged > 1_000.0, "{p95:?}");
    assert!(
        p95.plain.is_some_and(|plain| plain < 200.0),
        "what was sent was answered soon: {p95:?}"
    );
}
