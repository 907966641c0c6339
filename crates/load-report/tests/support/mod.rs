//! Result documents for the tests: runs as they really come out, and runs that cannot be.

pub(crate) mod arbitrary;
pub(crate) mod examples;
