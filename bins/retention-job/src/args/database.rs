//! Options for the database.

use clap::Args;
use runtime::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// Where the governed database is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseArgs {
    /// postgres://user:password@host:5432/database?sslmode=verify-full; a direct connection, not a transaction pooler
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// File with that address
    #[arg(
        long,
        env = "DATABASE_URL_FILE",
        value_name = "FILE",
        conflicts_with = "database_url"
    )]
    pub database_url_file: Option<PathBuf>,
    /// How long to go on trying while the database cannot be reached; 0 tries once
    #[arg(long, env = "RETENTION_CONNECT_RETRY", value_name = "DURATION", default_value = "0", value_parser = runtime::args::duration)]
    pub connect_retry: Duration,
}
