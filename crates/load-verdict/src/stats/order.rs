//! Exact bounds of a quantile: ranks of order statistics.
//!
//! Of `n` samples, the number below the true `q`-quantile is binomial whatever the distribution is. So the quantile is at most the
//! sample of rank `s` unless `s` or more samples fell below it, which has the probability `P(Bin(n, q) >= s)`; and likewise
//! downwards. Source: W. R. Thompson, "On confidence ranges for the median and other expectation distributions" (1936);
//! David and Nagaraja, "Order Statistics", section 7.1.

use super::binomial;

/// Two ranks (from 1) between which the true quantile lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Lower rank; `None`: so few samples bound it by nothing.
    pub low: Option<u64>,
    /// Upper rank; `None`: so few samples bound it by nothing.
    pub high: Option<u64>,
}

/// The ranks that bound the `q`-quantile (0 < q < 1) of `n` samples, each at one-sided `confidence`.
pub fn bounds(n: u64, q: f64, confidence: f64, dependence: f64) -> Ranks {
    let error = 1.0 - confidence;
    let size = n as f64 / dependence;
    let scaled = |rank: u64| rank as f64 / dependence;
    // The largest r with P(X <= r-1) <= error, so the first number for which it does not hold, as the ranks begin at 1.
    let low = binomial::first(n, |below| binomial::at_most(size, scaled(below), q) > error);
    let high = binomial::first(n + 1, |rank| binomial::at_least(size, scaled(rank), q) <= error);
    Ranks {
        low: (low >= 1).then_some(low),
        high: (high <= n).then_some(high),
    }
}

/// The ranks between which the `q`-quantile of `n` independent samples lies with two-sided `confidence`; 0 and `n + 1` stand for
/// "no bound".
pub fn ranks(n: u64, q: f64, confidence: f64) -> (u64, u64) {
    widened_ranks(n, q, confidence, 1.0)
}

/// As [`ranks`], for samples that count for `n / dependence` independent ones.
pub fn widened_ranks(n: u64, q: f64, confidence: f64, dependence: f64) -> (u64, u64) {
    let Ranks { low, high } = bounds(n, q, 0.5 + confidence / 2.0, dependence);
    (low.unwrap_or(0), high.unwrap_or(n + 1))
}

/// The rank of the `q`-quantile itself: the smallest with at least the share `q` of the samples at or below it. 0 without samples.
pub fn rank_of(n: u64, q: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = (n as f64 * q - 1e-9).ceil().max(0.0) as u64;
    rank.clamp(u64::from(n > 0), n)
}
