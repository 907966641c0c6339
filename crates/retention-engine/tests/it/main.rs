//! The engine against a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod ahead;
mod budgets;
mod children;
mod holds;
mod hot_passes;
mod keyset;
mod locks;
mod lost;
mod noted;
mod partition;
mod partition_checked;
mod proxy;
mod sweeps;
mod tid_range;
mod world;
