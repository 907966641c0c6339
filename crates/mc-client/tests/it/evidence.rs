//! `evidenceOk`: what is sent, and what each answer is worth.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mc_client::{EvidenceClient, EvidenceError, EvidenceErrorKind, EvidenceTimeouts, McErrorKind};
use runtime::{Secret, SecretSource};
use serde_json::{Value, json};
use tracing_subscriber::fmt::format::FmtSpan;
use wiremock::matchers::{body_partial_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Then, http, raw};

fn right() -> Value {
    json!({ "data": { "evidenceOk": {
        "ok": true,
        "reasons": [],
        "snapshot": { "service": "cos", "p95Ms": 210, "p99Ms": null, "errorRate": 0, "window": "15m" },
        "cost": null,
    } } })
}

fn client(url: &str) -> EvidenceClient {
    let token = SecretSource::Value(Secret::new("s3cret-token"));
    EvidenceClient::new(http(), &url.parse().unwrap(), Some(token))
}

fn json(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/json")
}

async fn error(response: ResponseTemplate) -> EvidenceError {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(response).mount(&server).await;
    client(&server.uri()).evidence_ok("cos", "r1").await.unwrap_err()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_question_is_graphql_over_http_with_variables_and_the_token() {
    let server = MockServer::start().await;
    // A release id is data: whatever it holds, it cannot become part of the query.
    let release = "r1\") { ok } #";
    Mock::given(method("POST"))
        .and(path("/graphql"))
        .and(header("authorization", "Bearer s3cret-token"))
        .and(header("content-type", "application/json"))
        .and(header("cache-control", "no-store"))
        .and(body_partial_json(json!({
            "operationName": "EvidenceOk",
            "variables": { "service": "cos", "releaseId": release },
        })))
        .respond_with(json(200, &right()))
        .expect(1)
        .mount(&server)
        .await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let answer = client(&server.uri()).evidence_ok("cos", release).await.unwrap();
    drop(guard);
    assert!(answer.ok && answer.snapshot.p95_ms == 210 && answer.cost.is_none());
    let requests = server.received_requests().await.unwrap();
    let accept = requests[0].headers.get("accept").unwrap();
    assert_eq!(accept, "application/graphql-response+json, application/json;q=0.9");
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let query = body["query"].as_str().unwrap();
    for field in [
        "ok",
        "reasons",
        "service",
        "p95Ms",
        "p99Ms",
        "errorRate",
        "window",
        "graphqlPerMillionUsd",
    ] {
        assert!(query.contains(field), "{field} in {query}");
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<_> = text.lines().filter(|line| line.contains("mc_request")).collect();
    assert!(
        ours.iter()
            .any(|line| line.contains("path=\"/graphql\"") && line.contains("status=200")),
        "{text}"
    );
    assert!(!ours.iter().any(|line| line.contains("s3cret-token")), "{text}");
}

#[tokio::test]
async fn each_answer_is_of_one_kind_and_may_change_or_not() {
    use EvidenceErrorKind::{NoEvidence, NotTrusted, Unavailable};
    let errors = |code: &str| json!({ "errors": [{ "message": "no", "extensions": { "code": code } }], "data": null });
    for (response, kind, may_change) in [
        (json(200, &json!({ "data": null })), NoEvidence, true),
        (json(200, &errors("NOT_FOUND")), NoEvidence, true),
        (json(200, &errors("INTERNAL_SERVER_ERROR")), NoEvidence, true),
        (json(200, &errors("GRAPHQL_VALIDATION_FAILED")), NotTrusted, false),
        (json(200, &errors("FORBIDDEN")), Unavailable, false),
        (json(200, &json!({})), NotTrusted, false),
        (json(200, &json!([right()])), NotTrusted, false),
        (json(203, &right()), NotTrusted, false),
        (json(206, &right()), NotTrusted, false),
        (json(204, &right()), NotTrusted, false),
        (json(304, &right()), NotTrusted, false),
        (json(400, &errors("BAD_USER_INPUT")), Unavailable, false),
        (json(401, &right()), Unavailable, false),
        (json(404, &right()), Unavailable, false),
        (json(408, &right()), Unavailable, true),
        (json(429, &right()), Unavailable, true),
        (json(500, &right()), Unavailable, true),
        (json(503, &right()), Unavailable, true),
    ] {
        let told = format!("{response:?}");
        let error = error(response).await;
        assert_eq!(
            (error.kind(), error.may_change()),
            (kind, may_change),
            "{told}: {error}"
        );
    }
}

#[tokio::test]
async fn messages_say_what_came_and_what_to_do() {
    let page = ResponseTemplate::new(200).set_body_raw("<h1>Sign in</h1>", "text/html; charset=utf-8");
    let said = |error: EvidenceError| {
        let text = error.to_string();
        text.split(" (POST http://127.0.0.1:").next().unwrap().to_owned()
    };
    let mut other = right();
    other["data"]["evidenceOk"]["snapshot"]["service"] = json!("cox\u{1b}");
    let mut text = right();
    text["data"]["evidenceOk"]["ok"] = json!("true");
    for (response, expected) in [
        (
            page,
            "MC's answer is not to be trusted: expected application/json, found text/html; charset=utf-8; is this the URL of MC?",
        ),
        (
            json(200, &other),
            "MC's answer is not to be trusted: asked about \"cos\", it is about \"cox\"",
        ),
        (
            json(200, &text),
            "MC's answer is not to be trusted: it is not the JSON that was asked for: invalid type: string \"true\", expected \
             a boolean at line 1 column 46",
        ),
        (
            json(
                200,
                &json!({ "errors": [{ "message": "no evidence\nfor r1" }], "data": null }),
            ),
            "MC answered with errors: no evidencefor r1",
        ),
        (
            json(
                400,
                &json!({ "errors": [{ "message": "Cannot query field", "extensions": { "code": "C" } }] }),
            ),
            "MC answered with status 400 Bad Request, saying \"Cannot query field (C)\"",
        ),
    ] {
        assert_eq!(said(error(response).await), expected);
    }
}

#[tokio::test]
async fn every_wait_ends() {
    let quick = EvidenceTimeouts {
        idle: Duration::from_millis(50),
        total: Duration::from_millis(150),
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    for (bytes, then) in [
        ("", Then::Silence),
        (head, Then::Silence),
        (head, Then::Repeat(b" ", Duration::from_millis(10))),
    ] {
        let url = raw(bytes, then).await;
        let error = client(&url)
            .with_timeouts(quick)
            .evidence_ok("cos", "r1")
            .await
            .unwrap_err();
        let EvidenceError::Mc(error) = error else {
            panic!("{error}")
        };
        assert_eq!(error.kind(), McErrorKind::Timeout, "{error}");
    }
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(200).set_body_raw(" ".repeat(100_000), "application/json");
    Mock::given(method("POST")).respond_with(response).mount(&server).await;
    let error = client(&server.uri()).evidence_ok("cos", "r1").await.unwrap_err();
    assert!(error.to_string().contains("longer than 65536 bytes"), "{error}");
}
