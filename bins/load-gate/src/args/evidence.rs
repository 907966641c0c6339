//! Options of `evidence`.

use clap::Args;

/// Options of `evidence`.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArgs {}
