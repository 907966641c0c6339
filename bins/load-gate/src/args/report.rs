//! Options of `report`, `compare` and `merge`.

use clap::Args;

/// Options of `report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {}

/// Options of `compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {}

/// Options of `merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {}
