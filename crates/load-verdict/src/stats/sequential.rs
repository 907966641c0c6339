//! A test that may be looked at after every sample, and still errs with the stated probability only.
//!
//! Under "the true share is at most `p`", the mean likelihood ratio of all shares over `p` (weighted by a Beta distribution cut off
//! at `p`) against `p` itself is a supermartingale that starts at 1; so the probability that it *ever* reaches `1/alpha` is at
//! most `alpha` (Ville 1939). That needs no plan of when to look. Sources: H. Robbins, "Statistical methods related to the law of
//! the iterated logarithm" (1970); Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
//! sequences" (2021); Howard and Ramdas, "Sequential estimation of quantiles" (arXiv 1906.09712), which turns quantiles into such
//! shares.

use super::beta::{Tails, ln_kernel, tails};

/// Natural logarithm of the evidence that the true share of hits is *over* `p`, after `k` hits in `n` samples.
pub fn ln_evidence_over(n: f64, k: f64, p: f64) -> f64 {
    ln_mixture(n, k, p, |tails| tails.ln_upper)
}

/// Natural logarithm of the evidence that the true share of hits is *under* `p`, after `k` hits in `n` samples.
pub fn ln_evidence_under(n: f64, k: f64, p: f64) -> f64 {
    ln_mixture(n, k, p, |tails| tails.ln_lower)
}

fn ln_mixture(n: f64, hits: f64, p: f64, side: impl Fn(Tails) -> f64) -> f64 {
    let hits = hits.min(n);
    // Mean p and as wide as that allows: the true share may be anything from 0 to several times p.
    let (a, b) = if p <= 0.5 {
        (1.0, (1.0 - p) / p)
    } else {
        (p / (1.0 - p), 1.0)
    };
    let (after_a, after_b) = (a + hits, b + n - hits);
    ln_kernel(a, b, p) - ln_kernel(after_a, after_b, p) + side(tails(after_a, after_b, p)) - side(tails(a, b, p))
}
