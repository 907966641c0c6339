//! What `load-gate run --push-url` sends, in a real Pushgateway.
//!
//! A harness of its own, because libtest cannot skip at run time: where Pushgateway cannot be had, its tests count as
//! ignored (said on stderr), and under `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::float_cmp, reason = "counts, 0 and 1 arrive exactly")]

mod expected;

#[path = "../it/process.rs"]
mod process;
#[path = "../load/setup.rs"]
#[allow(dead_code, reason = "shared with another test program, which uses the rest of it")]
mod setup;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use load_target::{Kind, TargetConfig};
use tools::Tool;

use crate::setup::{Judged, faulty, fixed, turn};
use program::Nobody;
use program::pushgateway::Pushgateway;

/// With a slash, as in `team/service`: it cannot be a path segment as it is.
const SERVICE: &str = "shop/cos";
const GROUP: [(&str, &str); 3] = [("job", "load-gate"), ("service", SERVICE), ("environment", "staging")];
/// Changes with every release, so it must not be in any series.
const RELEASE: &str = "release-canary-7f3a";

/// A short run that pushes; thresholds are in `args`.
fn run(config: TargetConfig, url: &str, args: &[&str]) -> Judged {
    let header = format!("x-release-id: {RELEASE}");
    let usual = [
        "--rate",
        "200",
        "--duration",
        "1s",
        "--early-stop",
        "never",
        "--header",
        &header,
        "--push-url",
        url,
        "--push-service",
        SERVICE,
        "--push-environment",
        "staging",
    ];
    setup::run(config, &[&usual[..], args].concat())
}

const FAST: [&str; 2] = ["--threshold", "http_req_duration=p(95)<350"];
const RIGHT: [&str; 2] = ["--threshold", "http_req_failed=rate<0.02"];

fn a_passing_run_is_in_its_group(program: &Path) {
    let gateway = Pushgateway::start(program);
    let judged = run(fixed(2.0), &gateway.url(), &[FAST, RIGHT].concat());
    judged.expect("PASS", 0);
    assert!(!judged.ended.stderr.contains("metrics"), "{}", judged.ended.stderr);
    let found = gateway.group(&GROUP).expect("the group is there");
    expected::same(&found, &judged.result);
    // What the comparison rests on is there at all.
    assert_eq!(found[r#"load_gate_verdict{verdict="pass"}"#], 1.0);
    assert_eq!(found[r#"load_gate_requests{outcome="ok"}"#], 200.0);
    let p95 = found[r#"load_gate_latency_seconds{kind="judged",quantile="0.95"}"#];
    assert!((0.002..0.350).contains(&p95), "{p95}");
    assert_eq!(gateway.groups(), 1);
    nothing_that_changes_with_every_run(&gateway);
}

/// Neither a release nor a time: both would make a new series, or a refusal, of each run.
fn nothing_that_changes_with_every_run(gateway: &Pushgateway) {
    let text = gateway.exposition();
    assert!(!text.contains(RELEASE), "{text}");
    let ours: Vec<&str> = text.lines().filter(|line| line.starts_with("load_gate_")).collect();
    assert!(ours.len() > 20, "{text}");
    for line in ours {
        let (_, value) = line.rsplit_once("} ").unwrap_or_else(|| panic!("no labels: {line}"));
        // A time stamp would be a second word, and the seconds since 1970 are more than all that we count.
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("not one number: {line}"));
        assert!(value < 1e6 || value == f64::INFINITY, "{line}");
    }
}

fn a_failing_run_replaces_its_group_and_no_other(program: &Path) {
    let gateway = Pushgateway::start(program);
    let neighbour = [("job", "load-gate"), ("service", "other")];
    gateway.put(
        "job/load-gate/service/other",
        "# TYPE load_gate_completed_ratio gauge\nload_gate_completed_ratio 0.5\n",
    );
    run(fixed(2.0), &gateway.url(), &[FAST, RIGHT].concat()).expect("PASS", 0);
    let first = gateway.group(&GROUP).expect("the group is there");
    let threshold = r#"load_gate_threshold_ok{metric="http_req_duration",threshold="p(95)<350"}"#;
    assert_eq!(first[threshold], 1.0);

    let failed = run(faulty(Kind::Error, 0.5), &gateway.url(), &RIGHT);
    failed.expect("FAIL", 1);
    let second = gateway.group(&GROUP).expect("the group is there");
    expected::same(&second, &failed.result);
    assert!(!second.contains_key(threshold), "{second:#?}");
    assert_eq!(second[r#"load_gate_verdict{verdict="pass"}"#], 0.0);
    assert_eq!(second[r#"load_gate_verdict{verdict="fail"}"#], 1.0);
    assert_eq!(
        second[r#"load_gate_requests{outcome="http_error"}"#],
        failed.truth.count(Kind::Error) as f64
    );
    let p95 = second[r#"load_gate_latency_seconds{kind="judged",quantile="0.95"}"#];
    assert_eq!(p95, f64::INFINITY, "half of the requests failed");

    // Only a PUT takes away the metrics that the next run does not have at all; a POST would leave them.
    let dead = run(faulty(Kind::Error, 1.0), &gateway.url(), &["--no-thresholds"]);
    dead.expect("FAIL", 1);
    let third = gateway.group(&GROUP).expect("the group is there");
    expected::same(&third, &dead.result);
    assert!(!third.keys().any(|name| name.starts_with("load_gate_threshold_ok")));

    let untouched = gateway.group(&neighbour).expect("the neighbour is there");
    assert_eq!(
        untouched.into_iter().collect::<Vec<_>>(),
        [("load_gate_completed_ratio".to_owned(), 0.5)]
    );
    assert_eq!(gateway.groups(), 2);
}

fn a_gateway_that_refuses_changes_nothing(program: &Path) {
    let gateway = Pushgateway::start(program);
    // Somebody else has a metric of our name and another type; Pushgateway then takes ours from nobody.
    gateway.put("job/other", "# TYPE load_gate_verdict counter\nload_gate_verdict 1\n");
    for (config, verdict, code) in [(fixed(2.0), "PASS", 0), (faulty(Kind::Error, 0.5), "FAIL", 1)] {
        let judged = run(config, &gateway.url(), &RIGHT);
        judged.expect(verdict, code);
        warned(&judged, "refused the metrics with 400 Bad Request");
        warned(&judged, "inconsistent with existing metrics");
        assert!(gateway.group(&GROUP).is_none_or(|series| series.is_empty()));
    }
}

fn a_gateway_that_is_down_changes_nothing() {
    let nobody = Nobody::new();
    for (config, verdict, code) in [(fixed(2.0), "PASS", 0), (faulty(Kind::Error, 0.5), "FAIL", 1)] {
        let judged = run(config, &nobody.url(), &RIGHT);
        judged.expect(verdict, code);
        warned(&judged, &format!("cannot push metrics to {}", nobody.url()));
    }
}

/// Said on stderr as a warning, and nowhere in the result.
#[track_caller]
fn warned(judged: &Judged, words: &str) {
    let stderr = &judged.ended.stderr;
    let line = stderr.lines().find(|line| line.contains(words));
    let line = line.unwrap_or_else(|| panic!("no `{words}` in: {stderr}"));
    assert!(line.to_lowercase().contains("warn"), "{line}");
    assert!(!judged.ended.stdout.contains(words), "{}", judged.ended.stdout);
}

type Test = fn(&Path);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Listing must not install anything.
    let program = if arguments.list {
        tools::find(Tool::Pushgateway).ok()
    } else {
        tools::require(Tool::Pushgateway).ok()
    };
    let with_gateway: [(&str, Test); 3] = [
        ("a_passing_run_is_in_its_group", a_passing_run_is_in_its_group),
        (
            "a_failing_run_replaces_its_group_and_no_other",
            a_failing_run_replaces_its_group_and_no_other,
        ),
        (
            "a_gateway_that_refuses_changes_nothing",
            a_gateway_that_refuses_changes_nothing,
        ),
    ];
    let mut trials = vec![Trial::test("a_gateway_that_is_down_changes_nothing", || {
        let _turn = turn();
        a_gateway_that_is_down_changes_nothing();
        Ok(())
    })];
    for (name, test) in with_gateway {
        let missing = program.is_none();
        let program = program.clone().unwrap_or_default();
        let run = move || {
            let _turn = turn();
            test(&program);
            Ok(())
        };
        trials.push(Trial::test(name, run).with_ignored_flag(missing));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
