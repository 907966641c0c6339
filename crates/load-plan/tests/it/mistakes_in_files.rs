//! Mistakes in scenario files: file, line and key are named, and what was probably meant.

use crate::support::{folder, from_file, refused_in, simple};
use load_plan::Settings;

fn yaml(text: &str) -> String {
    from_file("s.yaml", text).expect_err("refused")
}

/// A file that is right but for what is added.
fn with(more: &str) -> String {
    yaml(&format!(
        "url: http://x/\nrate: 50\nduration: 5m\nthresholds: {{ http_req_failed: rate<0.1 }}\n{more}\n"
    ))
}

/// Several requests and scenarios.
fn scenarios(text: &str) -> String {
    yaml(&format!(
        "url: http://x/\nrequests: [{{ name: read }}, {{ name: write }}]\nthresholds: {{ http_req_failed: rate<0.1 }}\nscenarios:\n{text}\n"
    ))
}

#[test]
fn keys_and_values() {
    insta::assert_snapshot!(
        [
            yaml(""),
            yaml("- a\n- b\n"),
            yaml("rate: [\n"),
            with("raet: 50"),
            with("rate: 60"),
            with("completely_unknown: 1"),
            with("warm_up: 10"),
            with("warm_up: 10 seconds ago"),
            with("timeout: 5"),
            with("judging: { confidance: 0.9 }"),
            with("judging: { early_stop: exactly }"),
            with("connections: { protocol: http3 }"),
            with("requests: [{ wieght: 2 }]"),
            with("requests: [{ weight: -2 }]"),
            with("headers: { A: { evn: B } }"),
            with("headers: { A: {} }"),
            with("headers: { A: [7] }"),
            with("headers: { A: b, A: c }"),
            with("headers: { A: b, a: c }"),
            with("tags: { op: [7] }"),
            with("checks: status==200"),
            with("data: { file: users.csv, order: shuffled }"),
            from_file("s.json", "{\"url\": \"http://x/\",\n \"rate\": \"fast\"}").unwrap_err(),
            from_file(
                "s.json",
                "{\"url\": \"http://x/\",\n \"scenarios\": {\"a\": {\"rat\": 1}}}"
            )
            .unwrap_err(),
            from_file("s.json", "{\"url\": \"http://x/\"} trailing").unwrap_err(),
        ]
        .join("\n\n")
    );
}

#[test]
fn schedules() {
    insta::assert_snapshot!(
        [
            yaml("url: http://x/\nthresholds: { http_req_failed: rate<0.1 }\n"),
            with("stages: [{ duration: 1m, target: 5 }]"),
            with("start_rate: 5"),
            with("time_unit: 0s"),
            with("scenarios: { a: { rate: 1, duration: 1m } }"),
            scenarios("  {}"),
            scenarios("  a: { rate: 1 }"),
            scenarios("  a: { rate: 0, duration: 1m }"),
            scenarios("  a: { stages: [] }"),
            scenarios("  a: { stages: [{ duration: 0s, target: 5 }] }"),
            scenarios("  a: { stages: [{ duration: 1m, target: 0 }] }"),
            scenarios("  a: { stages: [{ duration: 1m, target: -5 }] }"),
            scenarios("  a: { stages: [{ duration: 1m, target: 5 }], duration: 5m }"),
            scenarios("  a: { rate: 1, duration: 1m, requests: {} }"),
            scenarios("  a: { rate: 1, duration: 1m, requests: { raed: 1 } }"),
            scenarios("  a: { rate: 1, duration: 1m, requests: { read: 0 } }"),
            scenarios("  a: { rate: 1, duration: 1m, requests: { read: 1 } }"),
            scenarios("  a: { rate: 1, duration: 1m, requests: { read: 9999, write: 10000 } }"),
            scenarios("  a: { rate: 1, duration: 1m }\n  a: { rate: 2, duration: 1m }"),
        ]
        .join("\n\n")
    );
}

#[test]
fn requests() {
    let requests = |list: &str| with(&format!("requests: {list}"));
    insta::assert_snapshot!(
        [
            requests("[]"),
            requests("[{ url: /a }, { url: /a }]"),
            requests("[{ name: a }, { name: a }]"),
            requests("[{ name: '' }]"),
            requests("[{ name: a, weight: 0 }]"),
            requests("[{ name: a, body: x, json: {} }]"),
            requests("[{ name: a, body_file: missing.txt }]"),
            requests("[{ name: a, graphql: '{ a }', variables: 7 }]"),
            requests("[{ name: a, tags: { scenario: x } }]"),
            requests("[{ name: a, json: { id: '{{idd}}' } }]\ndata: { file: users.csv }"),
            requests("[{ name: a, checks: [stats==200] }]"),
            scenarios("  a: { rate: 1, duration: 1m, tags: { op: x } }\ntags: { name: y }"),
            yaml("url: http://x/\nrequests: [{ name: a, tags: { op: r } }]\nthresholds: { http_req_failed: rate<0.1 }\nscenarios: { s: { rate: 50, duration: 1m, tags: { op: w } } }\n"),
        ]
        .join("\n\n")
    );
}

#[test]
fn thresholds() {
    let thresholds = |text: &str| yaml(&format!("url: http://x/\nrate: 50\nduration: 5m\nthresholds: {text}\n"));
    insta::assert_snapshot!(
        [
            thresholds("{}"),
            thresholds("{ http_req_duration: [] }"),
            thresholds("{ http_req_duration: p95<350 }"),
            thresholds("{ http_req_duration: 350 }"),
            thresholds("{ http_req_duration: [{ threshhold: p(95)<350 }] }"),
            thresholds("{ http_req_duration: { threshold: p(95)<350, delay_abort_eval: 10 } }"),
            thresholds("{ http_req_failed: rate<0.1, http_req_failed: rate<0.2 }"),
        ]
        .join("\n\n")
    );
}

#[test]
fn flags_that_do_not_fit_the_file() {
    let rest = "url: http://x/\nthresholds: { http_req_failed: rate<0.1 }\n";
    let one = format!("{rest}scenarios: {{ a: {{ rate: 1, duration: 1m }} }}\n");
    let two = format!("{rest}scenarios: {{ a: {{ rate: 1, duration: 1m }}, b: {{ rate: 1, duration: 1m }} }}\n");
    let ramp = format!("{rest}stages: [{{ duration: 1m, target: 5 }}]\n");
    let requests = format!("{rest}rate: 50\nduration: 1m\nrequests: [{{ name: a }}]\n");
    let folder = folder(&[
        ("one.yaml", one.as_str()),
        ("two.yaml", &two),
        ("ramp.yaml", &ramp),
        ("requests.yaml", &requests),
        (
            "k6.json",
            r#"{"scenarios":{"gate":{"executor":"constant-arrival-rate","rate":50,"duration":"5m"}}}"#,
        ),
    ]);
    let refused = |file: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings {
            scenario_file: Some(file.into()),
            ..Settings::default()
        };
        change(&mut settings);
        refused_in(&settings, folder.path())
    };
    insta::assert_snapshot!(
        [
            refused("two.yaml", &|all| all.rate = simple().rate),
            refused("ramp.yaml", &|all| all.rate = simple().rate),
            refused("requests.yaml", &|all| all.graphql = Some("{ a }".to_owned())),
            refused("one.yaml", &|all| all.k6_options = Some("k6.json".into())),
            refused("one.yaml", &|all| all.min_duration = simple().duration),
        ]
        .join("\n\n")
    );
}
