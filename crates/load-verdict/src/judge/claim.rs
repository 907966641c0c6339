//! What a threshold claims: that at most a share of the samples is bad, or something about this run alone.

use crate::{
    stats::binomial,
    threshold::{Aggregation, Kind, Operator, Threshold},
};

/// What a threshold claims.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Claim {
    /// A quantile keeps its limit: at most the share `allowed` of the latencies breaks it.
    Quantile {
        /// Of the samples, over 0 and below 1.
        allowed: f64,
        /// Which quantile, over 0 and below 1.
        q: f64,
    },
    /// A share keeps its limit: at most the share `allowed` of the samples is bad.
    Share {
        /// Of the samples, over 0 and below 1.
        allowed: f64,
    },
    /// No sample may be bad: `max`, `p(100)` with an upper limit, `min`, `p(0)` with a lower one, a rate at its edge.
    None,
    /// A count that only grows keeps an upper limit.
    CountUpTo,
    /// Anything else: the observed figure is compared.
    Figure,
}

impl Claim {
    pub(super) fn of(threshold: &Threshold) -> Self {
        let upper = matches!(threshold.operator, Operator::Less | Operator::LessOrEqual);
        let lower = matches!(threshold.operator, Operator::Greater | Operator::GreaterOrEqual);
        match (threshold.key.metric.kind(), threshold.aggregation) {
            (Kind::Trend, Aggregation::Med | Aggregation::Percentile(_)) if upper || lower => {
                let percent = if let Aggregation::Percentile(percent) = threshold.aggregation {
                    percent
                } else {
                    50.0
                };
                let q = percent / 100.0;
                if percent >= 100.0 {
                    if upper { Self::None } else { Self::Figure }
                } else if percent <= 0.0 {
                    if lower { Self::None } else { Self::Figure }
                } else if upper {
                    // 100 - 95 is exact, 1 - 0.95 is not.
                    Self::Quantile {
                        allowed: (100.0 - percent) / 100.0,
                        q,
                    }
                } else {
                    Self::Quantile { allowed: q, q }
                }
            }
            (Kind::Trend, Aggregation::Max) if upper => Self::None,
            (Kind::Trend, Aggregation::Min) if lower => Self::None,
            (Kind::Rate, Aggregation::Rate) if upper || lower => {
                let allowed = if upper { threshold.limit } else { 1.0 - threshold.limit };
                if allowed > 0.0 && allowed < 1.0 {
                    Self::Share { allowed }
                } else if allowed.abs() < f64::EPSILON
                    && matches!(threshold.operator, Operator::LessOrEqual | Operator::GreaterOrEqual)
                {
                    Self::None
                } else {
                    Self::Figure
                }
            }
            (Kind::Counter, Aggregation::Count) if upper => Self::CountUpTo,
            _ => Self::Figure,
        }
    }

    /// The share of the samples that may be bad, where the claim is about a share.
    pub(super) const fn allowed(self) -> Option<f64> {
        match self {
            Self::Quantile { allowed, .. } | Self::Share { allowed } => Some(allowed),
            Self::None | Self::CountUpTo | Self::Figure => None,
        }
    }
}

/// A threshold that no run of the planned size can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impossible {
    /// Fewest samples (or events) with which it can be met.
    pub needed: u64,
    /// Samples that are planned.
    pub planned: u64,
}

/// Whether `planned` samples are too few for a PASS, even if not one of them is bad. Asked before the run: a gate that can only
/// say INCONCLUSIVE is a mistake in its configuration.
pub fn impossible(threshold: &Threshold, planned: u64, confidence: f64) -> Option<Impossible> {
    let needed = match Claim::of(threshold) {
        Claim::Quantile { allowed, .. } | Claim::Share { allowed } => {
            binomial::fewest_samples(allowed, 1.0 - confidence)
        }
        Claim::None => 1,
        Claim::CountUpTo => 0,
        Claim::Figure => events_needed(threshold).unwrap_or(0),
    };
    (planned < needed).then_some(Impossible { needed, planned })
}

/// Of a count with a lower limit.
fn events_needed(threshold: &Threshold) -> Option<u64> {
    use crate::threshold::Metric;
    let one_a_request = matches!(threshold.key.metric, Metric::HttpReqs | Metric::Iterations);
    if !one_a_request
        || threshold.aggregation != Aggregation::Count
        || !(threshold.limit >= 0.0 && threshold.limit < 1e18)
    {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match threshold.operator {
        Operator::Greater => Some(threshold.limit.floor() as u64 + 1),
        Operator::GreaterOrEqual | Operator::Equal => Some(threshold.limit.ceil() as u64),
        _ => None,
    }
}
