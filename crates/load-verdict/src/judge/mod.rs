//! PASS, FAIL, INCONCLUSIVE or INVALID, and why.

mod claim;
mod decide;
mod evidence;
mod run;
mod stop;
#[cfg(test)]
mod tests;
mod validity;
mod words;

pub use evidence::{
    Batch, Evidence, JudgeOptions, Progress, Ranked, RunTotals, StopRule, ValidityInput, ValidityLimits,
};

pub use claim::{Impossible, impossible};
pub use run::judge;
pub use stop::early_stop;
pub use validity::validity;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run, or one threshold, comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Kept, and shown to be so at the asked confidence.
    Pass,
    /// Broken, and shown to be so.
    Fail,
    /// The samples allow neither.
    Inconclusive,
    /// The measurement itself cannot be trusted.
    Invalid,
}

/// How a threshold was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A quantile: exact binomial bounds on its order statistics, over scheduled requests.
    OrderStatistics,
    /// A share: exact binomial (Clopper-Pearson) bounds.
    Proportion,
    /// A statement about this run alone (`count`, `max`, `==`): compared as it is.
    AsObserved,
    /// An anytime-valid sequential test stopped the run.
    Sequential,
}

/// An interval for the figure that was judged. `null` at the upper end is infinity: too many requests got no right answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Lower end, in the metric's unit. `null`: infinite too, when the upper end is.
    pub low: Option<f64>,
    /// Upper end, in the metric's unit.
    pub high: Option<f64>,
    /// Two-sided coverage, for example 0.95.
    pub confidence: f64,
}

/// One threshold, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdResult {
    /// The metric's key: `http_req_duration{op:read}`.
    pub metric: String,
    /// The expression as written: `p(95)<350`.
    pub expression: String,
    /// What it comes to. Never INVALID: that is the run's.
    pub verdict: Verdict,
    /// How it was decided.
    pub method: Method,
    /// The judged figure, over scheduled requests; `null` when it is infinite or there is no data.
    pub observed: Option<f64>,
    /// Whether `observed` is `null` because it is infinite.
    pub infinite: bool,
    /// Its interval, where there is one.
    pub interval: Option<Interval>,
    /// What k6 would have computed from the same run.
    pub plain: Option<f64>,
    /// Whether k6 would have let it pass.
    pub plain_ok: Option<bool>,
    /// Requests (or checks) that were judged.
    pub samples: u64,
    /// Those that broke the limit.
    pub bad: u64,
    /// Most that may break it for a PASS at this number of samples; `null` where it does not apply.
    pub allowed: Option<u64>,
    /// How much autocorrelation widens the interval: 1 for independent samples.
    pub dependence: f64,
    /// One sentence for people.
    pub reason: String,
    /// Why the honest reading and k6's differ, when they do.
    pub differs: Option<String>,
}

/// Whether the generator did what it was asked to; with the figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validity {
    /// Median send lag, in milliseconds.
    pub lag_p50_ms: f64,
    /// 99th percentile of the send lag, in milliseconds.
    pub lag_p99_ms: f64,
    /// The largest that is allowed.
    pub lag_limit_ms: f64,
    /// Requests that were due, warm-up excluded.
    pub scheduled: u64,
    /// Of those, taken up in time.
    pub sent: u64,
    /// Share of the generator's running time in which its threads waited for a processor, 0 to 1; `null` where the system does not tell.
    pub cpu_wait: Option<f64>,
    /// Share of the time in which its cgroup was throttled; `null` where there is none.
    pub throttled: Option<f64>,
    /// Share of one core that its busiest thread used; `null` where the system does not tell.
    pub busiest_thread: Option<f64>,
    /// What is wrong, in sentences; empty when the measurement can be trusted.
    pub problems: Vec<String>,
}

/// Why a run ended before its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stop {
    /// No request could succeed: refused, unknown host, TLS.
    NoSuccess {
        /// What happened, for people.
        cause: String,
    },
    /// The verdict could not change any more.
    Decided {
        /// The threshold that decided.
        threshold: String,
    },
    /// The anytime-valid test was sure.
    Sequential {
        /// The threshold that decided, or "all".
        threshold: String,
        /// The stated error rate.
        alpha: f64,
    },
    /// A signal asked for it.
    Interrupted,
}

/// The whole run, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, most important first; at least one.
    pub reasons: Vec<String>,
    /// Each threshold, in the order of writing.
    pub thresholds: Vec<ThresholdResult>,
    /// Whether the measurement can be trusted.
    pub validity: Validity,
    /// Why the run ended early, if it did.
    pub stop: Option<Stop>,
    /// The part of the planned schedule that was carried out, 0 to 1.
    pub completed: f64,
}
