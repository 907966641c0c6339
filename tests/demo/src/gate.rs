//! Owns the load-gate that is on stage: the real program, run to its end, and what it said.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::child;
use crate::stage::Stage;
use crate::text::command_line;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: i32,
    /// The JSON line; `null` where there was none.
    pub(crate) said: Value,
    /// What stands after `error: `, if it ended with one.
    pub(crate) error: Option<String>,
    /// From its start to its end.
    pub(crate) took: Duration,
}

impl Ended {
    /// `PASS (exit code 0)`.
    pub(crate) fn verdict(&self) -> String {
        let verdict = self.said["verdict"].as_str().unwrap_or("no verdict");
        format!("{verdict} (exit code {})", self.code)
    }

    /// Why, in its own words.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.said["reasons"].as_array().into_iter().flatten();
        reasons
            .filter_map(|reason| reason.as_str().map(str::to_owned))
            .collect()
    }

    /// The promise: this exit code, with the verdict that belongs to it.
    pub(crate) fn expect(&self, code: i32, verdict: &str) -> Result<()> {
        let found = self.said["verdict"].as_str().unwrap_or("none");
        ensure!(
            (self.code, found) == (code, verdict),
            "expected exit code {code} with the verdict {verdict}, found {} with {found}: {:?} {}",
            self.code,
            self.reasons(),
            self.error.as_deref().unwrap_or_default(),
        );
        // Whoever reads only `ok` must come to the same.
        ensure!(
            (self.said["ok"] == true) == (code == 0),
            "exit code {code} beside ok: {}",
            self.said["ok"]
        );
        Ok(())
    }
}

/// Runs it with a clean environment, tells its command line first, and waits for its end. `as_before` are options that
/// were told before, `hidden` those that only the demo needs.
pub(crate) async fn run(stage: &mut Stage, args: &[&str], as_before: &[&str], hidden: &[&str]) -> Result<Ended> {
    let told: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let mut words = command_line("load-gate", &told, stage.folder());
    if !as_before.is_empty() {
        words.push("... as before".to_owned());
    }
    stage.tell.command(&words);
    stage.gates += 1;
    let file = |kind: &str| stage.folder().join(format!("load-gate-{}.{kind}", stage.gates));
    let all = args
        .iter()
        .chain(as_before)
        .chain(hidden)
        .chain(&["--output", "json", "--log-format", "human"]);
    let done = child::to_its_end("load-gate", stage.load_gate(), all, &file("json"), &file("log")).await?;
    let said = match done.out.trim() {
        "" => Value::Null,
        line => serde_json::from_str(line).context("load-gate's stdout is not one JSON line")?,
    };
    Ok(Ended {
        code: done.code,
        said,
        error: done.error(),
        took: done.took,
    })
}
