//! Options of `serve`.

use clap::Args;

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {}
