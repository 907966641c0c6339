//! Owns the command line: every option with its variable, one file a group, and nothing else.

#![allow(
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    reason = "the comments on options are the text of --help, where markup would be noise"
)]

pub mod database;
pub mod erase;
pub mod hold;
pub mod keys;
pub mod limits;
pub mod policy;
pub mod receipts;
pub mod report;
pub mod run;

use clap::{Parser, Subcommand};

pub use erase::EraseArgs;
pub use hold::HoldCommand;
pub use receipts::ReceiptsCommand;
pub use run::{ApplyArgs, InitArgs, LintArgs, PlanArgs, RunArgs, SchemaArgs, StatusArgs};

/// Deletes and anonymises what the retention policy says is due, carries out erasure requests, and proves it.
///
/// Without a command it does what `run` does. `plan` first, if in doubt: it reads and touches nothing.
#[derive(Debug, Parser)]
#[command(name = "retention-job", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `run`.
    #[command(flatten)]
    pub run: Box<RunArgs>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan, apply, verify, write the receipt (the default)
    Run(Box<RunArgs>),
    /// Show what a run would do, and its digest; read-only
    Plan(Box<PlanArgs>),
    /// Do what a plan showed, although a guard refuses it
    Apply(Box<ApplyArgs>),
    /// Erase everything of one subject now (right to be forgotten)
    Erase(Box<EraseArgs>),
    /// Keep rows from being touched, whatever the policy says
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Verify, export and sign receipts
    #[command(subcommand)]
    Receipts(ReceiptsCommand),
    /// Create the tool's own schema `retention` in the database
    Init(InitArgs),
    /// Hold the policy against the database's catalog; read-only
    Lint(Box<LintArgs>),
    /// Show the last runs, holds and open erasures
    Status(StatusArgs),
    /// Print the JSON Schema of the policy
    Schema(SchemaArgs),
}
