//! What cannot be reached fails at once, not at the end.

use std::time::Duration;

use load_target::{Target, TargetConfig};

use crate::setup::{Job, Judged, fixed, turn, with_usual};
use program::Nobody;

/// For five minutes, if it were let.
fn long(url: &str, args: &[&str]) -> Judged {
    let mut job = Job::new(url, &with_usual(&[&["--duration", "5m"], args].concat()));
    let running = job.start();
    let judged = job.finish(running, Default::default);
    judged.expect("FAIL", 1);
    assert!(judged.took < Duration::from_secs(15), "{:?}", judged.took);
    assert_eq!(judged.result["judgement"]["stop"]["kind"], "no_success");
    judged
}

#[track_caller]
fn says(judged: &Judged, words: &[&str]) {
    let reason = judged.result["judgement"]["reasons"][0].as_str().unwrap();
    for word in ["no request succeeded"].iter().chain(words) {
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[test]
fn nobody_listens() {
    let _turn = turn();
    let nobody = Nobody::new();
    says(&long(&nobody.url(), &[]), &["refused"]);
}

#[test]
fn nobody_has_that_name() {
    let _turn = turn();
    // Reserved for this: RFC 6761.
    says(&long("http://nobody.invalid/graphql", &[]), &["nobody.invalid"]);
}

#[test]
fn a_certificate_by_an_unknown_authority() {
    let _turn = turn();
    let target = Target::start(TargetConfig {
        tls: true,
        ..fixed(1.0)
    })
    .unwrap();
    says(&long(&target.url(), &[]), &["certificate"]);
    assert_eq!(target.truth().total(), 0);
}

#[test]
fn tls_where_none_is_spoken() {
    let _turn = turn();
    let target = Target::start(fixed(1.0)).unwrap();
    says(&long(&target.url().replace("http:", "https:"), &[]), &["TLS"]);
}

#[test]
fn without_fail_fast_the_run_goes_on() {
    let _turn = turn();
    let nobody = Nobody::new();
    let mut job = Job::new(
        &nobody.url(),
        &with_usual(&["--duration", "1s", "--fail-fast=false", "--early-stop", "never"]),
    );
    let running = job.start();
    let judged = job.finish(running, Default::default);
    judged.expect("FAIL", 1);
    assert_eq!(judged.scheduled(), 400);
    assert_eq!(judged.outcome("connect"), 400);
}
