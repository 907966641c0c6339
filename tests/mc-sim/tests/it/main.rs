//! The simulator against the contract: what a plain HTTP client sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod binary;
mod contract;
mod control;
mod faults;
mod graphql;
mod lifecycle;
mod samples;
mod support;
