//! Text as people and programs see it, kept as snapshots.

use crate::support::examples;
use load_report::render::{self, Progress};
use load_report::{Brief, result_schema};
use load_verdict::Verdict;

#[test]
fn tables() {
    for (name, doc) in examples::all() {
        let table = render::table(&doc, false, 80);
        for line in table.lines() {
            assert!(line.chars().count() <= 80, "longer than 80 columns: {line}");
        }
        insta::assert_snapshot!(format!("table_{name}"), table);
    }
    insta::assert_snapshot!(
        "table_coloured",
        render::table(&examples::failing(), true, 100).replace('\x1b', "␛")
    );
}

#[test]
fn junit() {
    insta::assert_snapshot!("junit_failing", render::junit(&examples::failing()));
    insta::assert_snapshot!("junit_invalid", render::junit(&examples::invalid()));
}

#[test]
fn markdown() {
    for (name, doc) in examples::all() {
        insta::assert_snapshot!(format!("markdown_{name}"), render::markdown(&doc));
    }
}

#[test]
fn k6_summary() {
    let text = |doc: &load_report::ResultDoc| serde_json::to_string_pretty(&render::k6_summary(doc)).unwrap();
    insta::assert_snapshot!("k6_failing", text(&examples::failing()));
    // Nothing answered: what k6 writes as a perfect 0 is `null`, and the threshold counts as crossed.
    insta::assert_snapshot!("k6_dead", text(&examples::dead()));
}

#[test]
fn prometheus() {
    insta::assert_snapshot!("prometheus_failing", render::prometheus(&examples::failing()));
    insta::assert_snapshot!("prometheus_dead", render::prometheus(&examples::dead()));
}

#[test]
fn termination() {
    for (name, doc) in examples::all() {
        insta::assert_snapshot!(format!("termination_{name}"), render::termination(&doc));
    }
}

#[test]
fn final_line() {
    insta::assert_snapshot!(Brief::of(&examples::failing()).to_line());
}

#[test]
fn progress() {
    let early = Progress {
        elapsed_s: 2.0,
        total_s: 310.0,
        warm_up: true,
        rate: 49.6,
        in_flight: 1,
        ..Progress::default()
    };
    let later = Progress {
        elapsed_s: 140.0,
        total_s: 310.0,
        rate: 50.02,
        requests: 6_500,
        failed: 12,
        in_flight: 2,
        p50_ms: Some(12.1),
        p95_ms: Some(18.34),
        p99_ms: None,
        lag_p99_ms: Some(0.21),
        verdict: Some(Verdict::Inconclusive),
        ..Progress::default()
    };
    let mut all = Vec::new();
    for state in [&early, &later] {
        for width in [100, 80, 40] {
            all.push(format!("--- {width}\n{}", render::progress_line(state, false, width)));
        }
        all.push(format!("--- log\n{}", render::plain_line(state)));
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn schema() {
    let schema = result_schema();
    assert_eq!(schema["properties"]["schema"]["const"], load_report::SCHEMA);
    assert_eq!(schema["$id"], load_report::SCHEMA);
    let doc = serde_json::to_value(examples::failing()).unwrap();
    let described = schema["properties"].as_object().unwrap();
    for field in doc.as_object().unwrap().keys() {
        assert!(described.contains_key(field), "the schema does not know `{field}`");
    }
    let tally = schema["properties"]["tally"]["$ref"].as_str().unwrap();
    assert!(schema.pointer(tally.trim_start_matches('#')).is_some(), "{tally}");
}
