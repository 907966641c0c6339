//! The harness for tests of `retention-job` under faults: the program as a process, real servers, a proxy that cuts
//! connections.
//!
//! * [`binary`]: the program, built here.
//! * [`World`]: a server with a database, a folder, keys; commands of the program on it; what the database holds.
//! * [`Session`]: a connection for looking, and for holding locks.
//! * [`proxy::Proxy`]: between the program and the server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test helper: its panics are the test's failures"
)]

pub mod binary;
mod proof;
pub mod proxy;
mod world;

pub use world::{Session, World};
