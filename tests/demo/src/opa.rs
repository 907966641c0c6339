//! Owns the real Open Policy Agent that is on stage, when there is one on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tools::{Missing, Tool, Toolbox};

use crate::asker::PATIENCE;
use crate::child::Child;
use crate::ports::Port;
use crate::stage::Stage;

/// Between two looks at an OPA that is starting.
const PACE: Duration = Duration::from_millis(5);

/// Looks for `opa` on PATH and in `.tools/bin`. Nothing is installed, and nothing is said about it.
pub(crate) fn find() -> Result<PathBuf, Missing> {
    let quiet = Toolbox {
        report: |_| {},
        ..Toolbox::of_this_repo()
    };
    quiet.find(Tool::Opa)
}

/// The version that an `opa` says it has.
pub(crate) fn version(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
    Ok(version.context("`opa version` names no version")?.trim().to_owned())
}

/// An OPA in bundle mode.
pub(crate) struct Opa {
    child: Child,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    port: Port,
}

impl Opa {
    /// Starts it with the configuration that `policy-reloader opa-config` prints, and says so.
    pub(crate) fn start(stage: &mut Stage, program: &Path, bundles: &str) -> Result<Self> {
        let config = stage.folder().join("opa.yaml");
        let output = Command::new(stage.reloader())
            .args(["opa-config", "--bundle-url", bundles])
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .context("starting policy-reloader opa-config")?;
        ensure!(
            output.status.success(),
            "`policy-reloader opa-config` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        std::fs::write(&config, &output.stdout).with_context(|| format!("writing {}", config.display()))?;
        let port = Port::free()?;
        let words = |text: &[&str]| text.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
        let redirected = format!("--bundle-url {bundles} > $DEMO/opa.yaml");
        stage.tell.command(&words(&["policy-reloader opa-config", &redirected]));
        let address = port.address().to_string();
        let shown = format!("--addr {address}");
        stage
            .tell
            .command(&words(&["opa run --server", &shown, "--config-file $DEMO/opa.yaml"]));
        let path = config.to_string_lossy().into_owned();
        let args = words(&[
            "run",
            "--server",
            "--addr",
            &address,
            "--config-file",
            &path,
            "--skip-version-check",
            "--log-level",
            "error",
        ]);
        let log = stage.folder().join("opa.log");
        Ok(Self {
            child: Child::start("opa", program, &args, &log)?,
            program: program.to_owned(),
            args,
            log,
            port,
        })
    }

    /// Waits until it answers at all.
    pub(crate) async fn until_alive(&mut self, http: &reqwest::Client) -> Result<()> {
        let url = format!("{}/health", self.port.url());
        let limit = Instant::now() + PATIENCE;
        loop {
            self.child.still_runs()?;
            if http
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            ensure!(
                Instant::now() < limit,
                "OPA does not answer within {} s",
                PATIENCE.as_secs()
            );
            tokio::time::sleep(PACE).await;
        }
    }

    /// Where it answers.
    pub(crate) fn port(&self) -> &Port {
        &self.port
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()
    }

    /// Starts it again; it remembers nothing.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.child = Child::start("opa", &self.program, &self.args, &self.log)?;
        Ok(())
    }
}
