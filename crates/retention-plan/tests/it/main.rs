//! A real PostgreSQL's catalog is read, policies are resolved against it, and the SQL that comes out does what it says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod ages;
mod catalog;
mod errors;
mod foreign_keys;
mod subjects;
mod support;
mod transforms;
