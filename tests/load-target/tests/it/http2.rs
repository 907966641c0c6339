//! HTTP/2, by prior knowledge and by ALPN.

use std::io::{Read as _, Write as _};

use load_target::{Kind, Protocol, TargetConfig};

use crate::client::{Http1, always, ask_http2, start};

#[test]
fn http2_by_prior_knowledge_shares_one_connection() {
    let target = start(TargetConfig {
        keep: 1,
        ..TargetConfig::default()
    });
    let (answers, _) = ask_http2(&target, 20);
    for answer in answers {
        assert_eq!(answer.unwrap(), (200, r#"{"data":{"__typename":"Query"}}"#.to_owned()));
    }
    assert_eq!(
        Http1::to(target.address()).ask("{}").unwrap().status,
        200,
        "both on one port"
    );
    let truth = target.truth();
    assert_eq!((truth.connections, truth.total(), truth.count(Kind::Ok)), (2, 21, 21));
    assert!(truth.requests.iter().all(|request| request.latency_ms().is_finite()));
    assert!(truth.seen[0].header("x-number").is_some());
}

#[test]
fn tls_agrees_on_what_the_target_speaks() {
    for (protocol, expected) in [(Protocol::Both, "h2"), (Protocol::Http2, "h2")] {
        let target = start(TargetConfig {
            tls: true,
            protocol,
            ..TargetConfig::default()
        });
        assert!(target.url().starts_with("https://"));
        let (answers, alpn) = ask_http2(&target, 3);
        assert_eq!(alpn.as_deref(), Some(expected.as_bytes()));
        assert!(
            answers
                .iter()
                .all(|answer| answer.as_ref().is_ok_and(|(status, _)| *status == 200))
        );
    }
}

#[test]
fn what_cuts_a_connection_resets_a_stream() {
    for kind in [Kind::Reset, Kind::Hangup, Kind::Garbage, Kind::Truncated] {
        let target = start(always(kind));
        let (answers, _) = ask_http2(&target, 2);
        assert!(answers.iter().all(Result::is_err), "{kind:?}");
        assert_eq!(target.truth().connections, 1, "the connection stays");
        assert_eq!(target.truth().count(kind), 2);
        assert!(target.truth().answered_quantile(0.5).is_nan(), "{kind:?} is no answer");
    }
}

#[test]
fn slow_bodies_and_errors_are_answers() {
    let target = start(TargetConfig {
        slow_body_ms: 20.0,
        ..always(Kind::SlowBody)
    });
    let (answers, _) = ask_http2(&target, 1);
    assert_eq!(answers[0].as_ref().unwrap().0, 200);
    assert!(target.truth().honest_quantile(1.0) >= 20.0);
    let (answers, _) = ask_http2(&start(always(Kind::Error)), 1);
    assert_eq!(answers[0].as_ref().unwrap().0, 500);
}

#[test]
fn a_target_for_http1_only_does_not_understand_http2() {
    let target = start(TargetConfig {
        protocol: Protocol::Http1,
        ..TargetConfig::default()
    });
    let mut client = Http1::to(target.address());
    client.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut nothing = String::new();
    // It hangs up, politely or not.
    let _ = client.0.read_to_string(&mut nothing);
    assert!(nothing.is_empty());
    assert_eq!(target.truth().total(), 0);
}
