//! Options of `erase`.

use super::run::RunArgs;
use clap::Args;
use runtime::Secret;
use std::path::PathBuf;

/// Options of `erase`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct EraseArgs {
    /// The subject's key, as the policy's erasure.subject.key column has it; may be given several times
    #[arg(long, value_name = "KEY", required_unless_present = "subjects_file")]
    pub subject: Vec<Secret>,
    /// File with one subject's key a line, so that no key is in the process list
    #[arg(long, value_name = "FILE")]
    pub subjects_file: Option<PathBuf>,
    /// Everything else is as for `run`.
    #[command(flatten)]
    pub run: RunArgs,
}
