//! The integration tests of retention-job: the program against a real PostgreSQL, as a CronJob starts it. One `mod` a line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod addresses;
mod columns;
mod env_example;
mod erasures;
mod guards;
mod help;
mod hostile;
mod logs;
mod order;
mod policies;
mod rights;
mod servers;
mod signals;
mod tables;
mod usage;
mod world;
