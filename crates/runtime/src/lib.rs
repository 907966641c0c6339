//! What every tool shares and none should write twice. One module a topic:
//!
//! | module | owns |
//! |---|---|
//! | [`args`] | clap groups to flatten: logging, HTTP, admin port, output; flag and variable together |
//! | [`log`] | tracing to stderr: human on a terminal, JSON otherwise |
//! | [`http`] | the one HTTP client: roots, client certificate, proxies, timeouts, redirects; URL rules |
//! | [`secret`] | a value that is never printed, from a variable or from a file that may be rotated |
//! | [`retry`] | bounded retries with full jitter and Retry-After; [`backoff`] is its sibling for poll loops |
//! | [`shutdown`] | SIGTERM and SIGINT, the drain period, the second signal |
//! | [`server`] | listening: bind first with a clear error, limits on slow and greedy clients, graceful end |
//! | [`admin`] | `/livez`, `/readyz`, `/healthz`, `/metrics`, bearer protection |
//! | [`exit`] | exit codes and the one place where an error is printed |
//! | [`output`] | stdout: the final JSON line, or text for people |
//! | [`style`] | colours, only where a person sees them |
//! | [`mod@build_info`] | name, version, commit |
//!
//! A tool's `main` is: [`exit::parse`], [`log::init`], bind, [`shutdown::Shutdown::listen`], its own `run`,
//! [`exit::report`].

pub mod admin;
pub mod args;
pub mod backoff;
pub mod build_info;
pub mod exit;
pub mod http;
pub mod log;
pub mod output;
pub mod retry;
pub mod secret;
pub mod server;
pub mod shutdown;
pub mod style;

pub use admin::{AdminOptions, AdminServer, Health, require_bearer};
pub use args::{AdminArgs, HttpArgs, LogArgs, LogFormat, OutputArgs, OutputFormat};
pub use backoff::Backoff;
pub use build_info::BuildInfo;
pub use exit::{Exit, Failure, ResultExt};
pub use http::{HttpConfigError, HttpOptions, UrlError};
pub use output::Output;
pub use retry::{Retry, RetryError, RetryPolicy};
pub use secret::{Secret, SecretError, SecretSource};
pub use server::{BindError, Limits};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use style::Palette;
