//! k6's options, as they are.

use crate::support::{attempt, folder, refused_in, simple};
use load_plan::{Plan, Settings};
use std::time::Duration;

fn settings() -> Settings {
    Settings {
        k6_options: Some("options.json".into()),
        graphql: Some("{ __typename }".to_owned()),
        rate: None,
        duration: None,
        thresholds: Vec::new(),
        ..simple()
    }
}

fn plan(options: &str) -> Plan {
    let folder = folder(&[("options.json", options)]);
    attempt(&settings(), folder.path(), &[]).unwrap_or_else(|error| panic!("{}", crate::support::chain(&error)))
}

fn refused(options: &str) -> String {
    let folder = folder(&[("options.json", options)]);
    refused_in(&settings(), folder.path())
}

/// A scenario that is right, and more options.
fn with(more: &str) -> String {
    format!(
        r#"{{"scenarios":{{"gate":{{"executor":"constant-arrival-rate","rate":50,"duration":"5m","preAllocatedVUs":20}}}},
            "thresholds":{{"http_req_duration":["p(95)<350"]}}{more}}}"#
    )
}

#[test]
fn what_k6_inspect_prints_is_taken_as_it_is() {
    let plan = plan(include_str!("files/k6-inspect.json"));
    assert_eq!(plan.schedule.planned_total(), 15_000);
    assert_eq!(plan.scenarios[0].name, "gate");
    assert_eq!((plan.connections.initial, plan.connections.max), (20, 100));
    let mut thresholds: Vec<String> = plan.thresholds.iter().map(ToString::to_string).collect();
    thresholds.sort();
    assert_eq!(thresholds, ["checks=rate>0.99", "http_req_duration=p(95)<350"]);
    assert_eq!(
        plan.notes,
        [
            "k6's `maxVUs` is the largest number of connections here: a request that finds none free waits, and its wait counts"
        ]
    );
}

#[test]
fn every_option_that_means_something() {
    let plan = plan(
        r#"{
          "scenarios": {
            "steady": {"executor":"constant-arrival-rate","rate":600,"timeUnit":"1m","duration":"5m","preAllocatedVUs":10,"maxVUs":50,
                       "startTime":"30s","gracefulStop":"5s","exec":"default","env":{"A":"b"},"tags":{"phase":"steady"}},
            "ramp": {"executor":"ramping-arrival-rate","startRate":0,"stages":[{"target":100,"duration":"1m"},{"target":0,"duration":60000}],
                     "preAllocatedVUs":5,"maxVUs":50}
          },
          "thresholds": {
            "http_req_duration{phase:steady}": ["p(95)<350", {"threshold":"p(99)<800","abortOnFail":true,"delayAbortEval":"10s"}],
            "http_req_duration{scenario:ramp}": "p(90)<350",
            "http_req_failed": [{"threshold":"rate<0.01"}]
          },
          "insecureSkipTLSVerify": true, "noConnectionReuse": true, "userAgent": "gate/1", "tags": {"team":"checkout"},
          "discardResponseBodies": true, "summaryTrendStats": ["avg","p(99)"], "setupTimeout": "10s", "paused": false,
          "dns": {"ttl": null, "select": null, "policy": null}, "maxRedirects": 4
        }"#,
    );
    assert_eq!(plan.schedule.planned(0, 0), 3_000);
    assert_eq!(plan.schedule.planned(1, 0), 6_000);
    assert_eq!(plan.schedule.duration(), Duration::from_secs(330));
    assert_eq!((plan.connections.initial, plan.connections.max), (15, 100));
    assert!(plan.connections.no_reuse && plan.tls.insecure_skip_verify);
    let agent = plan.requests[0]
        .headers
        .iter()
        .find(|(name, _)| name == "user-agent")
        .unwrap();
    assert_eq!(agent.1.fixed(), Some("gate/1"));
    assert_eq!(plan.requests[0].tags, [("team".to_owned(), "checkout".to_owned())]);
    let abort = plan
        .thresholds
        .iter()
        .find(|threshold| threshold.abort_on_fail)
        .unwrap();
    assert_eq!(
        (abort.expression.as_str(), abort.delay_abort),
        ("p(99)<800", Duration::from_secs(10))
    );
    insta::assert_snapshot!(plan.notes.join("\n"));
}

#[test]
fn exec_finds_a_request_of_that_name() {
    let folder = folder(&[
        (
            "options.json",
            r#"{"scenarios":{"a":{"executor":"constant-arrival-rate","rate":10,"duration":"1m","exec":"read"},
                             "b":{"executor":"constant-arrival-rate","rate":5,"duration":"1m","exec":"write"}},
                "thresholds":{"http_req_failed":["rate<0.1"]}}"#,
        ),
        (
            "requests.yaml",
            "url: http://x/\nrequests:\n  - { name: read, url: /r }\n  - { name: write, url: /w, method: POST }\n",
        ),
        (
            "wrong.yaml",
            "url: http://x/\nrequests:\n  - { name: read, url: /r }\n  - { name: writes, url: /w }\n",
        ),
    ]);
    let settings = |file: &str| Settings {
        k6_options: Some("options.json".into()),
        scenario_file: Some(file.into()),
        ..Settings::default()
    };
    let plan = attempt(&settings("requests.yaml"), folder.path(), &[]).unwrap();
    assert_eq!((plan.schedule.planned(0, 0), plan.schedule.planned(0, 1)), (600, 0));
    assert_eq!((plan.schedule.planned(1, 0), plan.schedule.planned(1, 1)), (0, 300));
    insta::assert_snapshot!(refused_in(&settings("wrong.yaml"), folder.path()));
}

#[test]
fn what_would_change_the_load_is_refused() {
    let executors = [
        "shared-iterations",
        "constant-vus",
        "externally-controlled",
        "constant-arival-rate",
    ];
    let executor = |name: &str| {
        refused(&format!(
            r#"{{"scenarios":{{"gate":{{"executor":"{name}","vus":10,"duration":"1m"}}}}}}"#
        ))
    };
    let mut all: Vec<String> = executors.map(executor).to_vec();
    all.extend([
        refused(r#"{"scenarios":{"gate":{"rate":10}}}"#),
        refused(r#"{"vus":10,"duration":"30s"}"#),
        refused(r#"{"stages":[{"duration":"30s","target":20}]}"#),
        refused(&with(r#","hosts":{"x":"10.0.0.1"}"#)),
        refused(&with(r#","rps":10"#)),
        refused(&with(r#","executionSegment":"0:1/2""#)),
        refused(&with(r#","tlsAuth":[{"cert":"a","key":"b"}]"#)),
    ]);
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn what_is_wrong_is_named() {
    let scenario = |text: &str| refused(&format!(r#"{{"scenarios":{{"gate":{text}}}}}"#));
    insta::assert_snapshot!(
        [
            refused("{"),
            refused("export const options = {}"),
            refused("[]"),
            refused(&with(r#","threshold":{}"#)),
            refused(&with(r#","thresholds":{}"#)),
            refused(r#"{"scenarios":{},"thresholds":{"http_req_failed":["rate<0.1"]}}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":50,"duration":"5m","preAllocatedVU":1}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":"50","duration":"5m"}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":50,"duration":"5 parsecs"}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":50,"duration":-1}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":50}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":0,"duration":"5m"}"#),
            scenario(r#"{"executor":"constant-arrival-rate","rate":50,"duration":"5m","stages":[]}"#),
            scenario(r#"{"executor":"ramping-arrival-rate","rate":50,"stages":[{"duration":"1m","target":5}]}"#),
            scenario(r#"{"executor":"ramping-arrival-rate","stages":[{"duration":"1m","targte":5}]}"#),
            scenario(r#"{"executor":"ramping-arrival-rate","stages":[{"duration":"1m","target":0}]}"#),
            refused(&with("").replace("p(95)<350", "p(95)<350ms")),
            refused(&with("").replace("http_req_duration", "http_req_duratoin")),
            refused(&with("").replace(r#"["p(95)<350"]"#, r#"[{"threshold":"p(95)<350","abortOnFial":true}]"#)),
            refused(&with("").replace(r#"["p(95)<350"]"#, "[7]")),
        ]
        .join("\n\n")
    );
}
