//! Scenario files, and flags beside them.

use crate::support::{attempt, from_file, rendered, simple};
use load_plan::{Plan, Settings, plan::Protocol, scenario_schema};
use load_verdict::judge::StopRule;
use std::{path::Path, time::Duration};

fn shown() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/files"))
}

fn full(settings: Settings) -> Plan {
    let settings = Settings {
        scenario_file: Some("full.yaml".into()),
        ..settings
    };
    attempt(&settings, shown(), &[("API_TOKEN", "hunter2")]).unwrap()
}

#[test]
fn everything_that_a_file_can_say() {
    let plan = full(Settings::default());
    assert_eq!(plan.scenarios.len(), 2);
    // 50/s for 5 min, and a trapezium of 100/s.
    assert_eq!(plan.schedule.planned_total(), 15_000 + 9_000);
    assert_eq!(
        (plan.schedule.planned(0, 0), plan.schedule.planned(0, 1)),
        (13_500, 1_500)
    );
    assert_eq!((plan.schedule.planned(1, 2), plan.schedule.planned(1, 0)), (9_000, 0));
    assert_eq!(plan.schedule.warm_up(), Duration::from_secs(10));
    assert_eq!(plan.schedule.duration(), Duration::from_mins(5));
    assert!((plan.schedule.peak_rate() - 150.0).abs() < 1e-6);

    let [read, write, health] = plan.requests.as_slice() else {
        panic!()
    };
    let body: serde_json::Value = serde_json::from_str(&rendered(read.body.as_ref().unwrap(), &plan, 1, 0)).unwrap();
    assert_eq!(body["variables"]["id"], "2");
    assert_eq!(
        rendered(&write.target, &plan, 1, 5),
        "/users/Bob%20%22the%22%20Builder?n=5"
    );
    let body: serde_json::Value = serde_json::from_str(&rendered(write.body.as_ref().unwrap(), &plan, 1, 5)).unwrap();
    assert_eq!(body, serde_json::json!({ "name": "Bob \"the\" Builder", "row": "2" }));
    assert_eq!(health.target.fixed(), Some("/healthz"));
    assert_eq!(health.method, http::Method::GET);
    for request in &plan.requests {
        let token = request
            .headers
            .iter()
            .find(|(name, _)| name == "authorization")
            .unwrap();
        assert_eq!(token.1.fixed(), Some("Bearer hunter2"));
        assert!(request.tags.contains(&("team".to_owned(), "checkout".to_owned())));
    }
    let checks = |request: &load_plan::plan::Request| {
        let made = plan
            .checks
            .iter()
            .enumerate()
            .filter(|(bit, _)| request.checks >> bit & 1 == 1);
        made.map(|(_, check)| check.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(checks(read), ["status<400", "no_graphql_errors"]);
    assert_eq!(checks(write), ["status<400", "status in 200..299"]);
    assert_eq!(checks(health), ["status<400", "body contains ok"]);
    let late = plan
        .thresholds
        .iter()
        .find(|threshold| threshold.expression == "p(99)<800")
        .unwrap();
    assert!(late.abort_on_fail);
    assert_eq!(late.delay_abort, Duration::from_secs(30));
    assert!(plan.data.as_ref().unwrap().random);
    assert_eq!(plan.judging.early_stop, StopRule::Sequential { alpha: 0.01 });
    assert_eq!(plan.connections.protocol, Protocol::Auto);
    assert_eq!((plan.connections.initial, plan.threads, plan.seed), (20, Some(2), 7));
    assert_eq!(
        plan.scenario_tags(1),
        [
            ("phase".to_owned(), "wave".to_owned()),
            ("scenario".to_owned(), "wave".to_owned())
        ]
    );
    assert_eq!(
        plan.subject(),
        "3 requests to https://staging.example.com/, up to 150/s for 5m"
    );
}

#[test]
fn flags_win() {
    let plan = full(Settings {
        url: Some("http://127.0.0.1:9/graphql".to_owned()),
        headers: vec!["authorization: Bearer other".into()],
        thresholds: vec!["http_req_duration=p(95)<500".to_owned()],
        checks: vec!["status!=404".to_owned()],
        tags: vec!["team=search".to_owned()],
        timeout: Some(Duration::from_secs(3)),
        ..Settings::default()
    });
    assert_eq!(plan.requests[0].origin.as_str(), "http://127.0.0.1:9/");
    assert_eq!(plan.timeout, Duration::from_secs(3));
    let thresholds: Vec<String> = plan.thresholds.iter().map(ToString::to_string).collect();
    assert!(thresholds.contains(&"http_req_duration=p(95)<500".to_owned()));
    assert!(!thresholds.contains(&"http_req_duration=p(95)<350".to_owned()));
    assert!(
        thresholds.contains(&"http_req_failed=rate<0.01".to_owned()),
        "others stay"
    );
    for request in &plan.requests {
        let tokens = request.headers.iter().filter(|(name, _)| name == "authorization");
        assert_eq!(
            tokens
                .map(|(_, value)| value.fixed().unwrap().to_owned())
                .collect::<Vec<_>>(),
            ["Bearer other"]
        );
        assert!(request.tags.contains(&("team".to_owned(), "search".to_owned())));
        assert!(
            request.checks
                & 1 << plan
                    .checks
                    .iter()
                    .position(|check| check.name() == "status!=404")
                    .unwrap()
                != 0
        );
    }
}

#[test]
fn the_short_form_and_json() {
    let yaml = "url: http://x/\nrate: 30\ntime_unit: 1m\nduration: 10m\nthresholds:\n  http_req_failed: rate<0.1\n";
    let json = "{\"url\": \"http://x/\",\n\t\"rate\": 30, \"time_unit\": \"1m\", \"duration\": \"10m\", \"thresholds\": {\"http_req_failed\": [\"rate<0.1\"]}}";
    for (name, content) in [("short.yaml", yaml), ("short.json", json), ("json.yaml", json)] {
        let plan = from_file(name, content).unwrap();
        assert_eq!(plan.schedule.planned_total(), 300, "{name}");
        assert_eq!(plan.requests[0].method, http::Method::GET);
    }
}

#[test]
fn one_constant_scenario_takes_rate_and_duration_from_flags() {
    let folder = crate::support::folder(&[(
        "one.yaml",
        "url: http://x/\nscenarios: { only: { rate: 10, duration: 1m } }\nthresholds: { http_req_failed: rate<0.1 }\n",
    )]);
    let settings = Settings {
        scenario_file: Some("one.yaml".into()),
        url: None,
        ..simple()
    };
    let plan = attempt(&settings, folder.path(), &[]).unwrap();
    assert_eq!(plan.schedule.planned_total(), 15_000);
    assert_eq!(plan.scenarios[0].name, "only");
}

#[test]
fn the_schema_knows_every_key_of_the_full_file() {
    let schema = scenario_schema();
    assert_eq!(schema["title"], "load-gate scenario");
    assert_eq!(schema["additionalProperties"], false);
    let text = std::fs::read_to_string(shown().join("full.yaml")).unwrap();
    for line in text.lines().filter(|line| !line.starts_with([' ', '#'])) {
        let key = line.split(':').next().unwrap();
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
    for name in [
        "ScenarioSpec",
        "RequestSpec",
        "StageSpec",
        "ConnectionsSpec",
        "TlsSpec",
        "JudgingSpec",
        "DataSpec",
    ] {
        assert_eq!(schema["$defs"][name]["additionalProperties"], false, "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn a_damaged_file_is_a_plan_or_an_error(at in 0..2_500_usize, length in 0..40_usize, insert in "[ -~\n]{0,6}") {
        let mut text = std::fs::read_to_string(shown().join("full.yaml")).unwrap();
        let at = at.min(text.len());
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &insert);
        // Either is right; what is asked for is that nothing panics, and that an error says something.
        if let Err(error) = from_file("damaged.yaml", &text) {
            proptest::prop_assert!(error.len() > 10, "{}", error);
        }
    }
}
