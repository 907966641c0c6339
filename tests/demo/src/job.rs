//! Owns the retention-job that is on stage: the real program, run to its end, and what it said.

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
    /// The promise: this exit code.
    pub(crate) fn expect(&self, code: i32) -> Result<()> {
        ensure!(
            self.code == code,
            "expected exit code {code}, found {}: {}",
            self.code,
            self.error.as_deref().unwrap_or_default()
        );
        Ok(())
    }

    /// A figure of a rule, by the rule's name.
    pub(crate) fn of_rule(&self, rule: &str, figure: &str) -> Option<u64> {
        self.said["rules"]
            .as_array()?
            .iter()
            .find(|said| said["rule"] == rule)?[figure]
            .as_u64()
    }
}

/// Runs it with a clean environment, tells its command line first, and waits for its end. `hidden` are options that only
/// the demo needs.
pub(crate) async fn run(stage: &mut Stage, args: &[&str], hidden: &[&str]) -> Result<Ended> {
    let told: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let words = command_line("retention-job", &told, stage.folder());
    stage.tell.command(&words);
    stage.jobs += 1;
    let file = |kind: &str| stage.folder().join(format!("retention-job-{}.{kind}", stage.jobs));
    let all = args.iter().chain(hidden);
    let done = child::to_its_end("retention-job", stage.retention_job(), all, &file("json"), &file("log")).await?;
    let said = match done.out.trim() {
        "" => Value::Null,
        // `keygen` speaks to people.
        line if !line.starts_with('{') => Value::Null,
        line => serde_json::from_str(line).context("retention-job's stdout is not one JSON line")?,
    };
    Ok(Ended {
        code: done.code,
        said,
        error: done.error(),
        took: done.took,
    })
}
