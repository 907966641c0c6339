//! The integration tests of pack-verify: one binary, one module a topic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod admit;
mod archive_hostile;
mod archive_layout;
mod archive_ordinary;
mod archive_random;
mod archive_raw;
mod build;
mod digest;
mod json;
#[cfg(target_os = "linux")]
mod json_memory;
mod trust_config;
mod trust_evidence;
mod trust_key;
mod trust_keyless;
mod trust_legacy;
mod trust_material;
