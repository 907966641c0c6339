//! `run` as Kubernetes runs it: it follows MC, survives a rotated token, ends on SIGTERM, and remembers.

use std::process::Command;
use std::time::{Duration, Instant};

use mc_sim::{Endpoint, Fault, PACK_ID, Sim, SimConfig, samples};
use pack_verify::Sha256Digest;
use runtime::http::{HttpOptions, client};
use serde_json::Value;

use crate::support::{CANARIES, Desk, reloader};
use program::{Running, free_port};

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reloader in embedded mode that follows `sim`.
struct Follower {
    process: Running,
    admin: String,
    decisions: String,
    http: reqwest::Client,
}

impl Follower {
    fn start(desk: &Desk, sim: &Sim, change: impl FnOnce(&mut Command)) -> Self {
        let [admin, decisions] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let mut command = reloader(["run", "--activation", "embedded"]);
        command
            .args(["--admin-listen", &admin, "--opa-listen", &decisions])
            .args(["--watch-interval-ms", "50", "--log-format", "json"])
            .args(["--pack-url", &sim.pack_url(PACK_ID), "--state-dir", &desk.arg("state")])
            .args(desk.trust())
            .env("POLICY_POLL_INTERVAL_MS", "50");
        change(&mut command);
        Self {
            process: Running::start(&mut command),
            admin: format!("http://{admin}"),
            decisions: format!("http://{decisions}"),
            http: client(&HttpOptions {
                no_proxy: true,
                ..HttpOptions::new("tests")
            })
            .unwrap(),
        }
    }

    /// `GET /status`, once it is there and fulfils the condition.
    async fn status(&mut self, what: &str, mut condition: impl FnMut(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        loop {
            if let Ok(answer) = self.http.get(format!("{}/status", self.admin)).send().await {
                last = answer.json().await.unwrap();
                if condition(&last) {
                    return last;
                }
            }
            assert!(!self.process.has_ended(), "it ended while we waited for {what}");
            assert!(Instant::now() < until, "{what} did not happen; status: {last:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn decides_by(&mut self, digest: Sha256Digest) -> Value {
        let wanted = digest.to_string();
        self.status(&format!("deciding by {wanted}"), |status| {
            status["state"] == "steady" && status["active"]["digest"] == *wanted
        })
        .await
    }

    async fn allows(&self, input: &str) -> Value {
        let body = format!("{{\"input\": {input}}}");
        let request = self
            .http
            .post(format!("{}/v1/data/{}", self.decisions, samples::ALLOW))
            .body(body);
        request.send().await.unwrap().json::<Value>().await.unwrap()["result"].clone()
    }

    /// SIGTERM; the exit code has to be 0 well before Kubernetes would kill it.
    fn stops(self) -> String {
        let started = Instant::now();
        self.process.terminate();
        let ended = self.process.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "took {:?}",
            started.elapsed()
        );
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        for (variable, canary) in CANARIES {
            assert!(!ended.stderr.contains(canary), "{variable} is logged: {}", ended.stderr);
        }
        ended.stderr
    }
}

fn state_on_disk(desk: &Desk) -> Value {
    serde_json::from_slice(&std::fs::read(desk.path("state/state.json")).unwrap()).unwrap()
}

/// The state names the pack, and the pack that it names is there, whole.
fn assert_remembered(desk: &Desk, digest: Sha256Digest, revision: u64) {
    let state = state_on_disk(desk);
    assert_eq!(state["digest"], digest.to_string());
    assert_eq!(state["revision"], revision);
    let pack = std::fs::read(desk.path(&format!("state/packs/{}.tar", digest.hex()))).unwrap();
    assert_eq!(Sha256Digest::of(&pack), digest);
    let receipts = std::fs::read_to_string(desk.path("state/receipts.jsonl")).unwrap();
    let last: Value = serde_json::from_str(receipts.lines().last().unwrap()).unwrap();
    assert_eq!(last["digest"], digest.to_string());
}

#[tokio::test]
async fn it_follows_mc_ends_on_sigterm_and_goes_on_with_what_it_had() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    let first = sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
    let mut follower = Follower::start(&desk, &sim, |_| {});
    let status = follower.decides_by(first).await;
    assert_eq!(status["activation"], "embedded");
    assert_eq!(status["active"]["revision"], 1);
    assert_eq!(follower.allows(samples::INPUT_ALLOWED).await, true);
    let second = sim
        .publish_signed(PACK_ID, samples::deny_by_data(2), &desk.signer)
        .unwrap();
    follower.decides_by(second).await;
    assert_eq!(follower.allows(samples::INPUT_ALLOWED).await, false);
    let log = follower.stops();
    assert!(log.contains("policy pack activated"), "{log}");
    assert_remembered(&desk, second, 2);

    // MC is gone at the next start: the last good pack decides.
    sim.stop();
    let mut follower = Follower::start(&desk, &sim, |_| {});
    follower.decides_by(second).await;
    assert_eq!(follower.allows(samples::INPUT_ALLOWED).await, false);

    // And its revision is not forgotten either.
    sim.restart().unwrap();
    sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
    let status = follower
        .status("refusing the older pack", |status| {
            status["last_refusal"]["reason"] == "revision_lower"
        })
        .await;
    assert_eq!(status["active"]["digest"], second.to_string());
    assert_eq!(follower.allows(samples::INPUT_ALLOWED).await, false);
    follower.stops();
    assert_remembered(&desk, second, 2);
}

#[tokio::test]
async fn sigterm_ends_it_while_mc_keeps_it_waiting() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    let first = sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
    let mut follower = Follower::start(&desk, &sim, |_| {});
    follower.decides_by(first).await;
    for fault in [Fault::Latency { ms: 600_000 }, Fault::SlowDrip { bytes_per_sec: 0 }] {
        sim.set_fault(fault);
        sim.publish_signed(PACK_ID, samples::v1(2), &desk.signer).unwrap();
        sim.clear_requests();
        assert!(
            sim.wait_until(PATIENCE, |requests| !requests.is_empty()).await,
            "a poll is under way"
        );
        follower.stops();
        assert_remembered(&desk, first, 1);
        sim.clear_faults();
        sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
        follower = Follower::start(&desk, &sim, |_| {});
        follower.decides_by(first).await;
    }
    follower.stops();
}

#[tokio::test]
async fn sigterm_ends_it_before_there_is_any_pack() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    let mut follower = Follower::start(&desk, &sim, |_| {});
    follower
        .status("polling in vain", |status| status["last_poll"]["outcome"] == "failed")
        .await;
    let health = format!("{}/health?bundles", follower.decisions);
    assert_eq!(follower.http.get(health).send().await.unwrap().status(), 500);
    let ready = format!("{}/readyz", follower.admin);
    assert_eq!(follower.http.get(ready).send().await.unwrap().status(), 503);
    follower.stops();
    assert!(!desk.path("state/state.json").exists());
}

#[tokio::test]
async fn a_rotated_token_is_used_without_a_restart() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig {
        bearer: Some("first-canary-mc-4f1d".to_owned()),
        ..SimConfig::default()
    })
    .unwrap();
    let first = sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
    let token = desk.put("token", "first-canary-mc-4f1d\n");
    let mut follower = Follower::start(&desk, &sim, |command| {
        command.env_remove("MC_TOKEN").args(["--mc-token-file", &token]);
    });
    follower.decides_by(first).await;

    sim.set_bearer(Some("second-canary-mc-4f1d"));
    let second = sim.publish_signed(PACK_ID, samples::v1(2), &desk.signer).unwrap();
    assert!(
        sim.wait_until(PATIENCE, |requests| requests.count(Endpoint::Pack, 401) > 0)
            .await
    );
    let status = follower
        .status("the refusal", |status| status["last_poll"]["outcome"] == "failed")
        .await;
    assert_eq!(
        status["active"]["digest"],
        first.to_string(),
        "the last good pack goes on deciding"
    );

    // As Kubernetes does it: a new file in the place of the old one.
    let fresh = desk.put("token.new", "second-canary-mc-4f1d\n");
    std::fs::rename(fresh, token).unwrap();
    follower.decides_by(second).await;
    follower.stops();
}

#[tokio::test]
async fn refresh_polls_at_once_for_whoever_has_the_token() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    let first = sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
    let mut follower = Follower::start(&desk, &sim, |command| {
        command.args(["--poll-interval-ms", "3600000"]);
    });
    follower.decides_by(first).await;
    let second = sim.publish_signed(PACK_ID, samples::v1(2), &desk.signer).unwrap();
    let refresh = || follower.http.post(format!("{}/v1/refresh", follower.admin));
    for stranger in [refresh(), refresh().bearer_auth("guessed")] {
        assert_eq!(stranger.send().await.unwrap().status(), 401);
    }
    let (_, token) = CANARIES.iter().find(|(name, _)| *name == "ADMIN_TOKEN").unwrap();
    let answer = refresh().bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["outcome"], "activated");
    assert_eq!(answer["pack"]["digest"], second.to_string());
    follower.decides_by(second).await;
    follower.stops();
}
