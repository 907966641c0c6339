//! Options of `receipts`.

use super::database::DatabaseArgs;
use clap::{Args, Subcommand};
use runtime::args::{LogArgs, OutputArgs};
use std::path::PathBuf;

/// What to do with receipts.
#[derive(Debug, Clone, Subcommand)]
pub enum ReceiptsCommand {
    /// Verify receipts offline: signatures, chain, audit rows
    Verify(VerifyArgs),
    /// Write the database's receipts and audit rows to a folder
    Export(ExportArgs),
    /// Make a key pair for receipts
    Keygen(KeygenArgs),
}

/// Options of `receipts verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Folder with receipts (and audit.jsonl), or one file
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Public key (PEM) of the signer
    #[arg(long, env = "RETENTION_VERIFY_KEY_FILE", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Accept receipts that nobody signed
    #[arg(long)]
    pub allow_unsigned: bool,
    /// SHA-256 of the newest receipt, as `run` printed it: without it a cut tail of receipts cannot be seen
    #[arg(long, value_name = "SHA256")]
    pub expect_head: Option<String>,
    /// Exported audit rows; default: audit.jsonl in the folder, if it is there
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Options of `receipts export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The folder; it is made
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
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

/// Options of `receipts keygen`.
#[derive(Debug, Clone, Args)]
pub struct KeygenArgs {
    /// Where the private key goes; the public one gets .pub added
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}
