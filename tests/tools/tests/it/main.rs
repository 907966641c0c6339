//! The search order, the installation and the tally, with small shell scripts in the place of the real programs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake;
mod finding;
mod installing;
mod tallying;
