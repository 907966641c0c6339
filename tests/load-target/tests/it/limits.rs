//! Limits on connections, and on requests of one connection.

use std::io::ErrorKind;

use load_target::{Kind, OverLimit, TargetConfig};

use crate::client::{Http1, start};

#[test]
fn connections_over_the_limit_are_turned_away() {
    let target = start(TargetConfig {
        connections: 2,
        ..TargetConfig::default()
    });
    let (mut first, mut second) = (Http1::to(target.address()), Http1::to(target.address()));
    assert_eq!(first.ask("{}").unwrap().status, 200);
    assert_eq!(second.ask("{}").unwrap().status, 200);
    let mut third = Http1::to(target.address());
    assert!(
        third
            .read_to_end()
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    );
    let truth = target.truth();
    assert_eq!((truth.connections, truth.turned_away, truth.most_open), (2, 1, 2));
}

#[test]
fn connections_over_the_limit_can_be_left_waiting() {
    let target = start(TargetConfig {
        connections: 1,
        over_limit: OverLimit::Wait,
        ..TargetConfig::default()
    });
    let mut first = Http1::to(target.address());
    assert_eq!(first.ask("{}").unwrap().status, 200);
    let mut second = Http1::to(target.address());
    second.send("{}");
    drop(first);
    assert_eq!(second.read().unwrap().status, 200);
    assert_eq!(target.truth().most_open, 1);
}

#[test]
fn the_last_request_of_a_connection_is_announced_or_not() {
    for close_unannounced in [false, true] {
        let target = start(TargetConfig {
            requests_per_connection: 2,
            close_unannounced,
            ..TargetConfig::default()
        });
        let mut client = Http1::to(target.address());
        assert!(!client.ask("{}").unwrap().head.contains("connection: close"));
        let last = client.ask("{}").unwrap();
        assert_eq!(last.head.contains("connection: close"), !close_unannounced);
        assert_eq!(client.read_to_end().unwrap(), "");
    }
}

#[test]
fn a_full_log_still_counts() {
    let target = start(TargetConfig {
        log: 2,
        ..TargetConfig::default()
    });
    let mut client = Http1::to(target.address());
    for _ in 0..5 {
        client.ask("{}").unwrap();
    }
    let truth = target.truth();
    assert_eq!((truth.requests.len(), truth.unlogged, truth.total()), (2, 3, 5));
    assert_eq!(truth.count(Kind::Ok), 2);
}
