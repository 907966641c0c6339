//! Owns the program under test: the real binary, its options, and what it says of itself.

use std::{path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::{
    binary,
    daemon::{Daemon, Log},
    http::{Answer, Http},
    ports,
    wait::eventually,
};

/// The token for `POST /v1/refresh`.
const ADMIN_TOKEN: &str = "admin-secret";

/// The poll interval of tests that do not say another.
pub const POLL: Duration = Duration::from_millis(300);

const WATCH: Duration = Duration::from_millis(200);

/// How it is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Arguments that every life has.
    pub args: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Poll interval; none: [`POLL`].
    pub poll: Option<Duration>,
    /// How often OPA is looked at; none: five times a second.
    pub watch: Option<Duration>,
    /// Runs `once`.
    once: bool,
    /// State folder.
    pub state: Option<PathBuf>,
}

impl Options {
    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the poll interval.
    #[must_use]
    pub fn poll(mut self, interval: Duration) -> Self {
        self.poll = Some(interval);
        self
    }

    /// Polls only when told to.
    #[must_use]
    pub fn by_hand(self) -> Self {
        self.poll(Duration::from_hours(1))
    }

    /// Sets how often OPA is looked at.
    #[must_use]
    pub fn watch(mut self, interval: Duration) -> Self {
        self.watch = Some(interval);
        self
    }

    /// Keeps its state in this folder.
    #[must_use]
    pub fn state(mut self, folder: PathBuf) -> Self {
        self.state = Some(folder);
        self
    }
}

/// A running reloader.
#[derive(Debug)]
pub struct Reloader {
    /// The process.
    pub daemon: Daemon,
    admin: String,
    http: Http,
}

fn command(options: &Options) -> Command {
    let millis = |duration: Duration| duration.as_millis().to_string();
    let mut command = Command::new(binary::policy_reloader());
    command
        .env_clear()
        .envs(options.env.iter().cloned())
        .env("ADMIN_TOKEN", ADMIN_TOKEN)
        .env("RUST_LOG", "info,policy_reloader=debug");
    if options.once {
        command.arg("once");
    }
    command
        .args(["--poll-interval-ms", &millis(options.poll.unwrap_or(POLL))])
        .args(["--watch-interval-ms", &millis(options.watch.unwrap_or(WATCH))])
        .args(&options.args);
    if let Some(state) = &options.state {
        command.arg("--state-dir").arg(state);
    }
    command
}

impl Reloader {
    /// Starts `policy-reloader once`, which ends by itself.
    pub fn once(options: &Options) -> Daemon {
        let options = Options {
            once: true,
            ..options.clone()
        };
        Daemon::start("policy-reloader once", command(&options), Log::default())
    }

    /// Starts it and waits for its admin port, which opens before anything else.
    pub async fn start(options: &Options) -> Self {
        let port = ports::free();
        let mut command = command(options);
        command.args(["--admin-listen", &format!("127.0.0.1:{port}")]);
        let mut daemon = Daemon::start(format!("policy-reloader on {port}"), command, Log::default());
        let admin = format!("http://127.0.0.1:{port}");
        let http = Http::new(Some(ADMIN_TOKEN));
        eventually("the reloader opens its admin port", async || {
            if let Some(status) = daemon.ended() {
                panic!("the reloader ended at its start: {status}");
            }
            http.get(&format!("{admin}/status")).await
        })
        .await;
        Self { daemon, admin, http }
    }

    /// `GET /status`.
    pub async fn status(&self) -> Value {
        let answer = self.http.get(&format!("{}/status", self.admin)).await;
        let answer = answer.expect("the reloader answers /status");
        assert_eq!(answer.status, 200);
        answer.json()
    }

    /// `GET /readyz`.
    pub async fn readyz(&self) -> Answer {
        let answer = self.http.get(&format!("{}/readyz", self.admin)).await;
        answer.expect("the reloader answers /readyz")
    }

    /// Whether it is ready.
    pub async fn is_ready(&self) -> bool {
        self.readyz().await.status == 200
    }

    /// Waits until it is ready.
    pub async fn ready(&self) -> Duration {
        eventually("the reloader is ready", async || self.is_ready().await.then_some(()))
            .await
            .1
    }

    /// Waits until it is not, and gives the reasons.
    pub async fn not_ready(&self) -> String {
        eventually("the reloader is not ready", async || {
            let answer = self.readyz().await;
            (answer.status == 503).then_some(answer.text)
        })
        .await
        .0
    }

    /// Waits until `/status` has something.
    pub async fn status_until<T>(&self, what: &str, mut found: impl FnMut(&Value) -> Option<T>) -> T {
        eventually(what, async || found(&self.status().await)).await.0
    }

    /// One sample of `/metrics`, by its name and labels as they are written there; 0 when it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        let answer = self.http.get(&format!("{}/metrics", self.admin)).await;
        let text = answer.expect("the reloader answers /metrics").text;
        text.lines()
            .filter_map(|line| line.rsplit_once(' '))
            .find(|(name, _)| *name == series)
            .map_or(0.0, |(_, value)| value.parse().unwrap())
    }

    /// How many packs were refused for this reason.
    pub async fn refusals(&self, reason: &str) -> f64 {
        self.metric(&format!("policy_reloader_refusals_total{{reason=\"{reason}\"}}"))
            .await
    }

    /// How many polls failed for this reason.
    pub async fn poll_failures(&self, reason: &str) -> f64 {
        self.metric(&format!("policy_reloader_poll_failures_total{{reason=\"{reason}\"}}"))
            .await
    }

    /// The address of the admin port.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// `POST /v1/refresh`: one poll, and what it came to.
    pub async fn refresh(&self) -> Value {
        let answer = self
            .http
            .post(&format!("{}/v1/refresh", self.admin), &json!({}))
            .await
            .expect("the reloader answers /v1/refresh");
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}
