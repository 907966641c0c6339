//! Owns the benches of retention-job, beside the statements that people write instead, all on one PostgreSQL.
//!
//! Every run gets a fresh copy of the same table, after a checkpoint, and a writer beside it that updates rows at
//! random, 400 a second, whose waits are recorded. Ways take turns within each round.

pub(crate) mod anonymise;
pub(crate) mod delete;
mod lab;
mod measure;
mod table;
mod way;
mod writer;
