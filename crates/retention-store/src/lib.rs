//! The tool's own schema in the governed database: runs, audit rows, holds, erasures, receipts, and the gate that
//! batches pass.
//!
//! **The gate.** Every batch is one transaction that begins by taking [`gate::GATE`] shared and then reads the one row
//! of `retention.gate`. Whoever places or releases a hold (a trigger sees to it, so also by hand), or begins a run, takes
//! the same lock exclusively. So when `hold add` returns, every batch that did not know of the hold has committed, and none
//! that begins later can miss it; and a run that was replaced by a newer one finds another fence and stops.
//!
//! **Transactions.** Functions that say "in a transaction of its own" begin and end one, and roll back on errors. All
//! others are one statement (or read only) and take part in the caller's transaction.
//!
//! | module | owns |
//! |---|---|
//! | [`init`] | the layout: is it there, may we make it, is it ours |
//! | [`gate`] | the gate |
//! | [`lock`] | the lock of the run |
//! | [`run`] | runs: begin, one at a time, interrupted ones, the closing transaction |
//! | [`progress`] | last cutoffs, and where sweeps stopped |
//! | [`audit`] | audit rows: append, read back, export |
//! | [`hold`] | holds |
//! | [`erasure`] | requests of single subjects, the position in the external ledger |
//! | [`receipt`] | receipts |
//! | [`detaching`] | partitions on their way out |

pub mod audit;
pub mod detaching;
pub mod erasure;
pub mod gate;
pub mod hold;
pub mod init;
pub mod lock;
pub mod progress;
pub mod receipt;
pub mod run;

pub use gate::Gate;
pub use hold::Hold;
pub use init::{Layout, ensure, inspect};
pub use run::{Run, RunError};

use pg_session::{DbError, Kind};

/// The statements of `init`; each may run again.
pub const LAYOUT_SQL: &str = include_str!("layout.sql");
/// What this program understands.
pub const LAYOUT: i32 = 1;

/// Something in our own tables that we never write.
pub(crate) fn odd(message: String) -> DbError {
    DbError::new(Kind::Other, message)
}

/// A count; the layout's checks keep it from being negative.
pub(crate) fn unsigned(number: i64) -> Result<u64, DbError> {
    u64::try_from(number).map_err(|_| odd(format!("a count in the schema retention is {number}")))
}
