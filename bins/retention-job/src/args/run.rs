//! Options of `run`, `plan`, `apply`, `init`, `lint`, `status` and `schema`.

use super::database::DatabaseArgs;
use super::keys::KeyArgs;
use super::limits::LimitArgs;
use super::policy::PolicyArgs;
use super::report::ReportArgs;
use clap::Args;
use runtime::args::{LogArgs, OutputArgs};

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Budgets.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Keys.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// What is seen of it.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Options of `apply`.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    /// The digest that `plan` showed; at most a day old
    #[arg(long, value_name = "DIGEST", env = "RETENTION_PLAN")]
    pub plan: String,
    /// Everything else is as for `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Options of `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Keys.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Options of `lint`.
#[derive(Debug, Clone, Args)]
pub struct LintArgs {
    /// As for `plan`.
    #[command(flatten)]
    pub plan: PlanArgs,
}

/// Options of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Print the SQL instead of running it, for somebody who may
    #[arg(long)]
    pub print: bool,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Options of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// How many runs
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub last: u32,
    /// The database.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Options of `schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {}
