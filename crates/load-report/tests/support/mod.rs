//! Result documents for the tests: runs as they really come out, and runs that cannot be.

pub mod arbitrary;
pub mod examples;
