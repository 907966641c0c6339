//! Owns the arithmetic of samples.

use serde::Serialize;

/// A distribution in a few numbers, in the unit of its samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// Of no samples everything is zero.
pub(crate) fn summary(samples: &[f64]) -> Summary {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    Summary {
        count: sorted.len(),
        min: quantile(&sorted, 0.0),
        median: quantile(&sorted, 0.5),
        p95: quantile(&sorted, 0.95),
        p99: quantile(&sorted, 0.99),
        max: quantile(&sorted, 1.0),
    }
}

/// The middle of samples that are not sorted.
pub(crate) fn median(samples: impl IntoIterator<Item = f64>) -> f64 {
    summary(&samples.into_iter().collect::<Vec<_>>()).median
}

/// Nearest rank: always a value that was measured.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the product is between 0 and the number of samples"
)]
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let rank = (sorted.len() as f64 * at).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{median, summary};

    #[test]
    fn quantiles_are_measured_values() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let found = summary(&samples);
        assert_eq!((found.count, found.min, found.max), (200, 1.0, 200.0));
        assert_eq!((found.median, found.p95, found.p99), (100.0, 190.0, 198.0));
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert_eq!(summary(&[]).count, 0);
    }
}
