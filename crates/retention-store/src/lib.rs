//! The tool's own schema in the governed database: runs, audit rows, holds, erasures, receipts, and the gate that
//! batches pass.
//!
//! **The gate.** Every batch is one transaction that begins by taking [`gate::GATE`] shared and then reads the one row
//! of `retention.gate`. Whoever places or releases a hold, or begins a run, takes the same lock exclusively. So when
//! `hold add` returns, every batch that did not know of the hold has committed, and none that begins later can miss it;
//! and a run that was replaced by a newer one finds another fence and stops.

pub mod audit;
pub mod gate;
pub mod hold;

pub use gate::Gate;
pub use hold::Hold;

/// The statements of `init`; each may run again.
pub const LAYOUT_SQL: &str = include_str!("layout.sql");
/// What this program understands.
pub const LAYOUT: i32 = 1;
