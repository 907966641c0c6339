//! Options of `serve`.

use super::evidence::McArgs;
use clap::Args;
use runtime::{
    Secret,
    args::{AdminArgs, HttpArgs, LogArgs, listen_address},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

const EXAMPLES: &str = "\
Example:
  load-gate serve --listen 0.0.0.0:8383 --token-file /etc/load-gate/token --scenarios-dir /etc/load-gate/scenarios \\
    --mc-url https://mc.example.com --mc-token-file /etc/mc/token
  curl -H 'Authorization: Bearer ...' -d '{\"releaseId\":\"r-42\",\"plan\":\"smoke\"}' http://127.0.0.1:8383/v1/run

Answers: 200 with `ok` true (PASS), false (FAIL) or null (INCONCLUSIVE, INVALID); 503 while it runs, so that Argo asks again.
Checks are kept in memory: run one replica.";

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// Address to answer at; use 0.0.0.0:8383 to let a cluster reach it
    #[arg(long, env = "SERVE_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8383", value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Bearer token that callers must send
    #[arg(long, env = "SERVE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<Secret>,
    /// File with that token; read again at each use, so it may be rotated
    #[arg(long, env = "SERVE_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Answer everybody: whoever reaches the port can start load
    #[arg(long, env = "SERVE_INSECURE_NO_AUTH")]
    pub insecure_no_auth: bool,

    /// Folder with the scenario files that POST /v1/run may name (smoke is smoke.yaml, smoke.yml or smoke.json)
    #[arg(
        long,
        env = "LOAD_GATE_SCENARIOS_DIR",
        value_name = "DIR",
        help_heading = "Load runs"
    )]
    pub scenarios_dir: Option<PathBuf>,
    /// Origin that a request may give as its target instead of the scenario's, for example https://canary.example.com;
    /// repeat it for more
    #[arg(
        long = "allow-origin",
        env = "LOAD_GATE_ALLOW_ORIGIN",
        value_name = "URL",
        value_delimiter = ',',
        help_heading = "Load runs"
    )]
    pub allow_origin: Vec<String>,
    /// Load runs at a time; more are refused with 429. Two disturb each other's figures
    #[arg(long, env = "SERVE_MAX_RUNS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Load runs")]
    pub max_runs: u16,

    /// Evidence checks at a time; more are refused with 429
    #[arg(long, env = "SERVE_MAX_EVIDENCE", value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Answers")]
    pub max_evidence: u16,
    /// How long an answer waits for the end of its check, when the request does not say; must be shorter than the
    /// caller's own timeout (Argo: timeoutSeconds, 10 by default)
    #[arg(long, env = "SERVE_WAIT", value_name = "TIME", default_value = "8s", value_parser = duration, help_heading = "Answers")]
    pub wait: Duration,
    /// Longest wait that a request may ask for
    #[arg(long, env = "SERVE_MAX_WAIT", value_name = "TIME", default_value = "5m", value_parser = duration, help_heading = "Answers")]
    pub max_wait: Duration,
    /// How long a verdict answers repeats of the same request before the check is made again
    #[arg(long, env = "SERVE_KEEP_FOR", value_name = "TIME", default_value = "10m", value_parser = duration, help_heading = "Answers")]
    pub keep_for: Duration,
    /// Verdicts that are kept at most; the oldest go first
    #[arg(long, env = "SERVE_KEEP", value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=10_000), help_heading = "Answers")]
    pub keep: u16,
    /// After SIGTERM, how long running checks may take to end; shorter than Kubernetes' terminationGracePeriodSeconds
    #[arg(long, env = "SERVE_DRAIN", value_name = "TIME", default_value = "20s", value_parser = duration, help_heading = "Answers")]
    pub drain: Duration,

    /// MC and how long it is asked, for POST /v1/evidence.
    #[command(flatten)]
    pub mc: McArgs,
    /// Health and metrics.
    #[command(flatten)]
    pub admin: AdminArgs,
    /// HTTP to MC.
    #[command(flatten)]
    pub http: HttpArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// `8s`, `1m30s`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time such as 500ms, 8s or 1m30s, found {text:?}");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(parsed)
        .ok()
        .filter(|parsed| *parsed <= Duration::from_hours(24))
        .ok_or_else(|| format!("{}; at most 24h", expected()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_their_unit() {
        assert_eq!(duration("8s"), Ok(Duration::from_secs(8)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["8", "", "-8s", "later", "25h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
