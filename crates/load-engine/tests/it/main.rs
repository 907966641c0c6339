//! The engine against a server whose log is the truth, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "this is test code: a broken expectation is a panic"
)]

mod ends;
mod run;
mod times;
