//! What is said of files that are no results.

use crate::support::examples;
use load_report::{ReadError, ResultDoc};
use serde_json::json;
use std::error::Error;

/// The whole chain of an error, as the binary prints it.
fn said(bytes: &[u8]) -> String {
    let error = ResultDoc::parse("result.json", bytes).unwrap_err();
    let first: &dyn Error = &error;
    let chain = std::iter::successors(Some(first), |error: &&dyn Error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

#[test]
fn a_result_is_read_as_it_was_written() {
    for (name, doc) in examples::all() {
        let text = doc.to_json().unwrap();
        let read = ResultDoc::parse(name, text.as_bytes()).unwrap();
        assert_eq!(read.judgement, doc.judgement);
        assert_eq!(read.summary.outcomes, doc.summary.outcomes);
        assert_eq!(load_report::render::html(&read), load_report::render::html(&doc));
    }
}

#[test]
fn fields_of_later_versions_are_no_reason_to_refuse() {
    let mut doc = serde_json::to_value(examples::passing()).unwrap();
    doc["later"] = json!(1);
    doc["judgement"]["later"] = json!({});
    assert!(ResultDoc::parse("x", doc.to_string().as_bytes()).is_ok());
}

#[test]
fn other_files_are_refused_in_words() {
    let whole = examples::passing().to_json().unwrap();
    let mut other = serde_json::to_value(examples::passing()).unwrap();
    other["schema"] = json!("load-gate/result/v9");
    let mut edited = serde_json::to_value(examples::passing()).unwrap();
    edited["judgement"]["verdict"] = json!("GREAT");
    let mut missing = serde_json::to_value(examples::passing()).unwrap();
    missing.as_object_mut().unwrap().remove("exit_code");
    let k6 = load_report::render::k6_summary(&examples::passing()).to_string();
    let cases: [(&str, Vec<u8>); 11] = [
        ("empty", Vec::new()),
        ("blank", b" \n\n".to_vec()),
        ("torn", whole.as_bytes()[..2000].to_vec()),
        ("gzip", vec![0x1f, 0x8b, 8, 0, 0]),
        ("text", b"hello".to_vec()),
        ("list", b"[1, 2]".to_vec()),
        ("object", b"{\"a\": 1}".to_vec()),
        ("k6", k6.into_bytes()),
        ("other version", other.to_string().into_bytes()),
        ("edited", edited.to_string().into_bytes()),
        ("missing field", missing.to_string().into_bytes()),
    ];
    let all: Vec<String> = cases
        .iter()
        .map(|(name, bytes)| format!("{name}:\n{}", said(bytes)))
        .collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn a_figure_that_is_not_a_number_is_not_written() {
    let mut doc = examples::passing();
    doc.judgement.validity.lag_p50_ms = f64::NAN;
    assert!(doc.to_json().unwrap_err().to_string().contains("not a number"));
    // Where there may be no figure, there is none.
    let mut doc = examples::passing();
    doc.judgement.thresholds[0].observed = Some(f64::NAN);
    let read = ResultDoc::parse("x", doc.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(read.judgement.thresholds[0].observed, None);
}

#[test]
fn a_torn_file_is_told_from_a_foreign_one() {
    assert!(matches!(
        ResultDoc::parse("x", b"{\"schema\": "),
        Err(ReadError::Torn { bytes: 11, .. })
    ));
    assert!(matches!(ResultDoc::parse("x", b"{]"), Err(ReadError::Foreign { .. })));
}
