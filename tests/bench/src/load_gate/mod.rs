//! Owns the benches of load-gate, beside oha, wrk and k6, each against the same target (`tests/load-target`).
//!
//! The target runs in this process, on a thread of its own, and keeps the log that reports are compared with. Tools take
//! turns within each round, so that whatever else the machine does meets all of them alike.

pub(crate) mod ceiling;
pub(crate) mod child;
pub(crate) mod cost;
pub(crate) mod start;
pub(crate) mod table;
mod tool;
pub(crate) mod truth;
