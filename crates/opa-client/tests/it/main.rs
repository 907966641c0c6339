//! The client against real HTTP: wiremock answers with bodies recorded from OPA 1.22.2, a raw socket breaks off.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod connection;
mod rest;
mod support;
