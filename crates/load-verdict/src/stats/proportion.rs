//! Exact one-sided bounds of a share: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of
//! the binomial" (Biometrika 1934).
//!
//! Dependence is taken into account as Korn and Graubard do ("Confidence intervals for proportions with small expected number of
//! positive counts", Survey Methodology 1998): `n` samples of which `k` are hits count for `n/d` of which `k/d` are.

use super::beta;

/// The largest share that `k` hits of `n` leave possible, at one-sided `confidence`. 1 without samples.
pub fn upper(n: u64, k: u64, confidence: f64, dependence: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (n, k) = (n as f64 / dependence, k as f64 / dependence);
    beta::quantile_of_upper(k + 1.0, n - k, (1.0 - confidence).ln())
}

/// The smallest share that `k` hits of `n` leave possible, at one-sided `confidence`. 0 without hits.
pub fn lower(n: u64, k: u64, confidence: f64, dependence: f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    let (n, k) = (n as f64 / dependence, k.min(n) as f64 / dependence);
    beta::quantile_of_lower(k, n - k + 1.0, (1.0 - confidence).ln())
}
