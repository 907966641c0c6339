//! Two runs: how large the difference is, and how sure that is. Not a p-value: with enough requests every difference becomes
//! "significant", however small.
//!
//! - Difference and ratio of a quantile: the interval joins those of the two quantiles (order statistics) by the square-and-add
//!   method: Newcombe (1998); Zou and Donner, "Construction of confidence limits about effect measures" (2008). The ratio is taken
//!   on the logarithmic scale.
//! - Probability of superiority: that a request of the second run was faster than one of the first, ties counting half (Mann and
//!   Whitney's U over n m; Vargha and Delaney's A). Its interval comes from the variance of placements (DeLong et al. 1988) on
//!   the logit scale.
//! - Difference of the share of requests without a right answer: the same square-and-add on Clopper-Pearson intervals.

use super::{numbers, order, proportion};
use crate::judge::{Interval, Ranked};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Points at which a distribution is looked at for the probability of superiority.
const GRID: u64 = 2000;

/// One of the two runs.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its judged latencies.
    pub ranked: &'a dyn Ranked,
    /// Requests that got no right answer.
    pub failed: u64,
    /// How much dependence lowers its number of samples: see [`super::dependence`]; 1 if not known.
    pub dependence: f64,
}

/// How the second run differs from the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Quantile by quantile, in the order asked for.
    pub quantiles: Vec<QuantileEffect>,
    /// Probability that a request of the second run was faster than one of the first: 0.5 is no difference. `None` without data.
    pub faster: Option<f64>,
    /// Its interval.
    pub faster_interval: Interval,
    /// Share of requests without a right answer: second minus first, -1 to 1. `None` without data.
    pub failures: Option<f64>,
    /// Its interval.
    pub failures_interval: Interval,
}

/// How a quantile differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantileEffect {
    /// Percent, 0 to 100.
    pub percent: f64,
    /// Of the first run, in milliseconds; `null` is infinite (or no data).
    pub first_ms: Option<f64>,
    /// Of the second run, in milliseconds.
    pub second_ms: Option<f64>,
    /// Second minus first, in milliseconds; `null` if either is infinite.
    pub difference_ms: Option<f64>,
    /// Its interval; an end that is `null` is not bounded.
    pub difference_interval: Interval,
    /// Second over first; `null` if either is infinite or the first is 0.
    pub ratio: Option<f64>,
    /// Its interval; an end that is `null` is not bounded.
    pub ratio_interval: Interval,
    /// One sentence for people.
    pub sentence: String,
}

/// Compares the second run with the first at the given percents (over 0, below 100), with two-sided `confidence`.
pub fn compare(first: Side<'_>, second: Side<'_>, percents: &[f64], confidence: f64) -> Comparison {
    let (faster, faster_interval) = superiority(first, second, confidence);
    let (failures, failures_interval) = failures(first, second, confidence);
    let quantiles = percents
        .iter()
        .map(|&percent| quantile(first, second, percent, confidence))
        .collect();
    Comparison {
        quantiles,
        faster,
        faster_interval,
        failures,
        failures_interval,
    }
}

/// A figure and the interval around it; infinite where it is not bounded.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    low: f64,
    value: f64,
    high: f64,
}

impl Estimate {
    fn of_quantile(side: Side<'_>, q: f64, confidence: f64) -> Self {
        let n = side.ranked.count();
        if n == 0 {
            return Self {
                low: f64::NEG_INFINITY,
                value: f64::INFINITY,
                high: f64::INFINITY,
            };
        }
        let at = |rank: u64| side.ranked.value_at_rank(rank.clamp(1, n)).unwrap_or(f64::INFINITY);
        let ranks = order::bounds(n, q, 0.5 + confidence / 2.0, side.dependence);
        Self {
            low: ranks.low.map_or(0.0, at),
            value: at(order::rank_of(n, q)),
            high: ranks.high.map_or(f64::INFINITY, at),
        }
    }

    fn of_share(n: u64, k: u64, confidence: f64, dependence: f64) -> Self {
        let one_sided = 0.5 + confidence / 2.0;
        Self {
            low: proportion::lower(n, k, one_sided, dependence),
            value: k as f64 / n as f64,
            high: proportion::upper(n, k, one_sided, dependence),
        }
    }

    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            low: f(self.low),
            value: f(self.value),
            high: f(self.high),
        }
    }

    /// `second - first` by square-and-add; `None` if either figure is infinite.
    fn minus(self, first: Self) -> Option<Self> {
        let value = self.value - first.value;
        let down = (self.value - self.low).hypot(first.high - first.value);
        let up = (self.high - self.value).hypot(first.value - first.low);
        value.is_finite().then_some(Self {
            low: value - down,
            value,
            high: value + up,
        })
    }
}

fn interval(estimate: Option<Estimate>, confidence: f64) -> Interval {
    let finite = |value: f64| value.is_finite().then_some(value);
    Interval {
        low: estimate.and_then(|e| finite(e.low)),
        high: estimate.and_then(|e| finite(e.high)),
        confidence,
    }
}

fn quantile(first: Side<'_>, second: Side<'_>, percent: f64, confidence: f64) -> QuantileEffect {
    let q = percent / 100.0;
    let (a, b) = (
        Estimate::of_quantile(first, q, confidence),
        Estimate::of_quantile(second, q, confidence),
    );
    let difference = b.minus(a);
    let ratio = b.map(f64::ln).minus(a.map(f64::ln)).map(|e| e.map(f64::exp));
    let finite = |value: f64| value.is_finite().then_some(value);
    let difference_interval = interval(difference, confidence);
    let mut effect = QuantileEffect {
        percent,
        first_ms: finite(a.value),
        second_ms: finite(b.value),
        difference_ms: difference.map(|e| e.value),
        difference_interval,
        ratio: ratio.map(|e| e.value),
        ratio_interval: interval(ratio, confidence),
        sentence: String::new(),
    };
    effect.sentence = sentence(&effect, first.ranked.count() == 0 || second.ranked.count() == 0);
    effect
}

fn sentence(effect: &QuantileEffect, no_data: bool) -> String {
    let name = format!("p({})", effect.percent);
    if no_data {
        return format!("{name} cannot be compared: one of the two results has no requests");
    }
    let (first, second) = (numbers::ms(effect.first_ms), numbers::ms(effect.second_ms));
    let Some(difference) = effect.difference_ms else {
        return format!(
            "{name} went from {first} to {second}: infinite means that too many requests got no right answer"
        );
    };
    let sure = numbers::percent(effect.difference_interval.confidence);
    let Interval { low, high, .. } = effect.difference_interval;
    let end = |value: Option<f64>, none: &str| {
        value.map_or_else(|| none.to_owned(), |v| format!("{} ms", numbers::figure(v)))
    };
    let range = format!(
        "{sure} interval of the change: {} to {}",
        end(low, "no bound"),
        end(high, "no bound")
    );
    let clear = low.is_some_and(|low| low > 0.0) || high.is_some_and(|high| high < 0.0);
    let by = match effect.ratio {
        Some(ratio) if (0.01..100.0).contains(&ratio) => format!(
            "{} ms ({} {})",
            numbers::figure(difference.abs()),
            numbers::percent_above(ratio),
            if ratio < 1.0 { "less" } else { "more" }
        ),
        _ => format!("{} ms", numbers::figure(difference.abs())),
    };
    match difference.partial_cmp(&0.0) {
        _ if !clear => format!("{name} shows no clear change: {first}, then {second} ({range})"),
        Some(Ordering::Less) => format!("{name} is faster by {by}: {first}, then {second} ({range})"),
        _ => format!("{name} is slower by {by}: {first}, then {second} ({range})"),
    }
}

fn failures(first: Side<'_>, second: Side<'_>, confidence: f64) -> (Option<f64>, Interval) {
    let (n, m) = (first.ranked.count(), second.ranked.count());
    let difference = (n > 0 && m > 0)
        .then(|| {
            let a = Estimate::of_share(n, first.failed, confidence, first.dependence);
            Estimate::of_share(m, second.failed, confidence, second.dependence).minus(a)
        })
        .flatten()
        .map(|e| Estimate {
            low: e.low.max(-1.0),
            value: e.value,
            high: e.high.min(1.0),
        });
    (difference.map(|e| e.value), interval(difference, confidence))
}

/// `P(second < first) + P(second = first) / 2`.
fn superiority(first: Side<'_>, second: Side<'_>, confidence: f64) -> (Option<f64>, Interval) {
    let (a, b) = (grid(first.ranked), grid(second.ranked));
    if a.is_empty() || b.is_empty() {
        return (None, interval(None, confidence));
    }
    // Placement of each point: the share of the other run that is slower (for the second) or faster (for the first).
    let of_second: Vec<f64> = b.iter().map(|&x| 1.0 - share_below(&a, x)).collect();
    let of_first: Vec<f64> = a.iter().map(|&x| share_below(&b, x)).collect();
    let value = mean(&of_second);
    let variance = variance(&of_second) * second.dependence / second.ranked.count() as f64
        + variance(&of_first) * first.dependence / first.ranked.count() as f64;
    let normal = normal_quantile(0.5 + confidence / 2.0);
    // Of two runs without any overlap all variances are 0; one request more could change the figure by about 1/n.
    let least = 0.5 / first.ranked.count().min(second.ranked.count()) as f64;
    let inside = value.clamp(least.min(0.5), 1.0 - least.min(0.5));
    let logit = (inside / (1.0 - inside)).ln();
    let half = normal * variance.sqrt().max(least) / (inside * (1.0 - inside));
    let back = |x: f64| 1.0 / (1.0 + (-x).exp());
    let estimate = Estimate {
        low: back(logit - half).min(value),
        value,
        high: back(logit + half).max(value),
    };
    (Some(value), interval(Some(estimate), confidence))
}

/// The distribution at evenly spread ranks, failures as infinity.
fn grid(ranked: &dyn Ranked) -> Vec<f64> {
    let n = ranked.count();
    let points = n.min(GRID);
    // The middle of each of `points` equal stretches of ranks; u128, as n may be large.
    let rank = |i: u64| u64::try_from(u128::from(2 * i + 1) * u128::from(n) / u128::from(2 * points)).unwrap_or(n) + 1;
    (0..points)
        .map(|i| ranked.value_at_rank(rank(i).min(n)).unwrap_or(f64::INFINITY))
        .collect()
}

/// The share of `sorted` below `x`, ties counting half.
fn share_below(sorted: &[f64], x: f64) -> f64 {
    let below = sorted.partition_point(|&y| y < x);
    let up_to = sorted.partition_point(|&y| y <= x);
    (below + up_to) as f64 / (2 * sorted.len()) as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0).max(1.0)
}

/// Quantile of the normal distribution above its median, as Student's t with so many degrees of freedom that it makes no difference.
fn normal_quantile(p: f64) -> f64 {
    super::beta::student_t(1e6, 1.0 - p)
}
