//! The common case: everything on the command line.

use crate::support::{attempt, built, folder, rendered, simple};
use http::{Method, header};
use load_plan::{EarlyStopChoice, Settings, plan::Protocol};
use load_verdict::judge::StopRule;
use std::{path::Path, time::Duration};

#[test]
fn a_k6_script_one_for_one() {
    let plan = built(&Settings {
        graphql: Some("{ __typename }".to_owned()),
        thresholds: vec!["http_req_duration=p(95)<350".to_owned(), "checks=rate>0.99".to_owned()],
        checks: vec!["status==200".to_owned()],
        ..simple()
    });
    let request = &plan.requests[0];
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.origin.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(request.target.fixed(), Some("/graphql"));
    assert_eq!(
        request.body.as_ref().unwrap().fixed(),
        Some(r#"{"query":"{ __typename }"}"#)
    );
    let header = |name| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found
            .and_then(|(_, value)| value.fixed())
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(header(header::CONTENT_TYPE), "application/json");
    assert_eq!(
        header(header::ACCEPT),
        "application/graphql-response+json, application/json;q=0.9"
    );
    assert!(header(header::USER_AGENT).starts_with("load-gate/"));
    let names: Vec<&str> = plan.checks.iter().map(load_plan::check::Check::name).collect();
    assert_eq!(names, ["status==200", "no_graphql_errors"]);
    assert_eq!(request.checks, 0b11);
    assert_eq!(plan.schedule.planned_total(), 15_000);
    assert_eq!(plan.scenarios[0].name, "default");
    assert_eq!(plan.thresholds.len(), 2);
    assert_eq!(plan.timeout, Duration::from_secs(30));
    assert_eq!(plan.judging.early_stop, StopRule::Exact);
    assert!(plan.connections.fail_fast && plan.notes.is_empty());
    assert_eq!(plan.subject(), "POST http://127.0.0.1:8080/graphql, 50/s for 5m");
    assert_eq!(
        plan.request_tags(0),
        [
            ("name".to_owned(), "http://127.0.0.1:8080/graphql".to_owned()),
            ("method".to_owned(), "POST".to_owned()),
            ("url".to_owned(), "http://127.0.0.1:8080/graphql".to_owned()),
        ]
    );
}

#[test]
fn defaults_grow_with_the_rate() {
    let connections = |rate: f64| {
        let connections = built(&Settings {
            rate: Some(rate),
            ..simple()
        })
        .connections;
        (connections.initial, connections.max, connections.max_waiting)
    };
    assert_eq!(connections(50.0), (2, 1_000, 1_500));
    assert_eq!(connections(1_000.0), (20, 1_000, 30_000));
    assert_eq!(connections(10_000.0), (64, 1_000, 100_000));
}

#[test]
fn every_flag_arrives() {
    let plan = built(&Settings {
        method: Some("put".to_owned()),
        headers: vec!["Content-Type: text/plain".into(), "user-agent: mine".into()],
        body: Some("n={{$seq}}".into()),
        warm_up: Some(Duration::from_secs(10)),
        tags: vec!["op=read".to_owned()],
        timeout: Some(Duration::from_secs(5)),
        connect_timeout: Some(Duration::from_secs(2)),
        connections: Some(3),
        max_connections: Some(30),
        max_waiting: Some(300),
        protocol: Some(Protocol::Http2),
        no_connection_reuse: true,
        fail_fast: Some(false),
        threads: Some(2),
        seed: Some(9),
        insecure_skip_verify: true,
        server_name: Some("inner".to_owned()),
        confidence: Some(0.99),
        early_stop: Some(EarlyStopChoice::Sequential),
        alpha: Some(0.001),
        min_duration: Some(Duration::from_secs(30)),
        max_lag: Some(Duration::from_millis(20)),
        thresholds: vec!["http_req_duration{op:read}=p(95)<350".to_owned()],
        ..simple()
    });
    let request = &plan.requests[0];
    assert_eq!(request.method, Method::PUT);
    assert_eq!(
        request
            .headers
            .iter()
            .filter(|(name, _)| name == header::USER_AGENT)
            .count(),
        1
    );
    assert_eq!(rendered(request.body.as_ref().unwrap(), &plan, 0, 41), "n=41");
    assert_eq!(plan.schedule.total(), 15_500);
    assert_eq!(request.tags, [("op".to_owned(), "read".to_owned())]);
    let connections = &plan.connections;
    assert_eq!(
        (connections.initial, connections.max, connections.max_waiting),
        (3, 30, 300)
    );
    assert_eq!(connections.protocol, Protocol::Http2);
    assert!(connections.no_reuse && !connections.fail_fast);
    assert_eq!(connections.connect_timeout, Duration::from_secs(2));
    assert_eq!(
        (plan.timeout, plan.threads, plan.seed),
        (Duration::from_secs(5), Some(2), 9)
    );
    assert!(plan.tls.insecure_skip_verify);
    assert_eq!(plan.tls.server_name.as_deref(), Some("inner"));
    assert_eq!(plan.judging.early_stop, StopRule::Sequential { alpha: 0.001 });
    assert_eq!(plan.judging.min_duration, Duration::from_secs(30));
    assert_eq!(plan.judging.max_lag, Some(Duration::from_millis(20)));
}

#[test]
fn data_fills_urls_headers_and_bodies() {
    for (name, content) in [
        ("users.csv", "id,name\n1,Ann\n2,\"Bob \"\"B\"\"\"\n"),
        ("users.tsv", "id\tname\n1\tAnn\n2\t\"Bob \"\"B\"\"\"\n"),
        ("users.json", r#"[{"id":1,"name":"Ann"},{"id":2,"name":"Bob \"B\""}]"#),
        (
            "users.jsonl",
            "{\"id\":1,\"name\":\"Ann\"}\n\n{\"name\":\"Bob \\\"B\\\"\",\"id\":2}\n",
        ),
    ] {
        let folder = folder(&[(name, content)]);
        let settings = Settings {
            url: Some("http://x/users/{{url name}}?row={{$row}}#top".to_owned()),
            graphql: Some("query($id: ID!) { user(id: $id, name: \"{{json name}}\") { id } }".to_owned()),
            variables: Some("{\"id\": {{id}}}".into()),
            headers: vec!["X-User: {{name}}".into()],
            data: Some(name.into()),
            ..simple()
        };
        let plan = attempt(&settings, folder.path(), &[]).unwrap();
        let request = &plan.requests[0];
        assert_eq!(
            rendered(&request.target, &plan, 1, 0),
            "/users/Bob%20%22B%22?row=2",
            "{name}"
        );
        let body: serde_json::Value =
            serde_json::from_str(&rendered(request.body.as_ref().unwrap(), &plan, 1, 0)).unwrap();
        assert_eq!(body["variables"]["id"], 2);
        assert_eq!(
            body["query"],
            "query($id: ID!) { user(id: $id, name: \"Bob \\\"B\\\"\") { id } }"
        );
        let user = request.headers.iter().find(|(name, _)| name == "x-user").unwrap();
        assert_eq!(rendered(&user.1, &plan, 1, 0), "Bob \"B\"");
        assert_eq!(request.name, "http://x/users/{{url name}}?row=[redacted]");
    }
}

#[test]
fn data_that_nobody_uses_is_said() {
    let folder = folder(&[("users.csv", "id\n1\n")]);
    let settings = Settings {
        data: Some("users.csv".into()),
        ..simple()
    };
    let plan = attempt(&settings, folder.path(), &[]).unwrap();
    assert!(plan.data.is_none());
    assert_eq!(
        plan.notes,
        ["the data file is not used: no request has a placeholder for one of its columns"]
    );
}

#[test]
fn bodies_come_from_files_as_they_are() {
    let folder = folder(&[("body.json", "{\"query\":\"{ a { b } }\"}\n")]);
    let settings = Settings {
        body_file: Some("body.json".into()),
        ..simple()
    };
    let plan = attempt(&settings, folder.path(), &[]).unwrap();
    assert_eq!(plan.requests[0].method, Method::POST);
    assert_eq!(
        plan.requests[0].body.as_ref().unwrap().fixed(),
        Some("{\"query\":\"{ a { b } }\"}\n")
    );
}

#[test]
fn user_and_password_of_a_url_become_a_header() {
    let plan = built(&Settings {
        url: Some("http://me:p%40ss+w@x:81?a=1".to_owned()),
        ..simple()
    });
    let request = &plan.requests[0];
    assert_eq!(request.origin.as_str(), "http://x:81/");
    assert_eq!(request.target.fixed(), Some("/?a=1"));
    let value = request
        .headers
        .iter()
        .find(|(name, _)| *name == header::AUTHORIZATION)
        .unwrap();
    assert_eq!(value.1.fixed(), Some("Basic bWU6cEBzcyt3"));
    assert!(value.1.is_secret());
}

#[test]
fn without_thresholds_only_when_asked_for() {
    let plan = built(&Settings {
        thresholds: Vec::new(),
        no_thresholds: true,
        ..simple()
    });
    assert!(plan.thresholds.is_empty());
}

#[test]
fn as_few_samples_as_a_percentile_needs_are_enough() {
    let samples = |threshold: &str, count: f64| {
        let settings = Settings {
            rate: Some(count),
            duration: Some(Duration::from_secs(1)),
            thresholds: vec![threshold.to_owned()],
            ..simple()
        };
        attempt(&settings, Path::new("."), &[]).is_ok()
    };
    assert!(samples("http_req_duration=p(95)<350", 59.0) && !samples("http_req_duration=p(95)<350", 58.0));
    assert!(samples("http_req_duration=p(99)<350", 299.0) && !samples("http_req_duration=p(99)<350", 298.0));
    assert!(samples("http_req_duration=max<350", 1.0));
}
