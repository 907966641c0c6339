//! Owns the command line: every option with its variable, one file a command, and nothing else.

#![allow(
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "the comments on options are the text of --help, where markup would be noise"
)]

pub mod evidence;
pub mod report;
pub mod run;
pub mod serve;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use evidence::EvidenceArgs;
pub use report::{CompareArgs, MergeArgs, ReportArgs};
pub use run::RunArgs;
pub use serve::ServeArgs;

/// A verdict on latency that can be trusted, in CI and in an Argo analysis.
#[derive(Debug, Parser)]
#[command(name = "load-gate", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send load at given arrival times and judge the latency against thresholds
    Run(Box<RunArgs>),
    /// Ask MC whether the evidence of a release is good
    Evidence(Box<EvidenceArgs>),
    /// Answer Argo's web metric: start or join a run or an evidence check by POST
    Serve(Box<ServeArgs>),
    /// Render a saved result again, or judge it against other thresholds
    Report(ReportArgs),
    /// Compare two saved results: how much faster or slower, with an interval
    Compare(CompareArgs),
    /// Merge the results of several load-gates that ran side by side into one verdict
    Merge(MergeArgs),
    /// Print the JSON Schema of the scenario file or of the result
    Schema(SchemaArgs),
}

/// Options of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which schema
    #[arg(value_enum)]
    pub of: SchemaOf,
}

/// Which schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Scenario file of `run`
    Scenario,
    /// Result document
    Result,
}
