//! `evidence` against an MC that does its work: verdicts, URLs, outputs, the termination message.

use std::process::Command;

use mc_sim::{Endpoint, Evidence, Sim, SimConfig};
use serde_json::json;

use crate::process::load_gate;
use program::{Ended, run};

pub(crate) const TOKEN: &str = "canary-mc-4f1d";
pub(crate) const PASS: i32 = 0;
pub(crate) const FAIL: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const NO_VERDICT: i32 = 3;
pub(crate) const DEPENDENCY: i32 = 4;

/// An MC that knows a good release `r1` and a bad one `r2` of the service `cos`, and asks for the token.
pub(crate) fn mc() -> Sim {
    let sim = Sim::start(SimConfig {
        bearer: Some(TOKEN.to_owned()),
        ..SimConfig::default()
    })
    .unwrap();
    sim.publish_evidence(Evidence::good("cos", "r1"));
    sim.publish_evidence(Evidence::bad("cos", "r2"));
    sim
}

/// Asks once, and never for longer than two seconds.
pub(crate) fn ask(url: &str, release: &str) -> Command {
    let mut command = load_gate(["evidence", "--service", "cos", "--release-id", release, "--mc-url", url]);
    command
        .env("LOAD_GATE_EVIDENCE_DEADLINE", "0")
        .env("HTTP_REQUEST_TIMEOUT_MS", "2000")
        .env("MC_TOKEN", TOKEN);
    command
}

/// Runs it and holds it to the rules: the exit code, the verdict that goes with it, no panic, no secret.
pub(crate) fn asked(name: &str, exit: i32, command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(exit), "{name}: {ended:?}");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("panicked") && !text.contains(TOKEN), "{name}: {text}");
    }
    let ok = ended.json()["ok"].clone();
    let expected = match exit {
        PASS => json!(true),
        FAIL => json!(false),
        _ => json!(null),
    };
    assert_eq!(ok, expected, "{name}: {ended:?}");
    assert!(
        !ended.json()["reasons"].as_array().unwrap().is_empty(),
        "{name}: {ended:?}"
    );
    ended
}

#[test]
fn a_good_release_passes() {
    let sim = mc();
    let ended = asked("good", PASS, &mut ask(&sim.url(), "r1"));
    let mut result = ended.json();
    assert!(result["elapsedMs"].take().is_u64());
    assert_eq!(
        result,
        json!({
            "tool": "load-gate",
            "command": "evidence",
            "service": "cos",
            "releaseId": "r1",
            "verdict": "PASS",
            "cause": "answered",
            "ok": true,
            "reasons": [
                "MC says ok: p95 210 ms, error rate 0.001, window 15m",
                "the age of the snapshot is not known: its window \"15m\" names no time",
            ],
            "snapshot": { "service": "cos", "p95Ms": 210, "p99Ms": 320, "errorRate": 0.001, "window": "15m" },
            "cost": { "graphqlPerMillionUsd": 1.4, "ingestPerThousandUsd": 0.02 },
            "measuredUntil": null,
            "asked": 1,
            "elapsedMs": null,
        })
    );
}

#[test]
fn a_bad_release_fails_by_mcs_own_reasons() {
    let sim = mc();
    let result = asked("bad", FAIL, &mut ask(&sim.url(), "r2")).json();
    assert_eq!(result["verdict"], "FAIL");
    assert_eq!(
        result["reasons"],
        json!([
            "p95 900 ms is over the budget of 350 ms",
            "error rate 0.05 is over the budget of 0.02",
        ])
    );
    assert_eq!(result["snapshot"]["p95Ms"], 900);
}

#[test]
fn a_release_that_mc_does_not_know_has_no_verdict() {
    let sim = mc();
    for (service, release) in [("cos", "r3"), ("other", "r1"), ("COS", "r1"), ("cos", "r1 x")] {
        let mut command = load_gate(["evidence", "--deadline", "0"]);
        command
            .env("MC_URL", sim.url())
            .env("MC_TOKEN", TOKEN)
            .env("SERVICE", service)
            .env("RELEASE_ID", release);
        let result = asked(release, NO_VERDICT, &mut command).json();
        assert_eq!(
            (&result["verdict"], &result["cause"]),
            (&json!("INCONCLUSIVE"), &json!("no_evidence"))
        );
        assert!(
            result["reasons"][0].as_str().unwrap().contains("no evidence"),
            "{result}"
        );
    }
}

#[test]
fn the_url_is_taken_as_it_is_written_in_the_field() {
    let sim = mc();
    for suffix in ["", "/", "/graphql", "/graphql/", "/graphql/graphql"] {
        asked(suffix, PASS, &mut ask(&format!("{}{suffix}", sim.url()), "r1"));
    }
    for record in sim.requests().iter() {
        assert_eq!(
            (record.path.as_str(), record.endpoint, record.with_token),
            ("/graphql", Endpoint::Graphql, true)
        );
        assert_eq!(record.operations, ["evidenceOk"]);
    }
    assert_eq!(sim.requests().len(), 5, "once each");
}

#[test]
fn people_get_sentences() {
    let sim = mc();
    let ended = run(ask(&sim.url(), "r2").args(["--output", "human"]));
    assert_eq!(
        ended.stdout,
        "FAIL: release r2 of cos\n  p95 900 ms is over the budget of 350 ms\n  error rate 0.05 is over the budget of \
         0.02\n  asked once\n"
    );
}

#[test]
fn kubernetes_gets_the_verdict_and_its_reasons() {
    let sim = mc();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("termination-log");
    let say = |release: &str| {
        let mut command = ask(&sim.url(), release);
        command.arg("--termination-log").arg(&path);
        run(&mut command)
    };
    assert_eq!(say("r2").code, Some(FAIL));
    assert!(!path.exists(), "it is there in a pod, and never created");
    std::fs::write(&path, "").unwrap();
    say("r2");
    let said = std::fs::read_to_string(&path).unwrap();
    assert!(
        said.starts_with("load-gate evidence: FAIL: release r2 of cos\n  p95 900 ms is over the budget"),
        "{said}"
    );
    assert_eq!(say("").code, Some(USAGE));
    let said = std::fs::read_to_string(&path).unwrap();
    assert!(
        said.contains("error: ") && said.contains("the release id is empty"),
        "{said}"
    );
}

#[test]
fn the_token_comes_from_a_file_as_well() {
    let sim = mc();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    let mut command = ask(&sim.url(), "r1");
    command.env_remove("MC_TOKEN").env("MC_TOKEN_FILE", &path);
    asked("file", PASS, &mut command);
}

#[test]
fn a_window_that_names_its_end_has_an_age() {
    let sim = mc();
    let now = jiff::Timestamp::now();
    let window = |from: i64, to: i64| {
        let at = |minutes: i64| now + jiff::SignedDuration::from_mins(minutes);
        format!("{}/{}", at(from), at(to))
    };
    for (release, from, to, exit) in [
        ("fresh", -20, -5, PASS),
        ("stale", -200, -61, NO_VERDICT),
        ("future", 0, 30, NO_VERDICT),
    ] {
        sim.publish_evidence(Evidence::good("cos", release).with_window(window(from, to)));
        let result = asked(release, exit, &mut ask(&sim.url(), release)).json();
        assert_eq!(result["measuredUntil"].is_string(), exit == PASS, "{result}");
    }
    let mut patient = ask(&sim.url(), "stale");
    asked("a longer --max-age", PASS, patient.args(["--max-age", "3h"]));
    let mut hasty = ask(&sim.url(), "fresh");
    asked("a shorter --max-age", NO_VERDICT, hasty.args(["--max-age", "1m"]));
    let mut strict = ask(&sim.url(), "r1");
    asked("an age that cannot be known", NO_VERDICT, strict.arg("--require-age"));
    let mut strict = ask(&sim.url(), "fresh");
    asked("an age that is known", PASS, strict.arg("--require-age"));
}
