//! The integration tests of policy-reloader: the program as a person or Kubernetes starts it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_config;
mod bad_mc;
mod bad_pack;
mod bad_tools;
mod env_example;
mod help;
mod once;
mod running;
mod sigstore;
mod sigstore_material;
mod support;
mod table;
mod verify;
