//! Owns a real OPA: started as an operator would, killed and started again on the same port.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use mc_sim::samples;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, Log},
    http::{Answer, Http},
    ports,
    wait::{LIMIT, eventually, within},
};

/// How an OPA is started.
#[derive(Debug, Clone, Default)]
pub struct OpaOptions {
    /// Configuration file.
    pub config: Option<PathBuf>,
    /// More arguments; files of its own, for example.
    pub args: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// The token that it wants, when it wants one.
    pub token: Option<String>,
}

/// An OPA, running or killed.
#[derive(Debug)]
pub struct Opa {
    port: u16,
    options: OpaOptions,
    daemon: Option<Daemon>,
    log: Log,
    http: Http,
}

/// The three revisions of a sample pack's answer; they differ only in a torn answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revisions {
    /// Written in the policy.
    pub policy: u64,
    /// Written in data/retention.json.
    pub data: u64,
    /// Written in data/purpose-tags.json.
    pub purpose_tags: u64,
}

impl Revisions {
    /// From the answer to a question for `data.cos.abac.revisions`; `None` when that is undefined.
    pub fn of(answer: &Value) -> Option<Self> {
        let result = &answer["result"];
        Some(Self {
            policy: result["policy"].as_u64()?,
            data: result["data"].as_u64()?,
            purpose_tags: result["purpose_tags"].as_u64()?,
        })
    }

    /// The one revision, unless the answer is torn.
    pub fn one(self) -> Option<u64> {
        (self.policy == self.data && self.data == self.purpose_tags).then_some(self.policy)
    }
}

impl Opa {
    /// Chooses a port; nothing runs yet.
    pub fn stopped(options: OpaOptions) -> Self {
        Self {
            port: ports::free(),
            http: Http::new(options.token.as_deref()),
            options,
            daemon: None,
            log: Log::default(),
        }
    }

    /// Starts one and waits until it answers.
    pub async fn start(options: OpaOptions) -> Self {
        let mut opa = Self::stopped(options);
        opa.restart().await;
        opa
    }

    /// Starts it on its port, after [`Opa::kill`] or for the first time.
    pub async fn restart(&mut self) {
        assert!(self.daemon.is_none(), "it runs already");
        let binary = tools::opa().expect("the runner has asked for it before");
        let mut command = Command::new(binary);
        command
            .args(["run", "--server", "--skip-version-check", "--log-level", "error"])
            .args(["--addr", &format!("127.0.0.1:{}", self.port)])
            .envs(self.options.env.iter().cloned());
        if let Some(config) = &self.options.config {
            command.arg("--config-file").arg(config);
        }
        command.args(&self.options.args);
        let mut daemon = Daemon::start(format!("OPA on {}", self.port), command, self.log.clone());
        let url = format!("{}/health", self.url());
        eventually("OPA answers", async || {
            if let Some(status) = daemon.ended() {
                panic!("OPA ended at its start: {status}\n{}", self.log.lines().join("\n"));
            }
            self.http.get(&url).await.filter(|answer| answer.status == 200)
        })
        .await;
        self.daemon = Some(daemon);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.kill();
    }

    /// Stops it in its tracks: its connections stay open, and nobody answers.
    pub fn freeze(&self) {
        self.daemon.as_ref().expect("it runs").signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.daemon.as_ref().expect("it runs").signal("CONT");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks for `data.<path>`; `None` when it does not answer.
    pub async fn ask(&self, path: &str, input: Option<&str>) -> Option<Answer> {
        let url = format!("{}/v1/data/{path}", self.url());
        let body = match input {
            Some(input) => json!({ "input": serde_json::from_str::<Value>(input).unwrap() }),
            None => json!({}),
        };
        self.http.post(&url, &body).await
    }

    /// What it decides for the sample input; `None` when that is undefined, or it does not answer.
    pub async fn allows(&self) -> Option<bool> {
        let answer = self.ask(samples::ALLOW, Some(samples::INPUT_ALLOWED)).await?;
        answer.json()["result"].as_bool()
    }

    /// The revisions that it decides by.
    pub async fn revisions(&self) -> Option<Revisions> {
        Revisions::of(&self.ask(samples::REVISIONS, None).await?.json())
    }

    /// The revision that it decides by, when that is one.
    pub async fn revision(&self) -> Option<u64> {
        self.revisions().await?.one()
    }

    /// Waits until it decides by this revision; gives how long that took.
    pub async fn decides_by(&self, revision: u64) -> Duration {
        self.decides_by_within(LIMIT, revision).await
    }

    /// As [`Opa::decides_by`], with a limit of its own.
    pub async fn decides_by_within(&self, limit: Duration, revision: u64) -> Duration {
        let what = format!("OPA on {} decides by revision {revision}", self.port);
        within(limit, &what, async || {
            (self.revision().await == Some(revision)).then_some(())
        })
        .await
        .1
    }

    /// Everything that it holds: modules with their text, and all of `data`.
    pub async fn everything(&self) -> (Value, Value) {
        let policies = self.http.get(&format!("{}/v1/policies", self.url())).await;
        let data = self.http.get(&format!("{}/v1/data", self.url())).await;
        let sorted = |answer: Option<Answer>| {
            let answer = answer.expect("OPA answers");
            assert_eq!(answer.status, 200, "{}", answer.text);
            let mut value = answer.json()["result"].take();
            if let Some(list) = value.as_array_mut() {
                list.sort_by_key(|policy| policy["id"].as_str().unwrap_or_default().to_owned());
            }
            value
        };
        (sorted(policies), sorted(data))
    }

    /// Any request.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<Answer> {
        self.http.send(method, &format!("{}{path}", self.url()), body).await
    }
}

/// Writes a file for OPA and gives its path.
pub fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
