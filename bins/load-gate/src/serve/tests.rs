//! The endpoints over real sockets; the work is done by the test.

use super::{
    answer::{Finding, Trouble},
    board::{BoardRules, What},
    http::{LARGEST_BODY, Service},
    metrics::Metrics,
    request::RequestRules,
    work::{Work, Worker},
};
use load_verdict::Verdict;
use prometheus_client::registry::Registry;
use reqwest::{Response, StatusCode};
use runtime::{Limits, SecretSource, Shutdown, ShutdownTrigger};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

const TOKEN: &str = "serve-canary-77";
/// Nothing takes this long; a test that waits so long hangs.
const LONG: Duration = Duration::from_secs(20);

type Job = (Work, oneshot::Sender<Result<Finding, Trouble>>);

/// A service, and the test as its worker.
struct Bench {
    url: String,
    client: reqwest::Client,
    jobs: mpsc::UnboundedReceiver<Job>,
    trigger: ShutdownTrigger,
    shutdown: Shutdown,
    service: Service,
    registry: Registry,
}

impl Bench {
    fn start(board: BoardRules) -> Self {
        let (jobs_in, jobs) = mpsc::unbounded_channel();
        let worker: Worker = Arc::new(move |work| {
            let (answer, outcome) = oneshot::channel();
            jobs_in.send((work, answer)).unwrap();
            Box::pin(async move { outcome.await.expect("the test answers, or this check breaks off") })
        });
        let (shutdown, trigger) = Shutdown::manual_with_drain(Duration::from_millis(300));
        let mut registry = Registry::default();
        let service = Service::new(
            RequestRules {
                wait: Duration::from_millis(50),
                max_wait: LONG,
                allowed: vec![url::Url::parse("http://canary:8080").unwrap().origin()],
            },
            board,
            worker,
            Metrics::register(&mut registry),
            shutdown.clone(),
        );
        let token = SecretSource::from_args("SERVE_TOKEN", Some(TOKEN), None).unwrap();
        let bound = runtime::server::bind(([127, 0, 0, 1], 0).into(), "--listen").unwrap();
        let url = format!("http://{}", bound.local_addr());
        let limits = Limits {
            max_body_bytes: LARGEST_BODY,
            ..Limits::default()
        };
        tokio::spawn(bound.serve(service.router(token), limits, shutdown.clone()));
        Self {
            url,
            client: runtime::http::client(&runtime::HttpOptions::new("test")).unwrap(),
            jobs,
            trigger,
            shutdown,
            service,
            registry,
        }
    }

    async fn send(&self, path: &str, body: String, token: Option<&str>) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).body(body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Told {
        Told::read(self.send(path, body.to_string(), Some(TOKEN)).await).await
    }

    async fn get(&self, path: &str) -> Told {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(TOKEN);
        Told::read(request.send().await.unwrap()).await
    }

    /// The next job that reaches the worker.
    async fn job(&mut self) -> Job {
        tokio::time::timeout(LONG, self.jobs.recv()).await.unwrap().unwrap()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// An answer.
#[derive(Debug)]
struct Told {
    status: StatusCode,
    retry_after: Option<String>,
    body: Value,
}

impl Told {
    async fn read(response: Response) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        let (status, retry_after) = (response.status(), header("retry-after"));
        Self {
            status,
            retry_after,
            body: response.json().await.unwrap(),
        }
    }

    /// What Argo's controller makes of it with `result.ok == true` and `result.ok == false` (see argo-rollouts' web
    /// provider: any status outside 2xx is an error, then the two conditions are evaluated).
    fn argo(&self) -> &'static str {
        match (self.status.is_success(), &self.body["ok"]) {
            (false, _) => "Error",
            (true, Value::Bool(true)) => "Successful",
            (true, Value::Bool(false)) => "Failed",
            (true, _) => "Inconclusive",
        }
    }
}

fn rules() -> BoardRules {
    BoardRules {
        max_runs: 1,
        max_evidence: 2,
        keep_for: Duration::from_mins(10),
        keep: 8,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a worker returns")]
fn found(verdict: Verdict) -> Result<Finding, Trouble> {
    Ok(Finding {
        verdict,
        reasons: vec!["p(95) is 120 ms".to_owned()],
        details: json!({"ok": false, "verdict": "?", "p95Ms": 120.0}),
        document: Some(r#"{"schema":"load-gate/result/v1"}"#.to_owned()),
    })
}

fn smoke(release: &str) -> Value {
    json!({"releaseId": release, "plan": "smoke", "waitSeconds": 15})
}

#[tokio::test]
async fn each_verdict_becomes_what_argo_should_do() {
    for (verdict, ok, argo) in [
        (Verdict::Pass, json!(true), "Successful"),
        (Verdict::Fail, json!(false), "Failed"),
        (Verdict::Inconclusive, Value::Null, "Inconclusive"),
        (Verdict::Invalid, Value::Null, "Inconclusive"),
    ] {
        let mut bench = Bench::start(rules());
        let (url, client) = (bench.url.clone(), bench.client.clone());
        let asked = tokio::spawn(async move {
            let request = client.post(format!("{url}/v1/run")).bearer_auth(TOKEN);
            Told::read(request.body(smoke("r-1").to_string()).send().await.unwrap()).await
        });
        let (work, answer) = bench.job().await;
        assert_eq!(work.key.release_id, "r-1");
        answer.send(found(verdict)).unwrap();
        let told = asked.await.unwrap();
        assert_eq!((told.status, told.argo()), (StatusCode::OK, argo), "{told:?}");
        assert_eq!(told.body["ok"], ok);
        assert!(told.body.as_object().unwrap().contains_key("ok"));
        assert_eq!(told.body["verdict"], json!(verdict));
        assert_eq!(told.body["reasons"], json!(["p(95) is 120 ms"]));
        assert_eq!(told.body["details"], json!({"p95Ms": 120.0}), "one `ok` is enough");
        assert_eq!(told.body["reused"], false);
    }
}

#[tokio::test]
async fn a_check_that_takes_its_time_is_an_error_to_argo_and_later_a_verdict() {
    let mut bench = Bench::start(rules());
    let first = bench.post("/v1/run", json!({"releaseId": "r", "plan": "smoke"})).await;
    assert_eq!((first.status, first.argo()), (StatusCode::SERVICE_UNAVAILABLE, "Error"));
    assert_eq!(
        (&first.body["ok"], &first.body["verdict"]),
        (&Value::Null, &json!("RUNNING"))
    );
    assert_eq!(first.retry_after.as_deref(), Some("5"));
    let id = first.body["id"].as_str().unwrap().to_owned();
    let looked = bench.get(&format!("/v1/checks/{id}")).await;
    assert_eq!(
        (looked.status, &looked.body["verdict"]),
        (StatusCode::OK, &json!("RUNNING"))
    );
    assert_eq!(looked.argo(), "Inconclusive");
    let early = bench.get(&format!("/v1/checks/{id}/result")).await;
    assert_eq!(early.status, StatusCode::NOT_FOUND);

    let (_, answer) = bench.job().await;
    answer.send(found(Verdict::Pass)).unwrap();
    let second = bench.post("/v1/run", smoke("r")).await;
    assert_eq!(
        (second.argo(), second.body["id"].as_str()),
        ("Successful", Some(id.as_str()))
    );
    assert_eq!(second.body["reused"], true);
    assert!(second.body["ageSeconds"].is_f64(), "{second:?}");
    assert!(bench.jobs.try_recv().is_err(), "no second load");
    let document = bench.get(&format!("/v1/checks/{id}/result")).await;
    assert_eq!(document.body["schema"], "load-gate/result/v1");
}

#[tokio::test]
async fn requests_at_the_same_time_share_one_run() {
    let mut bench = Bench::start(rules());
    let ask = || {
        let request = bench.client.post(format!("{}/v1/run", bench.url)).bearer_auth(TOKEN);
        let request = request.body(smoke("r").to_string());
        tokio::spawn(async move { Told::read(request.send().await.unwrap()).await })
    };
    let asked: Vec<_> = (0..20).map(|_| ask()).collect();
    let (_, answer) = bench.job().await;
    // Those that come only after the end are answered by what was kept: the same run for them too.
    let probe = bench
        .post(
            "/v1/run",
            json!({"releaseId": "r", "plan": "smoke", "waitSeconds": 0.2}),
        )
        .await;
    assert_eq!(probe.body["verdict"], "RUNNING");
    answer.send(found(Verdict::Fail)).unwrap();
    let mut ids = Vec::new();
    for asked in asked {
        let told = asked.await.unwrap();
        assert_eq!(told.argo(), "Failed");
        ids.push(told.body["id"].as_str().unwrap().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert!(bench.jobs.try_recv().is_err(), "no second load");
}

#[tokio::test]
async fn another_run_of_the_release_waits_and_other_releases_are_limited() {
    let mut bench = Bench::start(rules());
    bench.post("/v1/run", json!({"releaseId": "r", "plan": "smoke"})).await;
    let (_, answer) = bench.job().await;
    let other = bench.post("/v1/run", json!({"releaseId": "r", "plan": "soak"})).await;
    assert_eq!((other.status, other.argo()), (StatusCode::CONFLICT, "Error"));
    let full = bench.post("/v1/run", json!({"releaseId": "q", "plan": "smoke"})).await;
    assert_eq!((full.status, full.argo()), (StatusCode::TOO_MANY_REQUESTS, "Error"));
    assert!(full.retry_after.is_some() && other.retry_after.is_some());
    assert!(
        full.body["reasons"][0].as_str().unwrap().contains("--max-runs"),
        "{full:?}"
    );
    let evidence = bench
        .post("/v1/evidence", json!({"releaseId": "r", "service": "cos"}))
        .await;
    assert_eq!(evidence.body["verdict"], "RUNNING", "evidence has its own limit");
    answer.send(found(Verdict::Pass)).unwrap();
    assert_eq!(bench.post("/v1/run", smoke("r")).await.argo(), "Successful");
    let next = bench.post("/v1/run", json!({"releaseId": "q", "plan": "smoke"})).await;
    assert_eq!(next.body["verdict"], "RUNNING");
}

#[tokio::test]
async fn failures_are_errors_and_the_next_request_tries_again() {
    let mut bench = Bench::start(rules());
    for (trouble, status) in [
        (
            Trouble::Unusable("no plan of that name".to_owned()),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (Trouble::Dependency("MC is away".to_owned()), StatusCode::BAD_GATEWAY),
        (
            Trouble::Internal("something broke".to_owned()),
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
    ] {
        let first = bench
            .post("/v1/evidence", json!({"releaseId": "r", "service": "cos"}))
            .await;
        assert_eq!(first.body["verdict"], "RUNNING");
        let (_, answer) = bench.job().await;
        answer.send(Err(trouble.clone())).unwrap();
        let body = json!({"releaseId": "r", "service": "cos", "waitSeconds": 15});
        let told = bench.post("/v1/evidence", body).await;
        assert_eq!((told.status, told.argo()), (status, "Error"), "{told:?}");
        assert_eq!(
            (&told.body["ok"], &told.body["verdict"]),
            (&Value::Null, &json!("ERROR"))
        );
        assert_eq!(told.body["reasons"], json!([trouble.to_string()]));
    }
    // A worker that breaks is an error too, and not a check that runs for ever.
    bench
        .post("/v1/evidence", json!({"releaseId": "r", "service": "cos"}))
        .await;
    drop(bench.job().await);
    let body = json!({"releaseId": "r", "service": "cos", "waitSeconds": 15});
    let told = bench.post("/v1/evidence", body).await;
    assert_eq!(told.status, StatusCode::INTERNAL_SERVER_ERROR, "{told:?}");
}

#[tokio::test]
async fn nothing_is_answered_without_the_token() {
    let mut bench = Bench::start(rules());
    for path in ["/v1/run", "/v1/evidence", "/v1/checks/1", "/nowhere"] {
        for token in [None, Some("wrong"), Some("")] {
            let response = bench.send(path, smoke("r").to_string(), token).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {token:?}");
        }
    }
    assert!(bench.jobs.try_recv().is_err());
}

#[tokio::test]
async fn bad_requests_start_nothing_and_never_look_like_an_answer() {
    let mut bench = Bench::start(rules());
    for (path, body, status) in [
        ("/v1/run", String::new(), StatusCode::BAD_REQUEST),
        ("/v1/run", "[]".to_owned(), StatusCode::BAD_REQUEST),
        (
            "/v1/run",
            json!({"releaseId": "", "plan": "smoke"}).to_string(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/v1/evidence",
            json!({"releaseId": "", "service": "cos"}).to_string(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/v1/evidence",
            json!({"releaseId": "r", "service": "cos", "url": "http://canary:8080"}).to_string(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/v1/run",
            json!({"releaseId": "r", "plan": "smoke", "waitSeconds": 21}).to_string(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "/v1/run",
            json!({"releaseId": "r", "plan": "smoke", "url": "http://169.254.169.254/"}).to_string(),
            StatusCode::FORBIDDEN,
        ),
        ("/v1/run", " ".repeat(LARGEST_BODY + 1), StatusCode::PAYLOAD_TOO_LARGE),
        ("/v1/nowhere", "{}".to_owned(), StatusCode::NOT_FOUND),
        ("/v1/checks/1", "{}".to_owned(), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let told = Told::read(bench.send(path, body.clone(), Some(TOKEN)).await).await;
        assert_eq!((told.status, told.argo()), (status, "Error"), "{path} {body}");
        assert_eq!(
            (&told.body["ok"], &told.body["verdict"]),
            (&Value::Null, &json!("ERROR"))
        );
    }
    assert_eq!(bench.get("/v1/run").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(bench.get("/v1/checks/1-1").await.status, StatusCode::NOT_FOUND);
    assert!(bench.jobs.try_recv().is_err());
}

#[tokio::test]
async fn an_allowed_origin_reaches_the_worker() {
    let mut bench = Bench::start(rules());
    let body = json!({"releaseId": "r", "plan": "smoke", "url": "http://canary:8080/graphql?x=1"});
    let told = bench.post("/v1/run", body).await;
    assert_eq!(told.body["target"], "http://canary:8080/graphql?x=[redacted]");
    let (work, _answer) = bench.job().await;
    let What::Run { url, .. } = &work.key.what else {
        panic!("{work:?}")
    };
    assert_eq!(url.as_ref().unwrap().as_str(), "http://canary:8080/graphql?x=1");
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_run() {
    let mut bench = Bench::start(rules());
    let request = bench.client.post(format!("{}/v1/run", bench.url)).bearer_auth(TOKEN);
    let asked = tokio::spawn(request.body(smoke("r").to_string()).send());
    let (_, answer) = bench.job().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    answer.send(found(Verdict::Pass)).unwrap();
    let told = bench.post("/v1/run", smoke("r")).await;
    assert_eq!((told.argo(), &told.body["reused"]), ("Successful", &json!(true)));
}

#[tokio::test]
async fn draining_lets_running_checks_end_and_takes_no_new_ones() {
    let mut bench = Bench::start(rules());
    let request = bench.client.post(format!("{}/v1/run", bench.url)).bearer_auth(TOKEN);
    let asked = tokio::spawn(request.body(smoke("r").to_string()).send());
    let (work, answer) = bench.job().await;
    let drained = tokio::spawn({
        let service = bench.service.clone();
        async move { service.drained().await }
    });
    bench.trigger.trigger();
    let refused = bench
        .post("/v1/evidence", json!({"releaseId": "q", "service": "cos"}))
        .await;
    assert_eq!(
        (refused.status, refused.argo()),
        (StatusCode::SERVICE_UNAVAILABLE, "Error")
    );
    assert!(!work.stop.is_draining(), "a running check may go on");
    answer.send(found(Verdict::Pass)).unwrap();
    let told = Told::read(asked.await.unwrap().unwrap()).await;
    assert_eq!(told.argo(), "Successful");
    tokio::time::timeout(LONG, drained).await.unwrap().unwrap();
    bench.shutdown.finish();
}

#[tokio::test]
async fn at_the_end_of_the_drain_period_those_who_wait_are_sent_elsewhere() {
    let mut bench = Bench::start(rules());
    let request = bench.client.post(format!("{}/v1/run", bench.url)).bearer_auth(TOKEN);
    let asked = tokio::spawn(request.body(smoke("r").to_string()).send());
    let (work, _answer) = bench.job().await;
    bench.trigger.trigger();
    tokio::time::timeout(LONG, bench.service.drained()).await.unwrap();
    assert!(work.stop.is_draining(), "the work is told to stop");
    let told = Told::read(asked.await.unwrap().unwrap()).await;
    assert_eq!((told.status, told.argo()), (StatusCode::SERVICE_UNAVAILABLE, "Error"));
    assert!(told.body["reasons"][0].as_str().unwrap().contains("shutting down"));
}

#[tokio::test]
async fn metrics_count_answers_and_checks() {
    let mut bench = Bench::start(rules());
    bench.post("/v1/run", json!({"releaseId": "r", "plan": "smoke"})).await;
    let (_, answer) = bench.job().await;
    assert!(
        bench
            .metrics()
            .contains("load_gate_serve_checks_running{kind=\"run\"} 1")
    );
    answer.send(found(Verdict::Pass)).unwrap();
    bench.post("/v1/run", smoke("r")).await;
    let text = bench.metrics();
    for line in [
        "load_gate_serve_answers_total{kind=\"run\",verdict=\"running\"} 1",
        "load_gate_serve_answers_total{kind=\"run\",verdict=\"pass\"} 1",
        "load_gate_serve_checks_total{kind=\"run\",verdict=\"pass\"} 1",
        "load_gate_serve_checks_total{kind=\"evidence\",verdict=\"fail\"} 0",
        "load_gate_serve_check_seconds_count{kind=\"run\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
