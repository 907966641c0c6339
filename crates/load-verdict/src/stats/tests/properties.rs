//! What holds for all counts.

use crate::stats::{beta, binomial, order, proportion};
use proptest::prelude::*;

/// `P(X = k)` by multiplication, for small `n`.
fn probability(n: u64, k: u64, p: f64) -> f64 {
    let ways = (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64);
    ways * p.powf(k as f64) * (1.0 - p).powf((n - k) as f64)
}

proptest! {
    #[test]
    fn binomial_tails_are_sums(n in 0..60_u64, k in 0..62_u64, p in 0.001..0.999_f64) {
        let sum: f64 = (k..=n).map(|k| probability(n, k, p)).sum();
        prop_assert!((binomial::at_least(n as f64, k as f64, p) - sum).abs() < 1e-12);
        if k > 0 {
            let both = binomial::at_least(n as f64, k as f64, p) + binomial::at_most(n as f64, (k - 1) as f64, p);
            prop_assert!((both - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn beta_tails_are_probabilities(a in 0.01..1e6_f64, b in 0.01..1e6_f64, x in 0.0..1.0_f64, y in 0.0..1.0_f64) {
        let (low, high) = (beta::tails(a, b, x.min(y)), beta::tails(a, b, x.max(y)));
        prop_assert!((low.lower + low.upper - 1.0).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&low.lower) && low.lower <= high.lower + 1e-12);
        let mirrored = beta::tails(b, a, 1.0 - x.min(y));
        prop_assert!((mirrored.upper - low.lower).abs() < 1e-9);
    }

    #[test]
    fn critical_counts_are_critical(n in 0..100_000_u64, p in 0.001..0.999_f64, error in 0.001..0.3_f64) {
        let over = binomial::shows_over(n, p, error);
        prop_assert!(over > n || binomial::at_least(n as f64, over as f64, p) <= error);
        prop_assert!(over == 0 || binomial::at_least(n as f64, (over - 1) as f64, p) > error);
        match binomial::shows_under(n, p, error, 1.0) {
            Some(under) => {
                prop_assert!(under < over && binomial::at_most(n as f64, under as f64, p) <= error);
                prop_assert!(under >= n || binomial::at_most(n as f64, (under + 1) as f64, p) > error);
            }
            None => prop_assert!(n < binomial::fewest_samples(p, error)),
        }
    }

    #[test]
    fn more_samples_never_lower_the_count_that_fails(n in 0..50_000_u64, more in 0..5_000_u64, p in 0.001..0.5_f64) {
        prop_assert!(binomial::shows_over(n, p, 0.05) <= binomial::shows_over(n + more, p, 0.05));
    }

    #[test]
    fn bounds_of_a_share_hold_it(n in 1..1_000_000_u64, part in 0.0..=1.0_f64, dependence in 1.0..50.0_f64) {
        let k = ((n as f64 * part) as u64).min(n);
        let share = k as f64 / n as f64;
        let (low, high) = (proportion::lower(n, k, 0.95, dependence), proportion::upper(n, k, 0.95, dependence));
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0, "{low} {share} {high}");
        prop_assert!(proportion::lower(n, k, 0.95, 1.0) >= low - 1e-9 && proportion::upper(n, k, 0.95, 1.0) <= high + 1e-9);
    }

    /// The decision by count, by share and by rank is the same one.
    #[test]
    fn share_rank_and_count_agree(n in 1..100_000_u64, part in 0.0..1.0_f64, q in 0.01..0.99_f64, dependence in 1.0..20.0_f64) {
        let allowed = 1.0 - q;
        let under = binomial::shows_under(n, allowed, 0.05, dependence);
        let k = under.map_or(0, |under| (under as f64 * part) as u64);
        prop_assert_eq!(under.is_some(), proportion::upper(n, k, 0.95, dependence) <= allowed + 1e-12);
        prop_assert_eq!(order::bounds(n, q, 0.95, dependence).high, under.map(|under| n - under));
    }

    #[test]
    fn ranks_hold_the_quantile(n in 1..100_000_u64, q in 0.01..0.99_f64, dependence in 1.0..20.0_f64) {
        let (low, high) = order::widened_ranks(n, q, 0.9, dependence);
        let (near_low, near_high) = order::ranks(n, q, 0.9);
        let rank = order::rank_of(n, q);
        prop_assert!(low <= near_low && near_high <= high);
        prop_assert!(near_low <= rank && rank <= near_high);
    }
}
