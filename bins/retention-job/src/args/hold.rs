//! Options of `hold`.

use super::database::DatabaseArgs;
use clap::{Args, Subcommand};
use runtime::args::{LogArgs, OutputArgs};

/// What to do with holds.
#[derive(Debug, Clone, Subcommand)]
pub enum HoldCommand {
    /// Place a hold; when the command returns, no later batch touches the rows
    Add(HoldAddArgs),
    /// List holds
    List(HoldListArgs),
    /// Release a hold
    Release(HoldReleaseArgs),
}

/// Options of `hold add`.
#[derive(Debug, Clone, Args)]
pub struct HoldAddArgs {
    /// Everything of this subject (its key)
    #[arg(long, value_name = "KEY", conflicts_with_all = ["table", "column", "value"], required_unless_present = "table")]
    pub subject: Option<String>,
    /// Rows of this table (schema.name) ...
    #[arg(long, value_name = "TABLE", requires_all = ["column", "value"])]
    pub table: Option<String>,
    /// ... whose column ...
    #[arg(long, value_name = "COLUMN", requires = "table")]
    pub column: Option<String>,
    /// ... has this value, as PostgreSQL prints it
    #[arg(long, value_name = "VALUE", requires = "table")]
    pub value: Option<String>,
    /// Why: a case number, for example
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who places it; default: the database user
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// The database and how the result looks.
    #[command(flatten)]
    pub common: HoldCommonArgs,
}

/// Options of `hold list`.
#[derive(Debug, Clone, Args)]
pub struct HoldListArgs {
    /// Released ones too
    #[arg(long)]
    pub all: bool,
    /// The database and how the result looks.
    #[command(flatten)]
    pub common: HoldCommonArgs,
}

/// Options of `hold release`.
#[derive(Debug, Clone, Args)]
pub struct HoldReleaseArgs {
    /// The hold's number
    #[arg(value_name = "ID")]
    pub id: i64,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who releases it; default: the database user
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// The database and how the result looks.
    #[command(flatten)]
    pub common: HoldCommonArgs,
}

/// What all of them take.
#[derive(Debug, Clone, Args)]
pub struct HoldCommonArgs {
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
