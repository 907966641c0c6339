//! Sessions against real servers, and against what only looks like one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod abandoned;
mod arrays;
mod kinds;
mod login;
mod pooler;
mod settings;
mod statements;
mod support;
mod tls;
mod unreachable;
