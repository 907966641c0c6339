//! Owns a real OPA process: with or without bundles, and what is asked of it.

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

pub(crate) struct Opa {
    pub(crate) process: Running,
    pub(crate) address: SocketAddr,
}

impl Opa {
    /// Starts one that answers; `bundles_from` is the reloader's bundle port.
    pub(crate) fn start(setup: &Setup, folder: &Path, bundles_from: Option<SocketAddr>) -> anyhow::Result<Self> {
        let [address] = free_addresses()?;
        let mut command = Command::new(&setup.opa);
        command
            .args([
                "run",
                "--server",
                "--log-level",
                "error",
                "--disable-telemetry",
                "--addr",
            ])
            .arg(address.to_string());
        if let Some(from) = bundles_from {
            let printed = Command::new(&setup.reloader)
                .args(["opa-config", "--bundle-url", &format!("http://{from}")])
                .output()
                .context("asking the reloader for OPA's configuration")?;
            let file = folder.join("opa.yaml");
            std::fs::write(&file, printed.stdout).context("writing OPA's configuration")?;
            command.arg("--config-file").arg(file);
        }
        let mut process = Running::start("opa", &mut command, &folder.join(format!("opa-{}.log", address.port())))?;
        let mut connection = Connection::new(address)?;
        process.wait_until(Duration::from_millis(20), || {
            Ok(connection.get("/health")?.status == 200)
        })?;
        Ok(Self { process, address })
    }

    pub(crate) fn version(setup: &Setup) -> anyhow::Result<String> {
        let output = Command::new(&setup.opa)
            .arg("version")
            .output()
            .context("running opa version")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.lines().next().unwrap_or_default();
        Ok(version.trim_start_matches("Version: ").to_owned())
    }
}

/// The three revisions of an answer of the sample policy; equal, or the answer is torn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revisions([Option<u64>; 3]);

impl Revisions {
    /// From `revisions` of a decision.
    pub(crate) fn of(value: &Value) -> Self {
        Self(["policy", "data", "purpose_tags"].map(|part| value.get(part).and_then(Value::as_u64)))
    }

    /// The revision that all parts agree on.
    pub(crate) fn agreed(self) -> Option<u64> {
        let [policy, data, tags] = self.0;
        policy.filter(|_| policy == data && data == tags)
    }
}

/// Asks once a millisecond until decisions are of `revision`; gives the moment of that answer.
pub(crate) fn wait_for_decision(opa: &mut Connection, revision: u64) -> anyhow::Result<Instant> {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = opa.get(&format!("/v1/data/{}", mc_sim::samples::REVISIONS))?.ok()?;
        let body = answer.json()?;
        let now = Instant::now();
        if body.get("result").map(Revisions::of).and_then(Revisions::agreed) == Some(revision) {
            return Ok(now);
        }
        if now > until {
            bail!("revision {revision} did not come to decide; the last answer was {body}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::Revisions;
    use serde_json::json;

    #[test]
    fn revisions_agree_or_the_answer_is_torn() {
        let whole = json!({"policy": 3, "data": 3, "purpose_tags": 3});
        assert_eq!(Revisions::of(&whole).agreed(), Some(3));
        for torn in [
            json!({"policy": 4, "data": 3, "purpose_tags": 3}),
            json!({"policy": 3, "data": 3, "purpose_tags": null}),
            json!({}),
        ] {
            assert_eq!(Revisions::of(&torn).agreed(), None, "{torn}");
        }
    }
}
