//! Options of `run`.

use clap::Args;

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {}
