//! Owns the process under test: the release binary, its options, its status and its refresh.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{
    args::Setup,
    http::Connection,
    process::{Running, free_addresses},
};

const TOKEN: &str = "bench";

/// What differs between benches.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) activation: &'static str,
    pub(crate) pack_url: String,
    pub(crate) poll_ms: u64,
    pub(crate) watch_ms: u64,
    /// OPA, and the port where it polls for bundles; in embedded mode the port where decisions are answered.
    pub(crate) opa: SocketAddr,
    pub(crate) bundles: SocketAddr,
}

pub(crate) struct Reloader {
    pub(crate) process: Running,
    /// When it was started, and when its admin port was seen to be open.
    pub(crate) started: Instant,
    pub(crate) listening: Instant,
    admin: Connection,
    timings: Timings,
}

/// How long the stages of the last pack took, milliseconds, as the reloader itself says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timings {
    pub(crate) fetch: f64,
    pub(crate) verify: f64,
    pub(crate) activate: f64,
}

impl Reloader {
    /// Starts it and waits for its admin port, not for a decision.
    pub(crate) fn start(setup: &Setup, folder: &Path, key: &Path, options: &Options) -> anyhow::Result<Self> {
        let [admin] = free_addresses()?;
        let mut command = Command::new(&setup.reloader);
        command
            .args(["run", "--trust", "key", "--insecure-ignore-tlog", "--key"])
            .arg(key)
            .args(["--activation", options.activation, "--pack-url", &options.pack_url])
            .args(["--poll-interval-ms", &options.poll_ms.to_string()])
            .args(["--watch-interval-ms", &options.watch_ms.to_string()])
            .args(["--admin-listen", &admin.to_string(), "--admin-token", TOKEN])
            .args(["--log-format", "json", "--log-level", "warn"]);
        if options.activation == "embedded" {
            command.args(["--opa-listen", &options.opa.to_string()]);
        } else {
            command
                .args(["--opa-url", &format!("http://{}", options.opa)])
                .args(["--bundle-listen", &options.bundles.to_string()]);
        }
        let log = folder.join(format!("reloader-{}.log", admin.port()));
        let mut admin = Connection::new(admin)?;
        let started = Instant::now();
        let mut process = Running::start("policy-reloader", &mut command, &log)?;
        process.wait_until(Duration::from_millis(1), || Ok(admin.get("/livez")?.status == 200))?;
        Ok(Self {
            process,
            started,
            listening: Instant::now(),
            admin,
            timings: Timings::default(),
        })
    }

    /// Waits for `/readyz`, asking as often as `pause` allows; gives the time since the start, milliseconds.
    pub(crate) fn wait_ready(&mut self, pause: Duration) -> anyhow::Result<f64> {
        let Self { process, admin, .. } = self;
        process.wait_until(pause, || Ok(admin.get("/readyz")?.status == 200))?;
        Ok(self.started.elapsed().as_secs_f64() * 1e3)
    }

    /// Waits until the reloader itself says that this revision decides, and gives the timings of its stages.
    pub(crate) fn wait_active(&mut self, revision: u64) -> anyhow::Result<Timings> {
        let Self {
            process,
            admin,
            timings,
            ..
        } = self;
        process.wait_until(Duration::from_millis(2), || {
            let status = admin.get("/status")?.ok()?.json()?;
            let active = status.pointer("/active/revision").and_then(Value::as_u64);
            let stage = |name| {
                status
                    .pointer(&format!("/timings/{name}"))
                    .and_then(Value::as_f64)
                    .unwrap_or(f64::NAN)
            };
            *timings = Timings {
                fetch: stage("fetch_ms"),
                verify: stage("verify_ms"),
                activate: stage("activate_ms"),
            };
            if active == Some(revision) {
                return Ok(true);
            }
            bail!(
                "active is {active:?}; last poll: {}; last refusal: {}",
                status["last_poll"],
                status["last_refusal"]
            )
        })?;
        Ok(*timings)
    }

    /// Polls at once, and waits for what comes of it.
    pub(crate) fn refresh(&mut self) -> anyhow::Result<()> {
        let bearer = format!("Bearer {TOKEN}");
        let answer = self
            .admin
            .send("POST", "/v1/refresh", &[("authorization", &bearer)], String::new())?
            .ok()?
            .json()?;
        match answer.get("outcome").and_then(Value::as_str) {
            Some("activated") => Ok(()),
            _ => bail!("a refresh came to {answer}"),
        }
    }

    /// Timings of the last activated pack.
    pub(crate) fn timings(&mut self, revision: u64) -> anyhow::Result<Timings> {
        self.wait_active(revision).context("reading /status")
    }
}
