//! HTTP/2 and TLS.

use load_target::{Fault, Kind, Protocol, TargetConfig};

use crate::setup::{fixed, turn, usual};

fn tls(protocol: Protocol) -> TargetConfig {
    TargetConfig {
        tls: true,
        protocol,
        ..fixed(5.0)
    }
}

#[test]
fn http2_is_agreed_upon_over_tls() {
    let _turn = turn();
    let judged = usual(tls(Protocol::Both), &[]);
    judged
        .expect("PASS", 0)
        .expect_outcomes(&[])
        .expect_truth(50.0)
        .expect_truth(95.0);
}

#[test]
fn http1_over_tls() {
    let _turn = turn();
    let judged = usual(tls(Protocol::Http1), &[]);
    judged
        .expect("PASS", 0)
        .expect_outcomes(&[])
        .expect_truth(50.0)
        .expect_truth(95.0);
}

#[test]
fn http2_by_prior_knowledge_and_its_resets() {
    let _turn = turn();
    let judged = usual(
        TargetConfig {
            protocol: Protocol::Http2,
            faults: vec![Fault {
                kind: Kind::Reset,
                share: 0.01,
            }],
            ..fixed(5.0)
        },
        &["--protocol", "http2"],
    );
    judged
        .expect("PASS", 0)
        .expect_outcomes(&[("reset", Kind::Reset)])
        .expect_truth(95.0);
    assert!(judged.outcome("reset") > 0);
}

#[test]
fn what_was_sent_is_what_was_asked_for() {
    let _turn = turn();
    let judged = usual(TargetConfig { keep: 1, ..fixed(1.0) }, &["--header", "x-tenant: blue"]);
    judged.expect("PASS", 0);
    let seen = &judged.truth.seen[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/graphql"));
    assert_eq!(seen.header("x-tenant"), Some("blue"));
    assert!(
        seen.header("content-type")
            .is_some_and(|value| value.starts_with("application/json"))
    );
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body["query"], "{ __typename }");
}
