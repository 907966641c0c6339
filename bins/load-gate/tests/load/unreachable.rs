//! What cannot be reached fails at once, not at the end.

use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

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

/// The header and no rows, whole to the last byte.
#[test]
fn the_samples_of_no_request_are_a_whole_file() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.csv.gz");
    long(&Nobody::new().url(), &["--samples", file.to_str().unwrap()]);
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.starts_with("due_ms,") && text.lines().count() == 1, "{text}");
}

/// As at the end of any other run: what was asked for is not there.
#[cfg(target_os = "linux")]
#[test]
fn samples_that_cannot_be_written_are_told_here_too() {
    let _turn = turn();
    let nobody = Nobody::new();
    let ended = Job::new(&nobody.url(), &with_usual(&["--samples", "/dev/full"]))
        .start()
        .wait();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.stderr.contains("cannot write to the samples file /dev/full"),
        "{ended:?}"
    );
}

/// Accepts connections and closes them, so TLS never comes about; returns when somebody has tried.
fn wait_for_an_attempt(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match listener.accept() {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(Instant::now() < until, "nobody tried");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_while_the_target_is_waited_for_is_no_verdict_on_it() {
    let _turn = turn();
    for (exit_codes, code) in [("native", 3), ("k6", 105)] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let mut job = Job::new(&url, &with_usual(&["--wait-ready", "10m", "--exit-codes", exit_codes]));
        let running = job.start();
        wait_for_an_attempt(&listener);
        running.terminate();
        // Attempts that are on their way end too.
        drop(listener);
        let judged = job.finish(running, Default::default);
        judged.expect("INCONCLUSIVE", code);
        assert_eq!(judged.result["judgement"]["stop"]["kind"], "interrupted");
        assert_eq!(judged.result["partial"], true);
        assert_eq!(judged.scheduled(), 0);
        assert!(judged.took < Duration::from_secs(30), "{:?}", judged.took);
    }
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
