//! The harness for oracle tests of `retention-job`: random databases and policies, a naive model, the program as a process.
//!
//! | module | owns |
//! |---|---|
//! | [`case`] | what a case is made of |
//! | `generate` | random cases; the same seed makes the same case |
//! | `sql`, `policy` | a case as SQL and as a policy |
//! | `model`, `transform`, `time` | what must become of it, computed from the rows alone |
//! | [`server`] | a server with a database a case, and the program on it |
//! | [`check`] | one case: run, compare everything |
//! | [`writers`] | somebody writes meanwhile |
//!
//! Cases are made from seeds, without shrinking: a case costs about a second, and a seed is all that it takes to see it again
//! (`RETENTION_ORACLE_SEED`). More of them: `RETENTION_ORACLE_CASES`. `RETENTION_ORACLE_DIR` gets the SQL and policy of what fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test helper: its panics are the test's failures"
)]

pub mod case;
pub mod check;
mod generate;
mod model;
mod policy;
pub mod server;
mod sql;
mod time;
mod transform;
pub mod writers;
