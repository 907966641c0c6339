//! Plans from flags, files and k6 options, and every mistake that is refused before a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod files;
mod flags;
mod k6;
mod mistakes;
mod mistakes_in_files;
mod secrets;
mod support;
