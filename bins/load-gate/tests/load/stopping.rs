//! Runs that end before their time: by a signal, by the target's end. And k6's exit codes.

use std::time::{Duration, Instant};

use load_target::{Kind, Target};

use crate::setup::{Job, faulty, fixed, turn, usual, with_usual};
use program::run as run_command;

/// Waits until a request has arrived.
fn wait_for_traffic(target: &Target) {
    let until = Instant::now() + Duration::from_secs(20);
    while target.truth().total() < 20 {
        assert!(Instant::now() < until, "no request came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn terminated(args: &[&str]) -> crate::setup::Judged {
    let target = Target::start(fixed(2.0)).unwrap();
    let mut job = Job::new(&target.url(), &with_usual(&[&["--duration", "1m"], args].concat()));
    let running = job.start();
    wait_for_traffic(&target);
    running.terminate();
    job.finish(running, || target.truth())
}

#[test]
fn sigterm_leaves_a_partial_result_that_is_no_pass() {
    let _turn = turn();
    let judged = terminated(&[]);
    judged.expect("INCONCLUSIVE", 3);
    assert_eq!(judged.result["partial"], true);
    assert_eq!(judged.result["judgement"]["stop"]["kind"], "interrupted");
    assert!(judged.result["judgement"]["completed"].as_f64().unwrap() < 0.9);
    assert!(judged.took < Duration::from_secs(30), "{:?}", judged.took);
    assert!(judged.scheduled() > 0 && judged.outcome("ok") > 0);
}

#[test]
fn k6_exit_codes_are_k6s() {
    let _turn = turn();
    let k6 = ["--exit-codes", "k6"];
    assert_eq!(usual(fixed(2.0), &k6).ended.code, Some(0));
    assert_eq!(usual(faulty(Kind::Error, 0.5), &k6).ended.code, Some(99));
    assert_eq!(terminated(&k6).ended.code, Some(105));
    let mut wrong = Job::new(
        "http://127.0.0.1:9/",
        &[
            "--exit-codes",
            "k6",
            "--rate",
            "10",
            "--duration",
            "60s",
            "--threshold",
            "http_req_duration=p95<350",
        ],
    );
    let ended = wrong.start().wait();
    assert_eq!(ended.code, Some(104), "{ended:?}");
}

#[test]
fn a_server_that_goes_away_in_the_middle_fails() {
    let _turn = turn();
    let target = Target::start(fixed(2.0)).unwrap();
    let mut job = Job::new(&target.url(), &with_usual(&["--duration", "6s"]));
    let running = job.start();
    wait_for_traffic(&target);
    let truth = target.truth();
    target.stop().unwrap();
    let judged = job.finish(running, || truth);
    judged.expect("FAIL", 1);
    assert!(
        judged.outcome("ok") > 0 && judged.outcome("connect") > 0,
        "{}",
        judged.explained()
    );
}

#[test]
fn too_few_samples_are_refused_before_anything_is_sent() {
    let target = Target::start(fixed(1.0)).unwrap();
    let mut job = Job::new(
        &target.url(),
        &[
            "--rate",
            "10",
            "--duration",
            "10s",
            "--threshold",
            "http_req_duration=p(99)<350",
        ],
    );
    let ended = job.start().wait();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("299"), "how many it takes: {}", ended.stderr);
    assert_eq!((target.truth().connections, target.truth().total()), (0, 0));
}

#[test]
fn no_threshold_is_no_gate() {
    let ended = run_command(&mut crate::process::load_gate([
        "run",
        "--url",
        "http://127.0.0.1:9/",
        "--rate",
        "10",
        "--duration",
        "10s",
    ]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--no-thresholds"), "{}", ended.stderr);
}
