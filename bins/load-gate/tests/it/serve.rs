//! `serve` as Argo's controller meets it: the program, real sockets, an MC that does its work, a target under load.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use load_target::{Target, TargetConfig};
use mc_sim::{Evidence, Fault, Sim, SimConfig};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::process::load_gate;
use program::{Nobody, run};

const TOKEN: &str = "canary-serve-91ac";
const MC_TOKEN: &str = "canary-mc-77e0";
/// Nothing takes this long.
const LIMIT: Duration = Duration::from_mins(1);

/// A running `serve` on ports of its own choice.
struct Server {
    child: Child,
    lines: BufReader<ChildStderr>,
    seen: String,
    url: String,
    admin: String,
    client: reqwest::Client,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(["--log-format", "json"])
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut server = Self {
            child,
            lines,
            seen: String::new(),
            url: String::new(),
            admin: String::new(),
            client: runtime::http::client(&runtime::HttpOptions::new("test")).unwrap(),
        };
        let ready = server.line_with("ready to answer");
        let line: Value = serde_json::from_str(&ready).unwrap();
        let field = |name: &str| {
            let value = line.pointer(&format!("/fields/{name}")).or_else(|| line.get(name));
            format!(
                "http://{}",
                value
                    .and_then(Value::as_str)
                    .unwrap_or_else(|| panic!("no {name} in {line}"))
            )
        };
        (server.url, server.admin) = (field("address"), field("admin"));
        server
    }

    /// Reads the log up to a line with this text.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the log ended without {text:?}: {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(TOKEN);
        let response = request.timeout(LIMIT).body(body.to_string()).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
    }

    async fn get(&self, url: &str) -> (StatusCode, String) {
        let response = self.client.get(url).bearer_auth(TOKEN).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// SIGTERM; the exit code and everything that was logged.
    fn stop(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let until = Instant::now() + LIMIT;
        let code = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if Instant::now() > until => panic!("still running after SIGTERM"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            self.seen.push_str(&std::mem::take(&mut line));
        }
        (code, std::mem::take(&mut self.seen))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(args: &[&str]) -> Command {
    let mut command = load_gate(["serve"].iter().chain(args));
    command.env("SERVE_TOKEN", TOKEN).env("MC_TOKEN", MC_TOKEN);
    command
}

/// Starts on a thread of its own: it waits in a way that the test's runtime does not allow.
fn target() -> Target {
    let start = || Target::start(TargetConfig::default()).unwrap();
    std::thread::spawn(start).join().unwrap()
}

/// Requests that reached it.
fn total(target: &Target) -> u64 {
    std::thread::scope(|scope| scope.spawn(|| target.truth().total()).join().unwrap())
}

fn mc() -> Sim {
    let sim = Sim::start(SimConfig {
        bearer: Some(MC_TOKEN.to_owned()),
        ..SimConfig::default()
    })
    .unwrap();
    sim.publish_evidence(Evidence::good("cos", "r1"));
    sim.publish_evidence(Evidence::bad("cos", "r2"));
    sim
}

/// A scenario of one second at 400 requests a second.
fn scenario(folder: &Path, name: &str, url: &str, threshold: &str) {
    let text = json!({
        "url": url,
        "requests": [{"graphql": "{ __typename }"}],
        "rate": 400,
        "duration": "1s",
        "thresholds": {"http_req_duration": [threshold]},
        "judging": {"early_stop": "never", "max_lag": "5s"},
    });
    std::fs::write(folder.join(format!("{name}.json")), text.to_string()).unwrap();
}

#[tokio::test]
async fn evidence_is_asked_of_mc_and_answered_as_it_says() {
    let mc = mc();
    let server = Server::start(&mut serve(&["--mc-url", &mc.url(), "--deadline", "0"]));
    for (release, status, ok, verdict) in [
        ("r1", StatusCode::OK, json!(true), "PASS"),
        ("r2", StatusCode::OK, json!(false), "FAIL"),
        ("r3", StatusCode::OK, Value::Null, "INCONCLUSIVE"),
    ] {
        let body = json!({"service": "cos", "releaseId": release, "waitSeconds": 30});
        let (answered, answer) = server.post("/v1/evidence", &body).await;
        assert_eq!(
            (answered, &answer["ok"], &answer["verdict"]),
            (status, &ok, &json!(verdict)),
            "{answer}"
        );
        assert!(!answer["reasons"].as_array().unwrap().is_empty(), "{answer}");
        assert_eq!(answer["releaseId"], release);
    }
    let (_, answer) = server
        .post(
            "/v1/evidence",
            &json!({"service": "cos", "releaseId": "r1", "waitSeconds": 30}),
        )
        .await;
    assert_eq!(answer["details"]["snapshot"]["p95Ms"], 210, "{answer}");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains(MC_TOKEN), "{log}");
}

#[tokio::test]
async fn an_mc_that_is_away_is_an_error_and_is_asked_again() {
    let nobody = Nobody::new();
    let server = Server::start(&mut serve(&["--mc-url", &nobody.url(), "--deadline", "0"]));
    let body = json!({"service": "cos", "releaseId": "r1", "waitSeconds": 30});
    for _ in 0..2 {
        let (status, answer) = server.post("/v1/evidence", &body).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{answer}");
        assert_eq!(
            (&answer["ok"], &answer["verdict"], &answer["reused"]),
            (&Value::Null, &json!("ERROR"), &json!(false))
        );
    }
    drop(server);
    let mc = mc();
    mc.set_fault(
        Fault::Status {
            code: 500,
            retry_after: None,
        }
        .on(mc_sim::Target::Graphql),
    );
    let server = Server::start(&mut serve(&["--mc-url", &mc.url(), "--deadline", "0"]));
    let (status, answer) = server.post("/v1/evidence", &body).await;
    assert_eq!(
        (status, &answer["ok"]),
        (StatusCode::BAD_GATEWAY, &Value::Null),
        "{answer}"
    );
    mc.clear_faults();
    let (status, answer) = server.post("/v1/evidence", &body).await;
    assert_eq!((status, &answer["ok"]), (StatusCode::OK, &json!(true)), "{answer}");
}

#[tokio::test]
async fn a_load_run_is_started_once_and_answered_by_its_verdict() {
    let target = target();
    let folder = tempfile::tempdir().unwrap();
    scenario(folder.path(), "smoke", &target.url(), "p(95)<1000");
    scenario(folder.path(), "strict", &target.url(), "p(95)<0.0001");
    let scenarios = folder.path().to_str().unwrap();
    let server = Server::start(&mut serve(&["--scenarios-dir", scenarios, "--wait", "10ms"]));

    let body = json!({"releaseId": "r1", "plan": "smoke"});
    let (status, first) = server.post("/v1/run", &body).await;
    assert_eq!(
        (status, &first["verdict"], &first["ok"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("RUNNING"), &Value::Null)
    );
    let patient = json!({"releaseId": "r1", "plan": "smoke", "waitSeconds": 60});
    let (one, two) = tokio::join!(server.post("/v1/run", &patient), server.post("/v1/run", &patient));
    for (status, answer) in [one, two] {
        assert_eq!(
            (status, &answer["ok"], &answer["verdict"]),
            (StatusCode::OK, &json!(true), &json!("PASS")),
            "{answer}"
        );
        assert_eq!(answer["id"], first["id"]);
        assert_eq!(answer["details"]["scheduled"], 400);
    }
    let (status, kept) = server.post("/v1/run", &body).await;
    assert_eq!(
        (status, &kept["ok"], &kept["reused"]),
        (StatusCode::OK, &json!(true), &json!(true))
    );
    assert_eq!(total(&target), 400, "one load for four requests");

    let id = first["id"].as_str().unwrap();
    let (status, document) = server.get(&format!("{}/v1/checks/{id}/result", server.url)).await;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        (status, &document["schema"]),
        (StatusCode::OK, &json!("load-gate/result/v1"))
    );

    let (status, answer) = server
        .post(
            "/v1/run",
            &json!({"releaseId": "r2", "plan": "strict", "waitSeconds": 60}),
        )
        .await;
    assert_eq!(
        (status, &answer["ok"], &answer["verdict"]),
        (StatusCode::OK, &json!(false), &json!("FAIL")),
        "{answer}"
    );
    let (status, answer) = server
        .post(
            "/v1/run",
            &json!({"releaseId": "r3", "plan": "other", "waitSeconds": 60}),
        )
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer["reasons"][0].as_str().unwrap().contains("smoke, strict"),
        "{answer}"
    );

    let (_, metrics) = server.get(&format!("{}/metrics", server.admin)).await;
    assert!(
        metrics.contains("load_gate_serve_checks_total{kind=\"run\",verdict=\"pass\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_target_from_the_request_must_be_allowed_and_is_the_only_one() {
    let (stable, canary) = (target(), target());
    let folder = tempfile::tempdir().unwrap();
    scenario(folder.path(), "smoke", &stable.url(), "p(95)<1000");
    let absolute = json!({
        "requests": [{"name": "a", "url": format!("{}/graphql", stable.url().trim_end_matches('/')), "graphql": "{ __typename }"}],
        "rate": 400,
        "duration": "1s",
        "thresholds": {"http_req_duration": ["p(95)<1000"]},
    });
    std::fs::write(folder.path().join("absolute.json"), absolute.to_string()).unwrap();
    let allowed = url::Url::parse(&canary.url()).unwrap().origin().ascii_serialization();
    let server = Server::start(&mut serve(&[
        "--scenarios-dir",
        folder.path().to_str().unwrap(),
        "--allow-origin",
        &allowed,
    ]));
    let ask = |release: &str, plan: &str, url: &str| json!({"releaseId": release, "plan": plan, "url": url, "waitSeconds": 60});
    let (status, answer) = server.post("/v1/run", &ask("r1", "smoke", "http://127.0.0.1:1/")).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    let (status, answer) = server.post("/v1/run", &ask("r2", "smoke", &canary.url())).await;
    assert_eq!((status, &answer["ok"]), (StatusCode::OK, &json!(true)), "{answer}");
    assert_eq!((total(&canary), total(&stable)), (400, 0));
    // A scenario whose requests name their own address would say PASS about something else.
    let (status, answer) = server.post("/v1/run", &ask("r3", "absolute", &canary.url())).await;
    assert_eq!(
        (status, &answer["ok"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &Value::Null),
        "{answer}"
    );
    assert_eq!(total(&stable), 0);
}

// Two threads: one reads the log while the other sends the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_and_waiting_callers_are_told() {
    let target = target();
    let folder = tempfile::tempdir().unwrap();
    let endless = json!({
        "url": target.url(), "requests": [{"graphql": "{ __typename }"}], "rate": 50, "duration": "10m",
        "thresholds": {"http_req_duration": ["p(95)<1000"]},
    });
    std::fs::write(folder.path().join("long.json"), endless.to_string()).unwrap();
    let mut server = Server::start(&mut serve(&[
        "--scenarios-dir",
        folder.path().to_str().unwrap(),
        "--drain",
        "1s",
    ]));
    let request = server.client.post(format!("{}/v1/run", server.url)).bearer_auth(TOKEN);
    let body = json!({"releaseId": "r1", "plan": "long", "waitSeconds": 60});
    let asked = tokio::spawn(request.timeout(LIMIT).body(body.to_string()).send());
    server.line_with("check started");
    let (status, _) = server.get(&format!("{}/readyz", server.admin)).await;
    assert_eq!(status, StatusCode::OK);
    let begun = Instant::now();
    let (code, log) = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let response = asked.await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let answer: Value = response.json().await.unwrap();
    assert!(
        answer["reasons"][0].as_str().unwrap().contains("shutting down"),
        "{answer}"
    );
}

#[test]
fn what_cannot_be_served_is_refused_before_the_start() {
    let usage = |command: &mut Command| {
        let ended = run(command);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(!ended.stderr.contains(TOKEN), "{}", ended.stderr);
        ended.stderr
    };
    let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let with = |args: &[&'static str]| {
        let all: Vec<&str> = ports.into_iter().chain(args.iter().copied()).collect();
        all
    };
    let text = usage(&mut load_gate(
        ["serve"].into_iter().chain(with(&["--mc-url", "http://mc"])),
    ));
    assert!(text.contains("--insecure-no-auth"), "{text}");
    for (args, says) in [
        (with(&[]), "--scenarios-dir"),
        (with(&["--mc-url", "http://mc", "--insecure-no-auth"]), "both set"),
        (with(&["--scenarios-dir", "/nowhere/at/all"]), "/nowhere/at/all"),
        (
            with(&["--mc-url", "http://mc", "--allow-origin", "http://host/path"]),
            "--allow-origin",
        ),
        (with(&["--mc-url", "http://mc", "--wait", "6m"]), "--max-wait"),
        (with(&["--mc-url", "http://mc", "--wait", "8"]), "8s"),
    ] {
        let text = usage(&mut serve(&args));
        assert!(text.contains(says), "{args:?}: {text}");
    }
    let mut missing = load_gate(
        ["serve", "--mc-url", "http://mc", "--token-file", "/nowhere/token"]
            .into_iter()
            .chain(ports),
    );
    assert!(usage(&mut missing).contains("/nowhere/token"));
}
