//! The client against servers: real HTTP (wiremock) for what can be said in HTTP, raw sockets for what cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod attestation;
mod broken;
mod evidence;
mod messages;
mod pack;
mod refused;
mod span;
mod support;
