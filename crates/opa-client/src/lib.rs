//! Client of Open Policy Agent (OPA): its REST API, its bundle format and its status messages.
//!
//! - [`OpaClient`]: one method an endpoint: policies, data, query, health, configuration.
//! - [`bundle`]: writes the `.tar.gz` that OPA loads in one transaction.
//! - [`status`]: reads what OPA posts to `/status` after each poll.
//! - [`discovery`]: tells from OPA's own configuration whether it polls a given bundle server.
//! - [`config`]: writes the OPA configuration that fits bundle mode.
//! - [`observed`]: how OPA 1.22.2 behaves towards a bundle server, as seen on the real program.
//!
//! The caller gives the HTTP client (with its timeouts, certificates and proxies), the base URL and the
//! credentials. Nothing here retries: [`OpaError::is_transient`] tells which errors may be tried again.

mod answer;
pub mod body;
pub mod bundle;
mod client;
pub mod config;
mod data;
pub mod discovery;
mod error;
mod health;
pub mod observed;
mod path;
mod policies;
mod query;
mod raw_json;
pub mod status;

pub use body::Chunks;
pub use bundle::{BundleBuilder, BundleBytes, BundleError, RegoVersion};
pub use client::OpaClient;
pub use config::{ConfigOptions, TokenFrom, config_yaml};
pub use data::PatchOp;
pub use discovery::{BundleServer, BundleSource, polls_us};
pub use error::{CompileError, OpaError};
pub use health::HealthScope;
pub use path::{DataPath, PathError};
pub use policies::PolicyInfo;
pub use query::{Decision, Provenance, QueryOptions};
pub use raw_json::{NestError, RawJson};
pub use status::{BundleOutcome, BundleStatus, StatusError, StatusUpdate};
