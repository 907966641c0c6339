//! Groups of options to flatten into a tool's clap arguments: each option has a flag and a variable.
//!
//! ```
//! #[derive(clap::Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     log: runtime::LogArgs,
//!     #[command(flatten)]
//!     http: runtime::HttpArgs,
//! }
//! ```

use crate::http::HttpOptions;
use crate::secret::{Secret, SecretError, SecretSource};
use clap::{Args, ValueEnum, value_parser};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// How log lines look on stderr: auto is human on a terminal and json otherwise
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or per module, such as info,hyper=debug
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

impl Default for LogArgs {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Auto,
            log_level: "info".to_owned(),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One readable line an event.
    Human,
    /// One JSON object a line.
    Json,
}

/// How the result is written on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Short text for a person.
    Human,
    /// One JSON line.
    Json,
}

/// The result on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Args)]
pub struct OutputArgs {
    /// How the result looks on stdout: auto is human on a terminal and one JSON line otherwise
    #[arg(long, env = "OUTPUT_FORMAT", value_enum, default_value_t = OutputFormat::Auto)]
    pub output: OutputFormat,
}

/// The admin port: health, metrics and the tool's own endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Admin port")]
#[expect(
    clippy::struct_field_names,
    reason = "flattened into a tool's arguments, where the prefix tells them apart"
)]
pub struct AdminArgs {
    /// Address of /livez, /readyz, /healthz and /metrics; use 0.0.0.0:9090 to let a cluster probe it
    #[arg(long, env = "ADMIN_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:9090", value_parser = listen_address)]
    pub admin_listen: SocketAddr,

    /// Bearer token for the endpoints that change something
    #[arg(long, env = "ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<Secret>,

    /// File with that token; read again at each use, so it may be rotated
    #[arg(long, env = "ADMIN_TOKEN_FILE", value_name = "FILE", conflicts_with = "admin_token")]
    pub admin_token_file: Option<PathBuf>,
}

impl AdminArgs {
    /// Where the admin token comes from, if one is set.
    ///
    /// # Errors
    /// The value is empty or cannot be a token.
    pub fn token(&self) -> Result<Option<SecretSource>, SecretError> {
        SecretSource::from_args("ADMIN_TOKEN", self.admin_token.clone(), self.admin_token_file.clone())
    }
}

/// The HTTP client. Proxies come from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "HTTP client")]
pub struct HttpArgs {
    /// PEM file with certificates of authorities to trust besides the system's
    #[arg(long, env = "CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Longest wait for a connection, TLS included, in milliseconds
    #[arg(long = "http-connect-timeout-ms", env = "HTTP_CONNECT_TIMEOUT_MS", value_name = "MS", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..=3_600_000))]
    pub connect_timeout_ms: u64,

    /// Longest time for a whole request, and for any single wait inside it, in milliseconds
    #[arg(long = "http-request-timeout-ms", env = "HTTP_REQUEST_TIMEOUT_MS", value_name = "MS", default_value_t = 30_000, value_parser = value_parser!(u64).range(1..=3_600_000))]
    pub request_timeout_ms: u64,
}

impl HttpArgs {
    /// Options for [`crate::http::client`], with `user_agent` as `name/version`.
    pub fn options(&self, user_agent: impl Into<String>) -> HttpOptions {
        HttpOptions {
            ca_file: self.ca_file.clone(),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            request_timeout: Duration::from_millis(self.request_timeout_ms),
            ..HttpOptions::new(user_agent)
        }
    }
}

/// clap value parser for an address to listen on; the standard library's error does not say what is expected.
///
/// # Errors
/// A message with what was expected and what to write instead.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
    let example = port.parse().unwrap_or(9090_u16);
    Err(format!(
        "expected an IP address and a port, such as 127.0.0.1:{example} (this machine only) or 0.0.0.0:{example} (every interface)"
    ))
}

/// clap value parser for a length of time: `5m`, `1h 30m`, `500ms`, `PT5M`, and 0.
///
/// # Errors
/// A message with what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let expected = "expected a length of time such as 30s, 5m, 1h30m or 500ms";
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("{expected}; which unit? did you mean {text}s?"));
    }
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
    Duration::try_from(parsed).map_err(|_| format!("{expected}; it cannot be negative"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn lengths_of_time_as_people_write_them() {
        for (text, seconds) in [
            ("5m", 300),
            ("1h30m", 5_400),
            ("0", 0),
            ("0s", 0),
            (" 90s ", 90),
            ("PT5M", 300),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for (text, says) in [
            ("5", "did you mean 5s?"),
            ("", "expected a length of time"),
            ("-5m", "negative"),
            ("soon", "expected a length of time"),
            ("5m!", "expected a length of time"),
        ] {
            assert!(duration(text).unwrap_err().contains(says), "{text}");
        }
    }

    #[derive(Debug, Parser)]
    struct All {
        #[command(flatten)]
        log: LogArgs,
        #[command(flatten)]
        admin: AdminArgs,
        #[command(flatten)]
        http: HttpArgs,
        #[command(flatten)]
        output: OutputArgs,
    }

    #[test]
    fn every_option_has_a_variable_and_no_two_share_one() {
        All::command().debug_assert();
        let mut variables: Vec<_> = All::command()
            .get_arguments()
            .map(|arg| {
                (
                    arg.get_id().to_string(),
                    arg.get_env().map(std::ffi::OsStr::to_os_string),
                )
            })
            .collect();
        for (id, variable) in &variables {
            assert!(variable.is_some(), "--{id} has no variable");
        }
        variables.sort_by(|a, b| a.1.cmp(&b.1));
        variables.dedup_by(|a, b| a.1 == b.1);
        assert_eq!(variables.len(), All::command().get_arguments().count());
    }

    #[test]
    fn a_token_is_printed_neither_by_debug_nor_by_help() {
        let args = All::try_parse_from(["tool", "--admin-token", "hunter2"]).expect("parses");
        assert!(!format!("{args:?}").contains("hunter2"));
        assert_eq!(args.admin.admin_token.as_ref().map(Secret::expose), Some("hunter2"));
        assert!(args.admin.token().expect("usable").is_some());
        let token = All::command()
            .get_arguments()
            .find(|a| a.get_id() == "admin_token")
            .map(clap::Arg::is_hide_env_values_set);
        assert_eq!(token, Some(true));
    }

    #[test]
    fn token_and_token_file_together_are_refused() {
        let error =
            All::try_parse_from(["tool", "--admin-token", "a", "--admin-token-file", "/b"]).expect_err("conflict");
        assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
    }

    #[test]
    fn a_wrong_address_says_what_is_right() {
        assert!(listen_address("[::1]:80").is_ok());
        for (wrong, hint) in [
            (":8282", "127.0.0.1:8282"),
            ("localhost:9191", "127.0.0.1:9191"),
            ("9090", "0.0.0.0:9090"),
            ("x", "9090"),
        ] {
            let message = listen_address(wrong).expect_err(wrong);
            assert!(message.contains(hint), "{wrong}: {message}");
        }
    }

    #[test]
    fn timeouts_are_milliseconds_and_never_zero() {
        let args = All::try_parse_from(["tool", "--http-connect-timeout-ms", "250"]).expect("parses");
        let options = args.http.options("tool/1");
        assert_eq!(options.connect_timeout, Duration::from_millis(250));
        assert_eq!(options.request_timeout, Duration::from_secs(30));
        assert_eq!(options.user_agent, "tool/1");
        assert!(All::try_parse_from(["tool", "--http-request-timeout-ms", "0"]).is_err());
    }
}
