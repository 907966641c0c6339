//! Options of `evidence`, and the group of them that `serve` shares.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use runtime::Secret;
use runtime::args::{HttpArgs, LogArgs, OutputArgs, duration};

/// Options of `evidence`.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArgs {
    /// The service, by the name under which its evidence is published to MC
    #[arg(long, env = "SERVICE", value_name = "NAME")]
    pub service: Option<String>,
    /// The release, by the id under which its evidence is published to MC
    #[arg(long, env = "RELEASE_ID", value_name = "ID")]
    pub release_id: Option<String>,

    /// MC and how long it is asked.
    #[command(flatten)]
    pub mc: McArgs,
    /// HTTP to MC.
    #[command(flatten)]
    pub http: HttpArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,

    /// Where Kubernetes looks for the last words of a container
    #[arg(long, hide = true, value_name = "FILE", default_value = crate::termination::PATH)]
    pub termination_log: PathBuf,
}

/// MC's evidence: where it is asked for, for how long, and how fresh it must be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "MC and its evidence")]
pub struct McArgs {
    /// Where MC is, for example https://mc.example.com (with or without /graphql)
    #[arg(long, env = "MC_URL", value_name = "URL")]
    pub mc_url: Option<String>,
    /// Bearer token for MC
    #[arg(long, env = "MC_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub mc_token: Option<Secret>,
    /// File with that token; read again at each question, so it may be rotated
    #[arg(long, env = "MC_TOKEN_FILE", value_name = "FILE", conflicts_with = "mc_token")]
    pub mc_token_file: Option<PathBuf>,
    /// How long to go on asking while MC has no evidence yet or cannot be reached; 0 asks once
    #[arg(long, env = "LOAD_GATE_EVIDENCE_DEADLINE", value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub deadline: Duration,
    /// Time between two questions
    #[arg(long, env = "LOAD_GATE_EVIDENCE_POLL_INTERVAL", value_name = "DURATION", default_value = "5s", value_parser = interval)]
    pub poll_interval: Duration,
    /// Refuse evidence whose window ended longer ago, where the window names its end (2026-01-01T10:00:00Z/2026-01-01T10:15:00Z)
    #[arg(long, env = "LOAD_GATE_EVIDENCE_MAX_AGE", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub max_age: Duration,
    /// Refuse evidence whose window does not name its end (such as 15m), so that its age cannot be known
    #[arg(long, env = "LOAD_GATE_EVIDENCE_REQUIRE_AGE")]
    pub require_age: bool,
}

/// As [`duration`], but not so short that it would be a flood.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < crate::evidence::SHORTEST_INTERVAL {
        return Err("expected 10ms or more".to_owned());
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_interval_would_be_a_flood() {
        assert!(interval("1ms").is_err() && interval("10ms").is_ok());
        assert!(interval("5").unwrap_err().contains("did you mean 5s?"));
    }
}
