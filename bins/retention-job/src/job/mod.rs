//! A run, step by step.
//!
//! ```text
//! ground (database, catalog) -> prepare (resolve, survey, strategies, guards) -> carry_out (engine) -> close (receipt)
//! ```

pub(crate) mod carry_out;
pub(crate) mod close;
pub(crate) mod prepare;
pub(crate) mod receipt_dir;
pub(crate) mod remains;
pub(crate) mod subjects;
