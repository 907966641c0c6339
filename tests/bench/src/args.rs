//! Owns the command line, and what it sets for every bench.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};

/// Measures the policy reloader and load-gate beside their peers.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub(crate) struct Args {
    /// Which benches; all when none is named
    #[arg(value_enum)]
    benches: Vec<Bench>,
    /// Rounds of each bench; figures are medians over rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Fewer and shorter rounds, to see that everything works: the figures mean little
    #[arg(long)]
    quick: bool,
    /// Print the results as one JSON line instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// The release binary to measure
    #[arg(long, env = "POLICY_RELOADER", value_name = "FILE")]
    policy_reloader: PathBuf,
    /// The release binary of load-gate; the benches whose names begin with `load` need it
    #[arg(long, env = "LOAD_GATE", value_name = "FILE")]
    load_gate: Option<PathBuf>,
    /// The release binary of retention-job; the benches whose names begin with `retention` need it
    #[arg(long, env = "RETENTION_JOB", value_name = "FILE")]
    retention_job: Option<PathBuf>,
    /// Rows of the tables that retention-job works on
    #[arg(long, default_value_t = 3_000_000)]
    retention_rows: u64,
    /// Rounds of `retention-delete` in which the psql loops, and `--nice-ratio 1`, take part; all, if not given. Two of the
    /// loops are quadratic: on 30 million rows they take a minute each
    #[arg(long, value_name = "ROUNDS")]
    retention_loops: Option<u32>,
    /// Rounds of `retention-anonymise` in which the table whose columns an index covers takes part; all, if not given. On 30
    /// million rows it is half of an hour
    #[arg(long, value_name = "ROUNDS")]
    retention_covered: Option<u32>,
}

/// The benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    Size,
    Poll,
    Memory,
    Publish,
    Swaps,
    SwapsLarge,
    LoadStart,
    LoadCost,
    LoadCeiling,
    LoadTruth,
    RetentionDelete,
    RetentionAnonymise,
}

impl Bench {
    const ALL: [Self; 12] = [
        Self::Size,
        Self::Poll,
        Self::Memory,
        Self::Publish,
        Self::Swaps,
        Self::SwapsLarge,
        Self::LoadStart,
        Self::LoadCost,
        Self::LoadCeiling,
        Self::LoadTruth,
        Self::RetentionDelete,
        Self::RetentionAnonymise,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Poll => "poll",
            Self::Memory => "memory",
            Self::Publish => "publish",
            Self::Swaps => "swaps",
            Self::SwapsLarge => "swaps-large",
            Self::LoadStart => "load-start",
            Self::LoadCost => "load-cost",
            Self::LoadCeiling => "load-ceiling",
            Self::LoadTruth => "load-truth",
            Self::RetentionDelete => "retention-delete",
            Self::RetentionAnonymise => "retention-anonymise",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Size => "the static binary and its start",
            Self::Poll => "what a poll costs when nothing changed",
            Self::Memory => "resident memory, idle and with 1,000,000 data entries",
            Self::Publish => "from MC's publication to the changed decision",
            Self::Swaps => "torn answers and latency, 1 module, 10 swaps/s, 1,000 queries/s",
            Self::SwapsLarge => "torn answers and latency, 11 modules, a swap every 2 s, 500 queries/s",
            Self::LoadStart => "load-gate's static binary and its start",
            Self::LoadCost => "processor time, memory and send lag of load tools at 50, 1,000 and 10,000 requests/s",
            Self::LoadCeiling => "requests a second that load tools make on one core",
            Self::LoadTruth => "p95 and p99 as load tools report them, against the target's own log",
            Self::RetentionDelete => "a backlog deleted beside a writer, against one DELETE and loops of statements",
            Self::RetentionAnonymise => "columns made NULL beside a writer, against one UPDATE",
        }
    }
}

/// What every bench needs to know.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) reloader: PathBuf,
    pub(crate) opa: PathBuf,
    pub(crate) load_gate: Option<PathBuf>,
    pub(crate) retention_job: Option<PathBuf>,
    pub(crate) retention_rows: u64,
    /// Rounds in which the psql loops, and `--nice-ratio 1`, take part.
    pub(crate) retention_loops: u32,
    /// Rounds in which the table whose columns an index covers takes part.
    pub(crate) retention_covered: u32,
    pub(crate) rounds: u32,
    pub(crate) quick: bool,
}

impl Setup {
    /// One of two values.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

impl Args {
    pub(crate) fn chosen(&self) -> Vec<Bench> {
        if self.benches.is_empty() {
            Bench::ALL.to_vec()
        } else {
            self.benches.clone()
        }
    }

    pub(crate) fn setup(&self) -> anyhow::Result<Setup> {
        let reloader = self.policy_reloader.clone();
        ensure!(
            reloader.is_file(),
            "{} is no file; `make build` makes the release binary (--policy-reloader)",
            reloader.display()
        );
        Ok(Setup {
            reloader: reloader.canonicalize().context("finding the release binary")?,
            opa: tools::opa().context("a real OPA is needed; `make tools` installs it")?,
            load_gate: found(self.load_gate.as_ref())?,
            retention_job: found(self.retention_job.as_ref())?,
            retention_rows: self.retention_rows,
            retention_loops: self.retention_loops.unwrap_or(u32::MAX),
            retention_covered: self.retention_covered.unwrap_or(u32::MAX),
            rounds: if self.quick { 1 } else { self.rounds },
            quick: self.quick,
        })
    }
}

fn found(file: Option<&PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    file.map(|file| {
        file.canonicalize()
            .with_context(|| format!("finding {}", file.display()))
    })
    .transpose()
}
