//! Tails of the binomial distribution, and the counts at which they become small. Exact: no normal approximation.
//!
//! `n` and `k` may be fractions: the number of *effectively* independent samples (see [`super::dependence`]) rarely is a
//! whole one. The continuation between whole numbers is the incomplete beta function's (DLMF 8.17.5).

use super::beta;

/// `P(X >= k)` for `X` binomial of `n` trials with probability `p`.
pub fn at_least(n: f64, k: f64, p: f64) -> f64 {
    if k <= 0.0 {
        return 1.0;
    }
    beta::tails(k, n - k + 1.0, p).lower
}

/// `P(X <= k)` for `X` binomial of `n` trials with probability `p`.
pub fn at_most(n: f64, k: f64, p: f64) -> f64 {
    if k < 0.0 {
        return 0.0;
    }
    beta::tails(k + 1.0, n - k, p).upper
}

/// The smallest `k` with `P(X >= k) <= error`: so many hits of `n` show that their true share is over `p`.
/// `n + 1` when not even `n` hits would.
pub fn shows_over(n: u64, p: f64, error: f64) -> u64 {
    first(n + 1, |k| at_least(n as f64, k as f64, p) <= error)
}

/// The largest `k` with `P(X <= k) <= error` when `n` samples count for `n / dependence` independent ones: up to so many hits
/// show that their true share is under `p`. `None` when not even 0 hits would.
pub fn shows_under(n: u64, p: f64, error: f64, dependence: f64) -> Option<u64> {
    let shown = |k: u64| at_most(n as f64 / dependence, k as f64 / dependence, p) <= error;
    first(n + 1, |k| !shown(k)).checked_sub(1)
}

/// The fewest samples of which 0 hits show that their true share is under `p`, `0 < p < 1`.
pub fn fewest_samples(p: f64, error: f64) -> u64 {
    // (1-p)^n <= error. The rounding of the logarithms is put right by asking the neighbours.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let about = (error.ln() / (-p).ln_1p()).ceil().max(1.0) as u64;
    let enough = |n: u64| at_most(n as f64, 0.0, p) <= error;
    if about > 1 && enough(about - 1) {
        about - 1
    } else if enough(about) {
        about
    } else {
        about + 1
    }
}

/// The smallest number from 0 to `end` for which `is` holds, where it holds for all above too; `end` if for none below.
pub(super) fn first(end: u64, is: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if is(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
