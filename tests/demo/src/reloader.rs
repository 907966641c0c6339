//! Owns the policy-reloader that is on stage: the real program, as a process, looked at through its `GET /status`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::asker::PATIENCE;
use crate::child::Child;
use crate::ports::Port;
use crate::stage::Stage;
use crate::text::command_line;

/// Between two looks at the status.
const PACE: Duration = Duration::from_millis(5);
/// The interval at which the reloader on stage asks MC. The program's own default is 15 s; nobody wants to watch that.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// The part of `GET /status` that is told.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Status {
    /// How packs are activated.
    pub(crate) activation: String,
    /// What decides.
    pub(crate) active: Option<Active>,
    /// How long its stages took.
    pub(crate) timings: Option<Timings>,
    /// The last poll.
    pub(crate) last_poll: Option<LastPoll>,
    /// The last refusal.
    pub(crate) last_refusal: Option<Refusal>,
}

/// The pack that decides.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Active {
    /// Its digest.
    pub(crate) digest: String,
    /// Its revision.
    pub(crate) revision: Option<u64>,
    /// Its id.
    pub(crate) id: Option<String>,
    /// Who signed it.
    pub(crate) signer: String,
    /// What was checked of that.
    pub(crate) signature: Signature,
}

/// The report on a signature.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Signature {
    checks: Vec<Check>,
}

#[derive(Debug, Clone, Deserialize)]
struct Check {
    name: String,
    outcome: String,
}

impl Signature {
    /// The names of the checks that were made.
    pub(crate) fn passed(&self) -> Vec<String> {
        let passed = self.checks.iter().filter(|check| check.outcome == "passed");
        passed.map(|check| check.name.replace('_', " ")).collect()
    }
}

/// How long the stages took, milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Timings {
    fetch_ms: f64,
    verify_ms: f64,
    activate_ms: f64,
}

impl Timings {
    /// Fetch, verification, activation.
    pub(crate) fn stages(self) -> [Duration; 3] {
        [self.fetch_ms, self.verify_ms, self.activate_ms].map(|ms| Duration::from_secs_f64((ms / 1e3).max(0.0)))
    }
}

/// The last poll.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LastPoll {
    /// When it ended.
    pub(crate) at: String,
    /// What it came to.
    pub(crate) outcome: String,
    /// What went wrong.
    pub(crate) message: Option<String>,
}

/// A refusal.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Refusal {
    /// The pack.
    pub(crate) digest: Option<String>,
    /// The closed reason.
    pub(crate) reason: String,
    /// The whole message.
    pub(crate) message: String,
}

/// Who decides.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Decides {
    /// The reloader itself, at this address.
    Reloader(SocketAddr),
    /// OPA, which polls the reloader at the second address.
    Opa {
        /// OPA's own address.
        opa: SocketAddr,
        /// Where it polls.
        bundles: SocketAddr,
    },
}

/// The reloader.
pub(crate) struct Reloader {
    child: Child,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    admin: Port,
    http: reqwest::Client,
}

impl Reloader {
    /// Starts it and says so.
    pub(crate) fn start(stage: &mut Stage, name: &str, pack_url: &str, key: &Path, decides: Decides) -> Result<Self> {
        let admin = Port::free()?;
        let log = stage.folder().join(format!("{name}.log"));
        let kept = stage.folder().join(format!("{name}-state"));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut shown = pair("--pack-url", pack_url);
        shown.extend(pair("--trust", "key"));
        shown.extend(pair("--key", &text(key)));
        shown.push("--insecure-ignore-tlog".to_owned());
        match decides {
            Decides::Reloader(listen) => {
                shown.extend(pair("--activation", "embedded"));
                shown.extend(pair("--opa-listen", &listen.to_string()));
            }
            Decides::Opa { opa, bundles } => {
                shown.extend(pair("--opa-url", &format!("http://{opa}")));
                shown.extend(pair("--bundle-listen", &bundles.to_string()));
            }
        }
        shown.extend(pair("--poll-interval-ms", &POLL.as_millis().to_string()));
        shown.extend(pair("--state-dir", &text(&kept)));
        let mut args = shown.clone();
        // What only the demo needs is not part of what a newcomer should remember.
        args.extend(pair("--watch-interval-ms", "200"));
        args.extend(pair("--admin-listen", &admin.address().to_string()));
        args.extend(pair("--log-format", "human"));
        stage
            .tell
            .command(&command_line("policy-reloader", &shown, stage.folder()));
        let program = stage.reloader().to_owned();
        let child = Child::start("policy-reloader", &program, &args, &log)?;
        Ok(Self {
            child,
            program,
            args,
            log,
            admin,
            http: stage.http.clone(),
        })
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()
    }

    /// Starts it again with the same options.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.child = Child::start("policy-reloader", &self.program, &self.args, &self.log)?;
        Ok(())
    }

    async fn status(&self) -> Result<Status> {
        let url = format!("{}/status", self.admin.url());
        let answer = self.http.get(url).send().await.map_err(reqwest::Error::without_url)?;
        Ok(answer
            .error_for_status()
            .map_err(reqwest::Error::without_url)?
            .json()
            .await?)
    }

    /// Waits until the status has what is looked for.
    pub(crate) async fn until<T>(&mut self, what: &str, mut found: impl FnMut(&Status) -> Option<T>) -> Result<T> {
        let limit = Instant::now() + PATIENCE;
        loop {
            self.child.still_runs()?;
            let status = self.status().await;
            if let Some(found) = status.as_ref().ok().and_then(&mut found) {
                return Ok(found);
            }
            if Instant::now() > limit {
                match status {
                    Ok(status) => bail!("{what}: not within {} s; the status was {status:?}", PATIENCE.as_secs()),
                    Err(error) => {
                        return Err(error.context(format!("{what}: GET /status gave nothing for {PATIENCE:?}")));
                    }
                }
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Waits until this pack decides.
    pub(crate) async fn until_active(&mut self, digest: &str) -> Result<(Active, Option<Timings>)> {
        self.until("the pack decides", |status| {
            let active = status.active.as_ref().filter(|active| active.digest == digest)?;
            Some((active.clone(), status.timings))
        })
        .await
    }

    /// Waits until this pack is refused.
    pub(crate) async fn until_refused(&mut self, digest: &str) -> Result<Refusal> {
        let found = self.until("the pack is refused", |status| {
            let refused = status.last_refusal.clone();
            let refused = refused.filter(|refusal| refusal.digest.as_deref() == Some(digest));
            let active = status.active.as_ref().is_some_and(|active| active.digest == digest);
            match (active, refused) {
                (true, _) => Some(Err(anyhow::anyhow!("it was accepted, and decides"))),
                (false, Some(refusal)) => Some(Ok(refusal)),
                (false, None) => None,
            }
        });
        found.await?
    }

    /// Waits until so many more polls have failed; the message of the last.
    pub(crate) async fn until_failed(&mut self, polls: usize) -> Result<String> {
        let mut before = None;
        let mut failed = 0;
        self.until("MC cannot be reached", |status| {
            let poll = status.last_poll.as_ref()?;
            if before.replace(poll.at.clone()).is_some_and(|at| at != poll.at) && poll.outcome == "failed" {
                failed += 1;
            }
            (failed >= polls).then(|| poll.message.clone().unwrap_or_default())
        })
        .await
        .context("waiting for failed polls")
    }
}

fn pair(option: &str, value: &str) -> Vec<String> {
    vec![option.to_owned(), value.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_more_fields_than_are_told() {
        let status: Status = serde_json::from_value(serde_json::json!({
            "state": "steady", "activation": "embedded", "opas": [], "timings": null, "last_poll": null,
            "last_refusal": null, "active": {
                "digest": "sha256:00", "revision": 1, "id": null, "signer": "key sha256:11", "expires": null,
                "signature": {"mode": "key", "checks": [
                    {"name": "log_entry", "outcome": "passed"}, {"name": "sct", "outcome": "not_checked", "why": "no"},
                ]},
            },
        }))
        .unwrap();
        assert_eq!(status.active.unwrap().signature.passed(), ["log entry"]);
    }
}
