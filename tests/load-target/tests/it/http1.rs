//! Each kind of answer over HTTP/1.1, as the client sees it and as the log has it.

use std::io::ErrorKind;

use load_target::{Kind, TargetConfig};

use crate::client::{Http1, always, request, start};

#[test]
fn a_right_answer_keeps_the_connection_and_is_logged() {
    let target = start(TargetConfig {
        keep: 1,
        ..TargetConfig::default()
    });
    let mut client = Http1::to(target.address());
    for body in [r#"{"query":"{ __typename }"}"#, "{}"] {
        let answer = client.ask(body).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, r#"{"data":{"__typename":"Query"}}"#);
    }
    let truth = target.truth();
    assert_eq!((truth.connections, truth.most_open, truth.total()), (1, 1, 2));
    let [first, second] = truth.requests[..] else {
        panic!("{truth:?}")
    };
    assert_eq!((first.status, first.kind, first.connection), (200, Kind::Ok, 0));
    assert!(first.ended_ns.unwrap() >= first.arrived_ns);
    assert!(second.arrived_ns >= first.ended_ns.unwrap());
    assert_eq!(truth.seen.len(), 1, "only as many as were asked for");
    assert_eq!(
        (truth.seen[0].method.as_str(), truth.seen[0].path.as_str()),
        ("POST", "/graphql")
    );
    assert_eq!(truth.seen[0].header("host"), Some("target"));
    assert_eq!(truth.seen[0].body, r#"{"query":"{ __typename }"}"#);
    target.reset();
    assert_eq!(target.truth().total(), 0);
    target.stop().unwrap();
}

#[test]
fn requests_that_come_together_are_answered_in_turn() {
    let target = start(TargetConfig::default());
    let mut client = Http1::to(target.address());
    let close = request("{}").replace("host", "connection: close\r\nhost");
    client.send_bytes(&format!("{}{}{close}", request("{}"), request("[]")));
    let all = client.read_to_end().unwrap();
    assert_eq!(all.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{all}");
    assert_eq!(all.matches("connection: close\r\n").count(), 1, "{all}");
    assert_eq!(target.truth().total(), 3);
}

#[test]
fn errors_and_wrong_answers_are_whole_responses() {
    for (kind, status, part) in [
        (Kind::Error, 503, "as configured"),
        (Kind::GraphqlError, 200, r#""data":null,"errors":["#),
        (Kind::Html, 200, "<form"),
    ] {
        let target = start(TargetConfig {
            error_status: 503,
            ..always(kind)
        });
        let answer = Http1::to(target.address()).ask("{}").unwrap();
        assert_eq!(answer.status, status, "{kind:?}");
        assert!(answer.body.contains(part), "{answer:?}");
        let truth = target.truth();
        assert_eq!((truth.count(kind), truth.requests[0].status), (1, status));
        assert!(truth.requests[0].right_latency_ms().is_infinite());
    }
}

#[test]
fn a_cut_connection_is_what_it_is_called() {
    let target = start(always(Kind::Reset));
    let reset = Http1::to(target.address()).ask("{}").unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let target = start(always(Kind::Hangup));
    let end = Http1::to(target.address()).ask("{}").unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(target.truth().requests[0].status, 0);
}

#[test]
fn garbage_is_no_http_and_a_truncated_answer_is_half_of_one() {
    let target = start(always(Kind::Garbage));
    let mut client = Http1::to(target.address());
    client.send("{}");
    assert!(!client.read_to_end().unwrap().starts_with("HTTP"));
    let target = start(always(Kind::Truncated));
    let mut client = Http1::to(target.address());
    client.send("{}");
    let all = client.read_to_end().unwrap();
    assert!(
        all.contains("content-length: 31\r\n") && all.ends_with(r#"{"data":{"__typ"#),
        "{all}"
    );
    assert!(target.truth().requests[0].latency_ms().is_infinite());
}

#[test]
fn never_means_until_the_client_has_had_enough() {
    let target = start(always(Kind::Never));
    let mut client = Http1::to(target.address());
    client.send("{}");
    client
        .0
        .set_read_timeout(Some(std::time::Duration::from_millis(200)))
        .unwrap();
    assert!(matches!(
        client.read().unwrap_err().kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    let request = target.truth().requests[0];
    assert_eq!((request.planned_ns, request.ended_ns, request.status), (None, None, 0));
}

#[test]
fn interim_responses_come_before_the_final_one() {
    let target = start(TargetConfig {
        interim: true,
        ..TargetConfig::default()
    });
    let mut client = Http1::to(target.address());
    client.send_bytes("GET / HTTP/1.1\r\nconnection: close\r\n\r\n");
    let all = client.read_to_end().unwrap();
    let (interim, last) = all.split_once("\r\n\r\n").unwrap();
    assert!(interim.starts_with("HTTP/1.1 103 "), "{interim}");
    assert!(last.starts_with("HTTP/1.1 200 "), "{last}");
}

#[test]
fn a_client_that_waits_for_permission_gets_it() {
    let target = start(TargetConfig::default());
    let mut client = Http1::to(target.address());
    client.send_bytes("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(client.read().unwrap().status, 100);
    client.send_bytes("{}");
    assert_eq!(client.read().unwrap().status, 200);
}

#[test]
fn a_head_request_has_no_body_and_bodies_have_their_size() {
    let target = start(TargetConfig {
        body_bytes: 50_000,
        ..TargetConfig::default()
    });
    let mut client = Http1::to(target.address());
    client.send_bytes("HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n");
    let head = client.read_to_end().unwrap();
    assert!(
        head.contains("content-length: 50000\r\n") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert_eq!(Http1::to(target.address()).ask("{}").unwrap().body.len(), 50_000);
}
