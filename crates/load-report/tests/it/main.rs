//! Everything that is rendered, as a reader gets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod properties;
mod reading;
mod snapshots;
#[path = "../support/mod.rs"]
mod support;
