//! `evidence` over time: it waits for what may still come, and for nothing else.

use std::process::Command;
use std::time::{Duration, Instant};

use mc_sim::{Evidence, Fault, Sim, Target};

use crate::evidence::{DEPENDENCY, FAIL, NO_VERDICT, PASS, ask, asked, mc};
use program::Running;

const PATIENCE: Duration = Duration::from_secs(20);

fn poll(sim: &Sim, release: &str, deadline: &str) -> Command {
    let mut command = ask(&sim.url(), release);
    command
        .args(["--deadline", deadline])
        .env("LOAD_GATE_EVIDENCE_POLL_INTERVAL", "20ms");
    command
}

#[test]
fn it_asks_until_the_evidence_is_there() {
    let sim = mc();
    sim.set_fault(Fault::NotYet.times(3));
    let result = asked("good", PASS, &mut poll(&sim, "r1", "30s")).json();
    assert_eq!(result["asked"], 4);
    sim.set_fault(Fault::NotYet.times(2));
    assert_eq!(asked("bad", FAIL, &mut poll(&sim, "r2", "30s")).json()["asked"], 3);
}

#[test]
fn it_outlasts_whatever_may_pass_by_itself() {
    let sim = mc();
    let faults = [
        Fault::Status {
            code: 503,
            retry_after: None,
        },
        Fault::Status {
            code: 500,
            retry_after: None,
        },
        Fault::Status {
            code: 429,
            retry_after: Some(0),
        },
        Fault::Reset { at: None },
        Fault::Reset { at: Some(20) },
        Fault::Truncate { at: 20 },
        Fault::DataNull,
        Fault::GraphqlErrors {
            message: None,
            code: None,
            with_data: true,
        },
        Fault::StaleSnapshot { seconds: 7_200 },
    ];
    for fault in faults {
        sim.set_fault(fault.clone().on(Target::Graphql).times(2));
        let result = asked(fault.name(), PASS, &mut poll(&sim, "r1", "30s")).json();
        assert_eq!(result["asked"], 3, "{fault:?}");
    }
}

#[test]
fn it_does_not_wait_for_what_only_a_person_can_mend() {
    let sim = mc();
    for (exit, fault) in [
        (DEPENDENCY, Fault::Unauthorized),
        (
            DEPENDENCY,
            Fault::Status {
                code: 404,
                retry_after: None,
            },
        ),
        (NO_VERDICT, Fault::Html),
        (NO_VERDICT, Fault::RedirectLoop),
        (NO_VERDICT, Fault::DuplicateOk),
        (
            NO_VERDICT,
            Fault::GraphqlErrors {
                message: None,
                code: Some("GRAPHQL_VALIDATION_FAILED".to_owned()),
                with_data: false,
            },
        ),
    ] {
        sim.clear_faults();
        sim.set_fault(fault.clone().on(Target::Graphql));
        let result = asked(fault.name(), exit, &mut poll(&sim, "r1", "1h")).json();
        assert_eq!(result["asked"], 1, "{fault:?}");
    }
}

#[test]
fn the_deadline_ends_it_with_what_was_known() {
    let sim = mc();
    let started = Instant::now();
    let result = asked("no evidence", NO_VERDICT, &mut poll(&sim, "r3", "1s")).json();
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(result["cause"], "no_evidence");
    assert!(result["asked"].as_u64().unwrap() > 1, "{result}");
    let elapsed = result["elapsedMs"].as_u64().unwrap();
    assert!((750..10_000).contains(&elapsed), "{result}");

    sim.stop();
    let result = asked("gone", DEPENDENCY, &mut poll(&sim, "r3", "1s")).json();
    assert!(result["asked"].as_u64().unwrap() > 1, "{result}");
    sim.restart().unwrap();

    // The deadline comes in the middle of the second question: the first one counts.
    sim.clear_requests();
    let mut command = poll(&sim, "r3", "1s");
    let running = Running::start(&mut command);
    assert!(sim.wait_sync(|requests| requests.iter().any(|request| request.status == Some(200))));
    sim.set_fault(Fault::Latency { ms: 60_000 }.on(Target::Graphql));
    let ended = running.wait();
    assert_eq!(ended.code, Some(NO_VERDICT), "{ended:?}");
    assert_eq!(ended.json()["cause"], "no_evidence", "{ended:?}");
}

#[test]
fn retry_after_beyond_the_deadline_ends_it_at_once() {
    let sim = mc();
    sim.set_fault(Fault::Status {
        code: 503,
        retry_after: Some(3_600),
    });
    let started = Instant::now();
    let result = asked("later", DEPENDENCY, &mut poll(&sim, "r1", "2m")).json();
    assert_eq!(result["asked"], 1);
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn an_mc_that_comes_up_later_is_found() {
    let sim = mc();
    sim.stop();
    let mut command = poll(&sim, "r1", "30s");
    let running = Running::start(&mut command);
    sim.restart().unwrap();
    let ended = running.wait();
    assert_eq!(ended.code, Some(PASS), "{ended:?}");
}

#[test]
fn a_signal_ends_it_at_once_and_without_a_verdict() {
    let sim = mc();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("termination-log");
    std::fs::write(&log, "").unwrap();
    for slow in [false, true] {
        sim.clear_requests();
        if slow {
            // In the middle of a question, instead of between two.
            sim.set_fault(Fault::Latency { ms: 60_000 }.on(Target::Graphql));
        }
        let mut command = poll(&sim, "r3", "1h");
        command.args(["--poll-interval", "1h", "--http-request-timeout-ms", "60000"]);
        command.arg("--termination-log").arg(&log);
        let running = Running::start(&mut command);
        assert!(sim.wait_sync(|requests| requests.iter().any(|request| slow || request.status == Some(200))));
        let signalled = Instant::now();
        running.terminate();
        let ended = running.wait();
        assert!(signalled.elapsed() < Duration::from_secs(5));
        assert_eq!(ended.code, Some(NO_VERDICT), "{ended:?}");
        let result = ended.json();
        assert_eq!(
            (result["verdict"].as_str(), result["cause"].as_str()),
            (Some("INCONCLUSIVE"), Some("interrupted"))
        );
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("interrupted before MC gave an answer"), "{said}");
    }
}

#[test]
fn evidence_that_is_published_while_it_waits_is_seen() {
    let sim = mc();
    let mut command = poll(&sim, "r9", "30s");
    let running = Running::start(&mut command);
    assert!(sim.wait_sync(|requests| !requests.is_empty()));
    sim.publish_evidence(Evidence::good("cos", "r9"));
    assert_eq!(running.wait().code, Some(PASS));
}

/// Waits for the record of requests without a runtime around it.
trait WaitSync {
    fn wait_sync(&self, condition: impl FnMut(&mc_sim::Requests) -> bool) -> bool;
}

impl WaitSync for Sim {
    fn wait_sync(&self, condition: impl FnMut(&mc_sim::Requests) -> bool) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(self.wait_until(PATIENCE, condition))
    }
}
