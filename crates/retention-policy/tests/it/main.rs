//! Policies as they are written: what they mean, and every mistake that is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod arbitrary;
mod hostile;
mod mistakes;
mod mistakes_in_erasure;
mod properties;
mod reading;
mod schema;
mod support;
