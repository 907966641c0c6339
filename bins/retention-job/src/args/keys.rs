//! Options for keys: the receipts' signature, HMACs, and the ledger of erased subjects.

use clap::Args;
use runtime::Secret;
use std::path::PathBuf;

/// Keys and what they protect.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Proof and keys")]
pub struct KeyArgs {
    /// Ed25519 private key (PEM, PKCS#8) that signs receipts; `retention-job receipts keygen` makes one
    #[arg(long, env = "RETENTION_SIGNING_KEY_FILE", value_name = "FILE")]
    pub signing_key_file: Option<PathBuf>,
    /// Folder that gets a copy of each receipt, outside the database
    #[arg(long, env = "RETENTION_RECEIPT_DIR", value_name = "DIR")]
    pub receipt_dir: Option<PathBuf>,
    /// Key of `hmac` columns; at least 16 characters
    #[arg(long, env = "RETENTION_HMAC_KEY", value_name = "KEY", hide_env_values = true)]
    pub hmac_key: Option<Secret>,
    /// File with that key
    #[arg(
        long,
        env = "RETENTION_HMAC_KEY_FILE",
        value_name = "FILE",
        conflicts_with = "hmac_key"
    )]
    pub hmac_key_file: Option<PathBuf>,
    /// Ledger of erased subjects, kept outside the governed database: a file, or postgres://... of a second database.
    /// After a restore from a backup, its subjects are erased again
    #[arg(long, env = "RETENTION_LEDGER", value_name = "FILE|URL", hide_env_values = true)]
    pub ledger: Option<Secret>,
    /// Key of the ledger, which holds no subject in clear; at least 16 characters
    #[arg(long, env = "RETENTION_LEDGER_KEY", value_name = "KEY", hide_env_values = true)]
    pub ledger_key: Option<Secret>,
    /// File with that key
    #[arg(
        long,
        env = "RETENTION_LEDGER_KEY_FILE",
        value_name = "FILE",
        conflicts_with = "ledger_key"
    )]
    pub ledger_key_file: Option<PathBuf>,
}
