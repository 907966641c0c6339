//! The runtime against real sockets, real signals and real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod child;
mod pki;
mod process;
mod server;
mod tls;
