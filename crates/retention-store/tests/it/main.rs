//! The tool's own schema, on a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod audit;
mod erasures;
mod holds;
mod layout;
mod runs;
mod support;
mod trips;
