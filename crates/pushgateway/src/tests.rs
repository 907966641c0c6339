use super::*;
use axum::{
    Router,
    extract::{Request, State},
};
use runtime::{Limits, Shutdown};
use std::sync::{Arc, Mutex};

fn group(service: Option<&str>, environment: Option<&str>) -> Group {
    Group::new("load-gate")
        .with("service", service.map(str::to_owned))
        .with("environment", environment.map(str::to_owned))
}

#[test]
fn the_group_is_in_the_path() {
    for (base, service, environment, expected) in [
        ("http://push:9091", None, None, "http://push:9091/metrics/job/load-gate"),
        (
            "http://push:9091/prefix/",
            Some("cos"),
            Some("prod"),
            "http://push:9091/prefix/metrics/job/load-gate/service/cos/environment/prod",
        ),
        (
            "http://push:9091/?x#y",
            Some("team/cos"),
            None,
            "http://push:9091/metrics/job/load-gate/service@base64/dGVhbS9jb3M=",
        ),
        (
            "http://push:9091",
            Some(".."),
            Some(""),
            "http://push:9091/metrics/job/load-gate/service@base64/Li4=/environment@base64/=",
        ),
        (
            "http://push:9091",
            Some("a b%2F?"),
            Some("größe"),
            "http://push:9091/metrics/job/load-gate/service@base64/YSBiJTJGPw==/environment@base64/Z3LDtsOfZQ==",
        ),
    ] {
        let url = address(&Url::parse(base).unwrap(), &group(service, environment)).unwrap();
        assert_eq!(url.as_str(), expected);
    }
}

/// What a gateway saw.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    method: String,
    path: String,
    content_type: Option<String>,
    authorization: Option<String>,
    body: String,
}

#[derive(Clone, Default)]
struct Gateway {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Answers to come, last first; 200 when there is none.
    answers: Arc<Mutex<Vec<(StatusCode, &'static str)>>>,
}

async fn gateway(State(gateway): State<Gateway>, request: Request) -> (StatusCode, &'static str) {
    let (head, body) = request.into_parts();
    let header = |name| {
        let value = head.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let mut seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        content_type: header("content-type"),
        authorization: header("authorization"),
        body: String::new(),
    };
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    seen.body = String::from_utf8(body.to_vec()).unwrap();
    gateway.seen.lock().unwrap().push(seen);
    gateway.answers.lock().unwrap().pop().unwrap_or((StatusCode::OK, ""))
}

fn start(answers: &[(StatusCode, &'static str)]) -> (Gateway, PushTarget) {
    let state = Gateway::default();
    state.answers.lock().unwrap().extend(answers.iter().rev());
    let bound = runtime::server::bind(([127, 0, 0, 1], 0).into(), "test").unwrap();
    let url = Url::parse(&format!("http://{}/", bound.local_addr())).unwrap();
    let router = Router::new().fallback(gateway).with_state(state.clone());
    let (shutdown, _) = Shutdown::manual();
    tokio::spawn(bound.serve(router, Limits::default(), shutdown));
    let target = PushTarget {
        client: client(),
        url,
        token: None,
        group: group(Some("cos"), None),
    };
    (state, target)
}

fn client() -> reqwest::Client {
    runtime::http::client(&runtime::HttpOptions::new("test")).unwrap()
}

#[tokio::test]
async fn metrics_are_sent_with_the_token() {
    for (replace, method) in [(Replace::Group, "PUT"), (Replace::Metrics, "POST")] {
        let (gateway, mut target) = start(&[]);
        target.token = SecretSource::from_args("PUSH_TOKEN", Some("push-canary"), None).unwrap();
        push(&target, replace, "load_gate_ok 1\n").await.unwrap();
        assert_eq!(
            *gateway.seen.lock().unwrap(),
            [Seen {
                method: method.to_owned(),
                path: "/metrics/job/load-gate/service/cos".to_owned(),
                content_type: Some(CONTENT_TYPE.to_owned()),
                authorization: Some("Bearer push-canary".to_owned()),
                body: "load_gate_ok 1\n".to_owned(),
            }]
        );
    }
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again() {
    let (gateway, target) = start(&[(StatusCode::BAD_GATEWAY, ""), (StatusCode::SERVICE_UNAVAILABLE, "")]);
    push(&target, Replace::Group, "x 1\n").await.unwrap();
    assert_eq!(gateway.seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_not_repeated() {
    let (gateway, target) = start(&[(
        StatusCode::BAD_REQUEST,
        "pushed metrics are invalid:\n  timestamps are not allowed\n",
    )]);
    let error = push(&target, Replace::Group, "x 1 1\n").await.unwrap_err();
    let expected = format!(
        "{} refused the metrics with 400 Bad Request: pushed metrics are invalid: timestamps are not allowed",
        target.url
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(gateway.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_an_error_without_the_password() {
    let nobody = program::Nobody::new();
    let target = PushTarget {
        client: client(),
        url: Url::parse(&format!("http://user:push-canary@127.0.0.1:{}/", nobody.port())).unwrap(),
        token: None,
        group: group(None, None),
    };
    let error = push(&target, Replace::Group, "x 1\n").await.unwrap_err();
    let text = runtime::exit::chain_of(&error);
    assert!(text.contains("failed after 3 attempts"), "{text}");
    assert!(!text.contains("push-canary"), "{text}");
}
