//! Servers that fail: what did not get the right answer is infinitely late, and counted as what it was.

use std::time::Duration;

use load_target::{Fault, Kind, TargetConfig};

use crate::setup::{faulty, fixed, turn, usual};

#[test]
fn instant_errors_do_not_make_a_server_fast() {
    let _turn = turn();
    // Slow enough to fail without them: the fast failures pull the plain p95 down, and must not help.
    let judged = usual(
        TargetConfig {
            latency: "two:300:0.04:600".parse().unwrap(),
            ..faulty(Kind::Error, 0.06)
        },
        &["--duration", "4s", "--early-stop", "never"],
    );
    judged.expect("FAIL", 1).expect_outcomes(&[("http_error", Kind::Error)]);
    let p95 = judged.quantile(95.0);
    assert!(p95.judged.is_infinite(), "{p95:?}");
    assert!(
        p95.plain.is_some_and(|plain| plain < 350.0),
        "k6 would have let it pass: {p95:?}"
    );
    let threshold = &judged.result["judgement"]["thresholds"][0];
    assert_eq!(threshold["plain_ok"], true);
    assert!(threshold["differs"].is_string(), "and that is said: {threshold}");
}

#[test]
fn few_errors_are_few() {
    let _turn = turn();
    let judged = usual(
        faulty(Kind::Error, 0.005),
        &["--threshold", "http_req_failed=rate<0.05"],
    );
    judged
        .expect("PASS", 0)
        .expect_outcomes(&[("http_error", Kind::Error)])
        .expect_truth(95.0);
    assert!(judged.outcome("http_error") > 0);
    assert_eq!(
        judged.result["summary"]["statuses"]["500"],
        judged.outcome("http_error")
    );
}

#[test]
fn graphql_errors_with_status_200_are_failures() {
    let _turn = turn();
    let judged = usual(
        faulty(Kind::GraphqlError, 0.1),
        &["--threshold", "checks=rate>0.99", "--early-stop", "never"],
    );
    judged
        .expect("FAIL", 1)
        .expect_outcomes(&[("check_failed", Kind::GraphqlError)]);
    let verdicts: Vec<&str> = judged.result["judgement"]["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|threshold| threshold["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(
        verdicts,
        ["FAIL", "FAIL"],
        "neither the latency nor the checks are kept"
    );
}

#[test]
fn a_login_page_is_no_answer() {
    let _turn = turn();
    let judged = usual(faulty(Kind::Html, 1.0), &[]);
    judged.expect("FAIL", 1);
    assert_eq!(judged.outcome("ok"), 0);
    let reason = judged.result["judgement"]["reasons"][0].as_str().unwrap();
    assert!(reason.contains("no request succeeded"), "{reason}");
}

#[test]
fn every_broken_answer_is_counted_as_what_it_is() {
    let _turn = turn();
    let fault = |kind| Fault { kind, share: 0.04 };
    let kinds = [Kind::Reset, Kind::Hangup, Kind::Garbage, Kind::Truncated];
    let judged = usual(
        TargetConfig {
            faults: kinds.map(fault).to_vec(),
            ..fixed(2.0)
        },
        &["--early-stop", "never"],
    );
    judged.expect("FAIL", 1);
    let count = |kind| judged.truth.count(kind) as u64;
    assert!(kinds.iter().all(|kind| count(*kind) > 10));
    assert_eq!(
        judged.outcome("protocol"),
        count(Kind::Garbage),
        "{}",
        judged.explained()
    );
    let cut = count(Kind::Reset) + count(Kind::Hangup) + count(Kind::Truncated);
    assert_eq!(judged.outcome("reset"), cut, "{}", judged.explained());
    assert_eq!(judged.outcome("ok"), count(Kind::Ok), "{}", judged.explained());
    assert_eq!(judged.truth.total(), judged.scheduled(), "no request was sent twice");
}

#[test]
fn what_never_comes_is_a_timeout_and_does_not_hold_up_the_others() {
    let _turn = turn();
    let judged = usual(
        faulty(Kind::Never, 0.1),
        &["--timeout", "500ms", "--early-stop", "never"],
    );
    judged
        .expect("FAIL", 1)
        .expect_outcomes(&[("timeout", Kind::Never)])
        .expect_truth(50.0);
    assert!(judged.quantile(95.0).judged.is_infinite());
    assert!(judged.took < Duration::from_secs(5), "{:?}", judged.took);
}

#[test]
fn a_broken_server_is_told_long_before_the_end() {
    let _turn = turn();
    let judged = usual(faulty(Kind::Error, 0.5), &["--duration", "30s"]);
    judged.expect("FAIL", 1);
    assert!(judged.took < Duration::from_secs(20), "{:?}", judged.took);
    assert_eq!(judged.result["judgement"]["stop"]["kind"], "decided");
    assert_eq!(
        judged.result["partial"], false,
        "it is the same verdict as the full run's"
    );
}
