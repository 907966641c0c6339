//! `evidence` against an MC that answers wrongly, or something else in its place: never a pass.

use mc_sim::{Evidence, Fault, FaultSpec, Sim, Target};
use serde_json::{Value, json};

use crate::evidence::{DEPENDENCY, FAIL, NO_VERDICT, PASS, ask, asked, mc};
use program::Nobody;

/// One ask with these faults: exit code, and what the verdict rests on.
fn with(sim: &Sim, release: &str, name: &str, exit: i32, cause: &str, faults: impl IntoIterator<Item = FaultSpec>) {
    sim.clear_faults();
    for fault in faults {
        sim.set_fault(fault.on(Target::Graphql));
    }
    let ended = asked(name, exit, &mut ask(&sim.url(), release));
    assert_eq!(ended.json()["cause"], cause, "{name}: {ended:?}");
}

fn set(field: &str, value: Value) -> Fault {
    Fault::SetField {
        field: field.to_owned(),
        value,
    }
}

fn body(text: &str) -> Fault {
    Fault::Body { text: text.to_owned() }
}

#[test]
fn graphql_that_is_not_an_answer() {
    let sim = mc();
    let errors = |code: Option<&str>, with_data| Fault::GraphqlErrors {
        message: Some("something is wrong".to_owned()),
        code: code.map(str::to_owned),
        with_data,
    };
    for release in ["r1", "r2"] {
        for (name, exit, cause, fault) in [
            ("data is null", NO_VERDICT, "no_evidence", Fault::DataNull),
            ("no evidence yet", NO_VERDICT, "no_evidence", Fault::NotYet),
            ("errors with 200", NO_VERDICT, "no_evidence", errors(None, false)),
            ("errors beside data", NO_VERDICT, "not_trusted", errors(None, true)),
            (
                "another schema",
                NO_VERDICT,
                "not_trusted",
                errors(Some("GRAPHQL_VALIDATION_FAILED"), false),
            ),
            (
                "not authenticated, with 200",
                DEPENDENCY,
                "unavailable",
                errors(Some("UNAUTHENTICATED"), false),
            ),
            (
                "evidenceOk is null",
                NO_VERDICT,
                "no_evidence",
                body(r#"{"data":{"evidenceOk":null}}"#),
            ),
            (
                "snapshot is null",
                NO_VERDICT,
                "no_evidence",
                set("snapshot", Value::Null),
            ),
            ("no data", NO_VERDICT, "not_trusted", body("{}")),
            (
                "errors is empty",
                NO_VERDICT,
                "not_trusted",
                body(r#"{"data":null,"errors":[]}"#),
            ),
        ] {
            with(&sim, release, name, exit, cause, [fault.into()]);
        }
    }
}

#[test]
fn a_field_that_is_missing_or_of_another_type() {
    let sim = mc();
    for field in [
        "ok",
        "reasons",
        "cost",
        "snapshot",
        "snapshot.service",
        "snapshot.p95Ms",
        "snapshot.p99Ms",
        "snapshot.errorRate",
        "snapshot.window",
        "cost.graphqlPerMillionUsd",
    ] {
        let fault = Fault::MissingField {
            field: field.to_owned(),
        };
        with(&sim, "r1", field, NO_VERDICT, "not_trusted", [fault.into()]);
    }
    for (field, value) in [
        ("ok", json!("true")),
        ("ok", json!(null)),
        ("ok", json!(1)),
        ("ok", json!([true])),
        ("ok", json!({ "ok": true })),
        ("reasons", json!(null)),
        ("reasons", json!("")),
        ("reasons", json!([null])),
        ("reasons", json!({})),
        ("reasons", json!(["p95 is over the budget"])),
        ("snapshot", json!("cos")),
        ("snapshot", json!(["cos", 210, 320, 0.001, "15m"])),
        ("snapshot.p95Ms", json!(320.5)),
        ("snapshot.p95Ms", json!("210")),
        ("snapshot.p95Ms", json!(0)),
        ("snapshot.p95Ms", json!(-1)),
        ("snapshot.p95Ms", json!(2_147_483_647)),
        ("snapshot.p95Ms", json!(2_147_483_648_u64)),
        ("snapshot.p95Ms", json!(null)),
        ("snapshot.p99Ms", json!(100)),
        ("snapshot.errorRate", json!(null)),
        ("snapshot.errorRate", json!(1.5)),
        ("snapshot.errorRate", json!(-0.1)),
        ("snapshot.window", json!("")),
        ("snapshot.window", json!(null)),
        ("snapshot.service", json!("other")),
        ("snapshot.service", json!("")),
        ("snapshot.createdAt", json!("2026-01-01T00:00:00Z")),
        ("cost", json!([1.4, 0.02])),
        ("cost.graphqlPerMillionUsd", json!(-1)),
        ("extra", json!(1)),
    ] {
        let name = format!("{field} is {value}");
        with(&sim, "r1", &name, NO_VERDICT, "not_trusted", [set(field, value).into()]);
    }
}

#[test]
fn json_that_is_not_one_document_of_json() {
    let sim = mc();
    for (name, fault) in [
        ("ok is there twice", Fault::DuplicateOk),
        ("a byte order mark", Fault::Bom),
        ("two documents", Fault::TwoDocuments),
        ("nothing", Fault::EmptyBody { code: 200 }),
        ("blanks", body(" \n")),
        ("null", body("null")),
        ("a list of answers", body(r#"[{"data":{"evidenceOk":{"ok":true}}}]"#)),
        (
            "lists for objects",
            body(r#"{"data":[[true,[],["cos",210,320,0.001,"15m"],null]]}"#),
        ),
        ("NaN", body(r#"{"data":{"evidenceOk":{"ok":NaN}}}"#)),
        ("so deep that it breaks readers", body(&"[".repeat(60_000))),
        ("longer than any answer", body(&" ".repeat(70_000))),
    ] {
        for release in ["r1", "r2"] {
            with(&sim, release, name, NO_VERDICT, "not_trusted", [fault.clone().into()]);
        }
    }
    for at in [0, 1, 20, 40, 100, 180, 190] {
        let name = format!("cut off after {at} bytes");
        with(
            &sim,
            "r1",
            &name,
            NO_VERDICT,
            "not_trusted",
            [Fault::CutJson { at }.into()],
        );
    }
}

#[test]
fn http_that_is_not_an_answer() {
    let sim = mc();
    let status = |code| Fault::Status {
        code,
        retry_after: None,
    };
    let kind = |value: &str| Fault::ContentType {
        value: value.to_owned(),
    };
    for (name, exit, cause, fault) in [
        ("a login page", NO_VERDICT, "not_trusted", Fault::Html),
        ("a redirect", NO_VERDICT, "not_trusted", Fault::RedirectLoop),
        ("204", NO_VERDICT, "not_trusted", Fault::EmptyBody { code: 204 }),
        ("201 with the right body", NO_VERDICT, "not_trusted", status(201)),
        ("text/html", NO_VERDICT, "not_trusted", kind("text/html")),
        ("text/plain", NO_VERDICT, "not_trusted", kind("text/plain")),
        (
            "out of a cache",
            NO_VERDICT,
            "not_trusted",
            Fault::Cached { seconds: 31 },
        ),
        ("a body without end", NO_VERDICT, "not_trusted", Fault::Endless),
        ("400", DEPENDENCY, "unavailable", status(400)),
        ("401", DEPENDENCY, "unavailable", Fault::Unauthorized),
        ("403", DEPENDENCY, "unavailable", status(403)),
        ("404", DEPENDENCY, "unavailable", status(404)),
        ("500", DEPENDENCY, "unavailable", status(500)),
        ("503", DEPENDENCY, "unavailable", status(503)),
        ("hangs up", DEPENDENCY, "unavailable", Fault::Reset { at: None }),
        (
            "hangs up in the middle",
            DEPENDENCY,
            "unavailable",
            Fault::Reset { at: Some(50) },
        ),
        (
            "stops in the middle",
            DEPENDENCY,
            "unavailable",
            Fault::Truncate { at: 50 },
        ),
        (
            "headers and then nothing",
            DEPENDENCY,
            "unavailable",
            Fault::SlowDrip { bytes_per_sec: 0 },
        ),
        (
            "thinks too long",
            DEPENDENCY,
            "unavailable",
            Fault::Latency { ms: 30_000 },
        ),
    ] {
        with(&sim, "r1", name, exit, cause, [fault.into()]);
    }
    with(
        &sim,
        "r1",
        "slow, but right",
        PASS,
        "answered",
        [Fault::Latency { ms: 200 }.into()],
    );
    with(
        &sim,
        "r2",
        "slow, but right",
        FAIL,
        "answered",
        [Fault::Latency { ms: 200 }.into()],
    );
    let modern = kind("application/graphql-response+json; charset=utf-8");
    with(&sim, "r1", "the new media type", PASS, "answered", [modern.into()]);
}

#[test]
fn evidence_of_another_time_or_service() {
    let sim = mc();
    let stale = Fault::StaleSnapshot { seconds: 7_200 };
    with(&sim, "r1", "stale", NO_VERDICT, "not_trusted", [stale.clone().into()]);
    with(&sim, "r2", "stale and bad", NO_VERDICT, "not_trusted", [stale.into()]);
    let fresh = Fault::StaleSnapshot { seconds: 60 };
    with(&sim, "r1", "fresh", PASS, "answered", [fresh.into()]);
    let other = set("snapshot.service", json!("cos-staging"));
    with(&sim, "r1", "another service", NO_VERDICT, "not_trusted", [other.into()]);
}

#[test]
fn no_mc_at_all() {
    let nobody = Nobody::new();
    for (name, url) in [
        ("refused", nobody.url()),
        ("unknown host", "http://mc.invalid".to_owned()),
        ("TLS to a server without", mc().url().replace("http:", "https:")),
    ] {
        let result = asked(name, DEPENDENCY, &mut ask(&url, "r1")).json();
        assert_eq!(
            (&result["verdict"], &result["cause"]),
            (&json!("INCONCLUSIVE"), &json!("unavailable")),
            "{name}"
        );
    }
    let sim = mc();
    let mut command = ask(&sim.url(), "r1");
    let result = asked("another token", DEPENDENCY, command.env("MC_TOKEN", "other")).json();
    assert!(
        result["reasons"][0].as_str().unwrap().contains("refused the token"),
        "{result}"
    );
    let mut command = ask(&sim.url(), "r1");
    let result = asked("no token", DEPENDENCY, command.env_remove("MC_TOKEN")).json();
    assert!(
        result["reasons"][0].as_str().unwrap().contains("MC_TOKEN_FILE"),
        "{result}"
    );
}

#[test]
fn what_mc_writes_cannot_speak_for_the_terminal() {
    let sim = mc();
    let mut evidence = Evidence::bad("cos", "r4");
    evidence.slo.window = "15m\u{1b}[2J\u{202e}\nPASS".to_owned();
    sim.publish_evidence(evidence);
    let hostile = json!(["\u{1b}[32mPASS\u{1b}[0m\nPASS: release r4", "x".repeat(5_000)]);
    sim.set_fault(set("reasons", hostile));
    let mut command = ask(&sim.url(), "r4");
    let ended = program::run(command.args(["--output", "human"]));
    assert_eq!(ended.code, Some(FAIL), "{ended:?}");
    assert!(!ended.stdout.contains(['\u{1b}', '\u{202e}']), "{ended:?}");
    assert!(
        ended.stdout.lines().skip(1).all(|line| line.starts_with("  ")),
        "{ended:?}"
    );
    assert!(ended.stdout.len() < 2_000, "{ended:?}");
}
