//! The admin port, by real requests.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use runtime::{
    AdminOptions, AdminServer, Health, HttpOptions, Secret, SecretSource, Shutdown, ShutdownTrigger, require_bearer,
};
use std::sync::Arc;
use tokio::task::JoinHandle;

struct Admin {
    url: String,
    health: Health,
    shutdown: Shutdown,
    trigger: ShutdownTrigger,
    running: JoinHandle<std::io::Result<()>>,
    client: reqwest::Client,
}

impl Admin {
    fn start(extra: Router) -> Self {
        let server = AdminServer::bind(
            "127.0.0.1:0".parse().unwrap(),
            AdminOptions::new(runtime::build_info!()),
        )
        .unwrap();
        let url = format!("http://{}", server.local_addr());
        let health = Health::new();
        let mut registry = Registry::default();
        registry.register("polls", "Polls", Counter::<u64>::default());
        let (shutdown, trigger) = Shutdown::manual();
        let running = tokio::spawn(server.serve(health.clone(), Arc::new(registry), extra, shutdown.clone()));
        let client = runtime::http::client(&HttpOptions::default()).unwrap();
        Self {
            url,
            health,
            shutdown,
            trigger,
            running,
            client,
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, serde_json::Value) {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        (answer.status(), answer.json().await.unwrap())
    }
}

#[tokio::test]
async fn probes_follow_the_state() {
    let admin = Admin::start(Router::new());
    let ok = serde_json::json!({ "status": "ok" });
    let starting = serde_json::json!({ "status": "unavailable", "reasons": ["starting"] });
    assert_eq!(admin.get("/livez").await, (StatusCode::OK, ok.clone()));
    assert_eq!(
        admin.get("/readyz").await,
        (StatusCode::SERVICE_UNAVAILABLE, starting.clone())
    );
    assert_eq!(admin.get("/healthz").await, (StatusCode::SERVICE_UNAVAILABLE, starting));
    admin.health.set_ready(true, "");
    assert_eq!(admin.get("/readyz").await, (StatusCode::OK, ok.clone()));
    assert_eq!(admin.get("/healthz").await, (StatusCode::OK, ok.clone()));

    admin.trigger.trigger();
    let draining = serde_json::json!({ "status": "unavailable", "reasons": ["shutting down"] });
    assert_eq!(admin.get("/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, draining));
    assert_eq!(admin.get("/livez").await, (StatusCode::OK, ok));

    admin.shutdown.finish();
    admin.running.await.unwrap().unwrap();
    assert!(admin.client.get(&admin.url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let admin = Admin::start(Router::new());
    let answer = admin.client.get(format!("{}/metrics", admin.url)).send().await.unwrap();
    assert_eq!(
        answer.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("polls_total 0") && text.contains("build_info{name=\"runtime\""),
        "{text}"
    );
}

#[tokio::test]
async fn the_tools_own_paths_are_served_and_cannot_replace_ours() {
    let extra = Router::new()
        .route("/status", get(|| async { "mine" }))
        .route("/livez", get(|| async { "not mine" }));
    let admin = Admin::start(extra);
    let text = admin
        .client
        .get(format!("{}/status", admin.url))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(text, "mine");
    assert_eq!(admin.get("/livez").await.1["status"], "ok");
    let status = async |path| {
        admin
            .client
            .get(format!("{}{path}", admin.url))
            .send()
            .await
            .unwrap()
            .status()
    };
    assert_eq!(status("/nothing").await, StatusCode::NOT_FOUND);
    let posted = admin
        .client
        .post(format!("{}/livez", admin.url))
        .send()
        .await
        .unwrap()
        .status();
    assert_eq!(posted, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn only_the_right_token_passes_and_it_may_be_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let token = SecretSource::from_args("ADMIN_TOKEN", None::<Secret>, Some(path.clone()))
        .unwrap()
        .unwrap();
    let admin = Admin::start(require_bearer(
        Router::new().route("/v1/refresh", post(|| async { "done" })),
        token,
    ));
    let url = format!("{}/v1/refresh", admin.url);
    let call = async |header: Option<&str>| {
        let mut request = admin.client.post(&url);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = request.send().await.unwrap();
        let challenge = answer
            .headers()
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), challenge.unwrap_or_default())
    };
    assert_eq!(call(None).await, (401, "Bearer realm=\"admin\"".to_owned()));
    assert_eq!(call(Some("Bearer wrong")).await.0, 401);
    assert_eq!(call(Some("Bearer firs")).await.0, 401);
    assert!(call(Some("Bearer ")).await.1.starts_with("Bearer"));
    assert_eq!(call(Some("Bearer first")).await.0, 200);

    std::fs::write(&path, "other\n").unwrap();
    assert_eq!(call(Some("Bearer first")).await.0, 401);
    assert_eq!(call(Some("Bearer other")).await.0, 200);

    std::fs::remove_file(&path).unwrap();
    assert_eq!(call(Some("Bearer other")).await.0, 503, "in doubt it stays closed");
    assert_eq!(admin.get("/livez").await.0, StatusCode::OK, "probes need no token");
}
