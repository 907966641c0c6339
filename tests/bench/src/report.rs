//! Owns the results: shown as they come, kept as JSON in `tests/bench/out`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use runtime::style::Palette;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{args::Setup, opa::Opa};

/// A promise and what was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    what: String,
    at_most: f64,
    measured: f64,
    unit: &'static str,
    met: bool,
}

impl Target {
    pub(crate) fn new(what: impl Into<String>, at_most: f64, measured: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            at_most,
            measured,
            unit,
            met: measured <= at_most,
        }
    }
}

/// What a bench came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For programs.
    pub(crate) figures: Value,
    /// For people.
    pub(crate) text: String,
    pub(crate) targets: Vec<Target>,
}

/// All results of a run.
pub(crate) struct Report {
    results: Map<String, Value>,
    targets: Vec<Target>,
    out: PathBuf,
    file: String,
}

impl Report {
    pub(crate) fn new(setup: &Setup) -> anyhow::Result<Self> {
        let started = jiff::Timestamp::now();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let machine = json!({
            "started": started,
            "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            "cpu_model": cpu_model(),
            "kernel": kernel.trim(),
            "load_before": load.trim(),
            "opa": Opa::version(setup)?,
            "rounds": setup.rounds,
            "quick": setup.quick,
        });
        progress(&format!("machine: {machine}"));
        let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("out");
        std::fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;
        let mut results = Map::new();
        results.insert("machine".to_owned(), machine);
        Ok(Self {
            results,
            targets: Vec::new(),
            out,
            file: format!("{}.json", started.strftime("%Y%m%dT%H%M%SZ")),
        })
    }

    /// Shows a bench's outcome and keeps it, also for when a later one fails.
    pub(crate) fn add(&mut self, name: &str, outcome: Outcome) -> anyhow::Result<()> {
        progress(&outcome.text);
        for target in &outcome.targets {
            progress(&line(target));
        }
        let mut figures = outcome.figures;
        figures["targets"] = json!(outcome.targets);
        self.results.insert(name.to_owned(), figures);
        self.targets.extend(outcome.targets);
        let text = serde_json::to_string_pretty(&self.results).context("writing the results")?;
        for file in [self.file.as_str(), "latest.json"] {
            std::fs::write(self.out.join(file), &text).context("writing the results")?;
        }
        Ok(())
    }

    pub(crate) fn finish(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return runtime::output::final_line(&self.results).context("writing to stdout");
        }
        let met = self.targets.iter().filter(|target| target.met).count();
        let mut text = format!("{met} of {} targets met\n", self.targets.len());
        for target in &self.targets {
            text.push_str(&line(target));
            text.push('\n');
        }
        text.push_str("all figures: tests/bench/out/latest.json");
        runtime::output::human(&text).context("writing to stdout")
    }
}

fn line(target: &Target) -> String {
    let palette = Palette::stderr();
    let verdict = if target.met {
        palette.green("met")
    } else {
        palette.red("missed")
    };
    format!(
        "  {}: {:.2} {unit}, target <= {} {unit}: {verdict}",
        target.what,
        target.measured,
        target.at_most,
        unit = target.unit
    )
}

/// Progress goes to stderr: stdout belongs to the results.
pub(crate) fn progress(text: &str) {
    // A closed stderr is no reason to stop measuring.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(String::new, |rest| rest.trim_start_matches([' ', '\t', ':']).to_owned())
}
