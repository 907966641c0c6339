//! Options for the policy.

use clap::Args;
use retention_policy::RetentionDays;
use std::path::PathBuf;

/// Which policy.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyArgs {
    /// Policy as JSON or YAML, or a signed policy pack (.tar, .tar.gz) whose data/retention.json is the policy; without
    /// it: delete pii_events after RETENTION_DAYS, and anonymise users who asked for it and transactions after 365 days
    #[arg(long, env = "RETENTION_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Term of the built-in rules for pii_events, in days; not used with a --policy that has rules of its own
    #[arg(
        long,
        env = "RETENTION_DAYS",
        value_name = "DAYS",
        default_value_t,
        allow_hyphen_values = true
    )]
    pub retention_days: RetentionDays,
    /// Signature bundle of a policy pack (.sigstore.json)
    #[arg(long, env = "RETENTION_POLICY_BUNDLE", value_name = "FILE")]
    pub policy_bundle: Option<PathBuf>,
    /// Count ages from this moment instead of now: RFC 3339, in the past
    #[arg(long, value_name = "TIME", env = "RETENTION_AS_OF")]
    pub as_of: Option<jiff::Timestamp>,
    /// Refuse tables with columns that the policy does not name (a column that nobody classified)
    #[arg(long, env = "RETENTION_STRICT")]
    pub strict: bool,
    /// Whose policy packs are taken.
    #[command(flatten)]
    pub trust: trust_args::TrustArgs,
}
