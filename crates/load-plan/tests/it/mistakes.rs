//! Mistakes on the command line: each message names the thing, what was expected, what was found, what to do.

use crate::support::{attempt, folder, refused, refused_in, simple};
use load_plan::{EarlyStopChoice, Settings};
use std::time::Duration;

fn url(text: &str) -> String {
    refused(&Settings {
        url: Some(text.to_owned()),
        ..simple()
    })
}

#[test]
fn addresses() {
    insta::assert_snapshot!(
        [
            refused(&Settings { url: None, ..simple() }),
            url(" "),
            url("/graphql"),
            url("localhost:8080/graphql"),
            url("ftp://x/"),
            url("http://"),
            url("http://x:99999/"),
            url("http://me:hunter2@ex ample/?token=hunter2"),
            url("http://{{host}}/"),
            url("http://x{{$seq}}/"),
            url("http://x/{{id}}"),
            url("http://x/{{"),
        ]
        .join("\n\n")
    );
}

#[test]
fn rates_and_times() {
    let load = |rate: Option<f64>, seconds: Option<u64>| {
        refused(&Settings {
            rate,
            duration: seconds.map(Duration::from_secs),
            ..simple()
        })
    };
    insta::assert_snapshot!(
        [
            load(None, Some(5)),
            load(Some(0.0), Some(5)),
            load(Some(-1.0), Some(5)),
            load(Some(f64::NAN), Some(5)),
            load(Some(1e9), Some(5)),
            load(Some(5.0), None),
            load(Some(5.0), Some(0)),
            load(Some(5.0), Some(u64::MAX)),
            load(Some(1e7), Some(86_400)),
            refused(&Settings {
                timeout: Some(Duration::ZERO),
                ..simple()
            }),
            refused(&Settings {
                timeout: Some(Duration::from_secs(4_000)),
                ..simple()
            }),
            refused(&Settings {
                connect_timeout: Some(Duration::ZERO),
                ..simple()
            }),
            refused(&Settings {
                min_duration: Some(Duration::from_secs(301)),
                ..simple()
            }),
            refused(&Settings {
                max_lag: Some(Duration::ZERO),
                ..simple()
            }),
        ]
        .join("\n\n")
    );
}

#[test]
fn thresholds() {
    let thresholds = |list: &[&str]| {
        refused(&Settings {
            thresholds: list.iter().map(|text| (*text).to_owned()).collect(),
            tags: vec!["op=read".to_owned()],
            ..simple()
        })
    };
    let few = |threshold: &str, count: f64| {
        refused(&Settings {
            thresholds: vec![threshold.to_owned()],
            rate: Some(count),
            duration: Some(Duration::from_secs(1)),
            ..simple()
        })
    };
    insta::assert_snapshot!(
        [
            thresholds(&[]),
            thresholds(&["http_req_duration"]),
            thresholds(&["http_req_duration=p(95)<350ms"]),
            thresholds(&["http_req_duration=p(95)~350"]),
            thresholds(&["http_req_duratoin=p(95)<350"]),
            thresholds(&["http_req_duration=p(95)<350", "http_req_duration=p(95)<350"]),
            thresholds(&["http_req_duration{op:raed}=p(95)<350"]),
            thresholds(&["http_req_duration{pp:read}=p(95)<350"]),
            thresholds(&["http_req_duration{scenario:x}=p(95)<350"]),
            thresholds(&["http_req_duration{check:x}=p(95)<350"]),
            thresholds(&["http_req_duration{status:OK}=p(95)<350"]),
            thresholds(&["http_req_failed{error_code:timed_out}=rate<0.1"]),
            thresholds(&["http_req_duration{group:a}=p(95)<350"]),
            thresholds(&["checks=rate>0.99"]),
            refused(&Settings {
                thresholds: vec!["checks{check:status==201}=rate>0.99".to_owned()],
                checks: vec!["status==200".to_owned()],
                ..simple()
            }),
            refused(&Settings {
                no_thresholds: true,
                ..simple()
            }),
            few("http_req_duration=p(95)<350", 58.0),
            few("http_req_duration=p(99.9)<350", 2_000.0),
            few("http_req_failed=rate<0.001", 50.0),
        ]
        .join("\n\n")
    );
}

#[test]
fn requests() {
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = simple();
        change(&mut settings);
        refused(&settings)
    };
    insta::assert_snapshot!(
        [
            with(&|all| all.method = Some("G E T".to_owned())),
            with(&|all| all.method = Some("CONNECT".to_owned())),
            with(&|all| all.graphql = Some(" ".to_owned())),
            with(&|all| {
                all.graphql = Some("{ a }".to_owned());
                all.body = Some("x".into());
            }),
            with(&|all| {
                all.graphql = Some("{ a }".to_owned());
                all.method = Some("GET".to_owned());
            }),
            with(&|all| all.variables = Some("{}".into())),
            with(&|all| {
                all.graphql = Some("{ a }".to_owned());
                all.variables = Some("[1]".into());
            }),
            with(&|all| all.body = Some("{{name}}".into())),
            with(&|all| all.checks = vec!["status=200".to_owned()]),
            with(&|all| all.checks = (100..133).map(|code| format!("status!={code}")).collect()),
            with(&|all| all.tags = vec!["op".to_owned()]),
            with(&|all| all.tags = vec!["op=a".to_owned(), "op=b".to_owned()]),
            with(&|all| all.tags = vec!["status=a".to_owned()]),
            with(&|all| all.tags = vec!["a:b=c".to_owned()]),
        ]
        .join("\n\n")
    );
}

#[test]
fn headers() {
    let folder = folder(&[("empty", "\n"), ("lines", "a\nb")]);
    let text = |list: &[&str]| {
        refused(&Settings {
            headers: list.iter().map(|text| (*text).into()).collect(),
            ..simple()
        })
    };
    let elsewhere = |variable: &str, file: &str| {
        refused_in(
            &Settings {
                headers_from_env: Some(variable.to_owned())
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .collect(),
                headers_from_file: Some(file.to_owned())
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .collect(),
                ..simple()
            },
            folder.path(),
        )
    };
    insta::assert_snapshot!(
        [
            text(&["hunter2"]),
            text(&["bad name: hunter2"]),
            text(&["X-Key: hunter2\r\nX-Other: 1"]),
            text(&["A: 1", "a: 2"]),
            text(&["Content-Length: 7"]),
            text(&["Authorization: Bearer {{hunter2}}"]),
            text(&["X-Plain: {{id}}"]),
            elsewhere("Authorization", ""),
            elsewhere("Authorization=NOT_SET", ""),
            elsewhere("", "Authorization=missing"),
            elsewhere("", "Authorization=empty"),
            elsewhere("", "Authorization=Bearer lines"),
        ]
        .join("\n\n")
    );
}

#[test]
fn files() {
    let folder = folder(&[
        ("empty.csv", ""),
        ("header.csv", "id,name\n"),
        ("short.csv", "id,name\n1,a\n2\n"),
        ("twice.csv", "id,id\n1,2\n"),
        ("unnamed.csv", "id,\n1,2\n"),
        ("dollar.csv", "$seq\n1\n"),
        ("wild.csv", "id\na b\n"),
        ("empty.json", "[]"),
        ("object.json", "{\"a\":1}"),
        ("uneven.json", "[{\"a\":1},{\"b\":2}]"),
        ("more.json", "[{\"a\":1},{\"a\":1,\"b\":2}]"),
        ("broken.jsonl", "{\"a\":1}\n{\"a\":\n"),
        ("table.xlsx", "PK"),
    ]);
    std::fs::write(folder.path().join("binary.csv"), [0xff, 0xfe, 0x00]).unwrap();
    let data = |file: &str| {
        let settings = Settings {
            data: Some(file.into()),
            url: Some("http://x/{{id}}".to_owned()),
            ..simple()
        };
        refused_in(&settings, folder.path())
    };
    let path = |change: &dyn Fn(&mut Settings)| {
        let mut settings = simple();
        change(&mut settings);
        refused_in(&settings, folder.path())
    };
    let mut all: Vec<String> = [
        "missing.csv",
        "binary.csv",
        "empty.csv",
        "header.csv",
        "short.csv",
        "twice.csv",
        "unnamed.csv",
        "dollar.csv",
        "wild.csv",
        "empty.json",
        "object.json",
        "uneven.json",
        "more.json",
        "broken.jsonl",
        "table.xlsx",
    ]
    .map(data)
    .to_vec();
    all.extend([
        path(&|all| all.body_file = Some("missing.json".into())),
        path(&|all| all.ca_file = Some("missing.pem".into())),
        path(&|all| all.client_cert = Some("empty.csv".into())),
        path(&|all| all.client_key = Some("empty.csv".into())),
        path(&|all| all.scenario_file = Some("missing.yaml".into())),
        path(&|all| all.k6_options = Some("missing.json".into())),
    ]);
    insta::assert_snapshot!(all.join("\n\n"));
    // The right one in the same folder is taken.
    std::fs::write(folder.path().join("good.csv"), "id\n7\n").unwrap();
    let good = Settings {
        data: Some("good.csv".into()),
        url: Some("http://x/{{id}}".to_owned()),
        ..simple()
    };
    assert!(attempt(&good, folder.path(), &[]).is_ok());
}

#[test]
fn numbers() {
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = simple();
        change(&mut settings);
        refused(&settings)
    };
    insta::assert_snapshot!(
        [
            with(&|all| all.threads = Some(0)),
            with(&|all| all.threads = Some(1_000)),
            with(&|all| all.connections = Some(0)),
            with(&|all| all.max_connections = Some(0)),
            with(&|all| all.max_connections = Some(1_000_000)),
            with(&|all| {
                all.connections = Some(20);
                all.max_connections = Some(10);
            }),
            with(&|all| all.max_waiting = Some(0)),
            with(&|all| all.confidence = Some(95.0)),
            with(&|all| all.confidence = Some(f64::NAN)),
            with(&|all| all.alpha = Some(0.01)),
            with(&|all| {
                all.early_stop = Some(EarlyStopChoice::Sequential);
                all.alpha = Some(1.0);
            }),
        ]
        .join("\n\n")
    );
}
