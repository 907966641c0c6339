//! What the tests of every binary share.
//!
//! * [`command`], [`run`] and [`Running`]: a program with an environment of its own, whose output is read all the time,
//!   that is never waited for without an end, and that never outlives its test.
//! * [`built`]: a program of another package.
//! * [`Nobody`] and [`free_port`]: addresses.
//! * [`env_example::check`]: `env.example` and the command line know the same variables and defaults.
//! * [`pushgateway::Pushgateway`]: a real one, and what it holds.
//!
//! A test's path to its program is known only where the test is compiled, so each binary's tests have a short function:
//!
//! ```no_run
//! # let program = "some-program";
//! // In a real test: `env!("CARGO_BIN_EXE_some-program")`.
//! let ended = program::run(program::command(program, ["--output", "json"]).env("TOKEN", "canary"));
//! assert_eq!(ended.code, Some(0));
//! assert_eq!(ended.json()["verdict"], "PASS");
//! ```
//!
//! Everything here panics with the program's own words when something is wrong: it is for tests only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test helper: its panics are the test's failures"
)]

mod address;
mod built;
pub mod env_example;
mod process;
pub mod pushgateway;

pub use address::{Nobody, free_port};
pub use built::built;
pub use process::{Ended, Running, Signal, command, run};
