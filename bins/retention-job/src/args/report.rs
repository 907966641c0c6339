//! Options for what is seen of a run: progress, metrics, the last line.

use clap::{Args, ValueEnum};
use runtime::Secret;
use runtime::args::{LogArgs, OutputArgs};
use std::path::PathBuf;

/// What is seen of a run.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct ReportArgs {
    /// Prometheus Pushgateway that gets the run's metrics
    #[arg(long, env = "PUSHGATEWAY_URL", value_name = "URL", hide_env_values = true)]
    pub push_url: Option<String>,
    /// Bearer token for it
    #[arg(long, env = "PUSHGATEWAY_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub push_token: Option<Secret>,
    /// File with that token
    #[arg(
        long,
        env = "PUSHGATEWAY_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "push_token"
    )]
    pub push_token_file: Option<PathBuf>,
    /// Label `job` of those metrics
    #[arg(
        long,
        env = "RETENTION_PUSH_JOB",
        value_name = "NAME",
        default_value = "retention-job"
    )]
    pub push_job: String,
    /// Label `service` of those metrics
    #[arg(long, env = "SERVICE", value_name = "NAME")]
    pub push_service: Option<String>,
    /// Label `environment` of those metrics
    #[arg(long, env = "ENVIRONMENT", value_name = "NAME")]
    pub push_environment: Option<String>,
    /// What is seen during the run on stderr: auto (a display on a terminal, nothing otherwise), always, never
    #[arg(long, env = "RETENTION_PROGRESS", value_name = "WHEN", value_enum, default_value_t = ProgressArg::Auto, hide_possible_values = true)]
    pub progress: ProgressArg,
    /// The result on stdout.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What is seen during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressArg {
    /// A display on a terminal, nothing otherwise.
    #[default]
    Auto,
    /// The display.
    Always,
    /// Nothing.
    Never,
}
