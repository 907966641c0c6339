//! The integration tests of load-gate: the program as a person, CI or Kubernetes starts it. One `mod` a line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod documented;
mod env_example;
mod evidence;
mod evidence_faults;
mod evidence_polling;
mod evidence_usage;
mod help;
mod process;
mod report;
mod schema;
mod serve;
