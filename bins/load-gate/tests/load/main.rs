//! `load-gate run` against a target whose own log is the truth: the right verdict and exit code for each way in which a
//! server can behave, and figures within their stated intervals.
//!
//! A test program of its own, because a measurement is disturbed by tests beside it: here they take turns
//! ([`setup::turn`]).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../it/process.rs"]
mod process;
mod setup;

mod connections;
mod faults;
mod latency;
mod plans;
mod protocols;
mod stopping;
mod unreachable;
