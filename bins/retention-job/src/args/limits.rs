//! Options for budgets and for how much the database may feel a run.

use clap::{Args, value_parser};
use std::time::Duration;

/// Budgets and consideration.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Budget and load")]
pub struct LimitArgs {
    /// Stop after so many rows; the next run goes on (exit 5)
    #[arg(long, env = "RETENTION_MAX_ROWS", value_name = "ROWS", value_parser = value_parser!(u64).range(1..))]
    pub max_rows: Option<u64>,
    /// Stop after this time; the next run goes on (exit 5)
    #[arg(long, env = "RETENTION_MAX_DURATION", value_name = "DURATION", value_parser = runtime::args::duration)]
    pub max_duration: Option<Duration>,
    /// How long one batch may take: the longest that a writer of the same rows waits
    #[arg(long, env = "RETENTION_BATCH_TARGET", value_name = "DURATION", default_value = "20ms", value_parser = runtime::args::duration)]
    pub batch_target: Duration,
    /// How long to wait for somebody else's lock before working around it
    #[arg(long, env = "RETENTION_LOCK_TIMEOUT", value_name = "DURATION", default_value = "100ms", value_parser = runtime::args::duration)]
    pub lock_timeout: Duration,
    /// After each batch, rest for so many times as long as it took: 1 takes twice the time and leaves half of it to others
    #[arg(long, env = "RETENTION_NICE_RATIO", value_name = "RATIO", default_value = "0", value_parser = ratio)]
    pub nice_ratio: f64,
    /// Pause while a standby is further behind than this; 0 never pauses
    #[arg(long, env = "RETENTION_MAX_REPLICA_LAG", value_name = "DURATION", default_value = "10s", value_parser = runtime::args::duration)]
    pub max_replica_lag: Duration,
    /// Pause while a standby or replication slot is further behind than so many MiB of WAL; 0 never pauses
    #[arg(
        long,
        env = "RETENTION_MAX_REPLICA_LAG_MIB",
        value_name = "MIB",
        default_value_t = 1024
    )]
    pub max_replica_lag_mib: u64,
    /// Pause while more than so many other sessions are active; unset: do not look
    #[arg(long, env = "RETENTION_MAX_ACTIVE_SESSIONS", value_name = "COUNT")]
    pub max_active_sessions: Option<u32>,
    /// End the run (exit 5; the next goes on) when such a pause lasts longer than this; 0 waits for ever
    #[arg(long, env = "RETENTION_MAX_PAUSE", value_name = "DURATION", default_value = "30m", value_parser = runtime::args::duration)]
    pub max_pause: Duration,
}

fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=100.0).contains(ratio))
        .ok_or_else(|| "expected a number from 0 (never rest) to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::ratio;

    #[test]
    fn a_ratio_is_a_number_that_makes_sense() {
        assert_eq!(ratio("0"), Ok(0.0));
        assert_eq!(ratio("0.5"), Ok(0.5));
        for wrong in ["", "-1", "NaN", "inf", "101", "half"] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }
}
