//! Order statistics and quantiles of what the histograms hold.
//!
//! A value's place inside of its bucket is interpolated: of `c` values in a bucket, the `i`-th is taken to lie at `(i - 1/2)/c`
//! of its width. So the error is well below the bucket's width, which itself is below 1/16,000 of the value for the latencies
//! that are judged.

use super::histogram::{Bucket, Histogram, Union};
use crate::judge::Ranked;

/// Nanoseconds as milliseconds.
pub(super) fn ms(ns: f64) -> f64 {
    ns / 1e6
}

/// Latencies with failures as infinitely late ones behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// The finite ones.
    pub(super) finite: Histogram,
    /// How many are infinite.
    pub(super) infinite: u64,
}

impl Judged {
    pub(super) fn count(&self) -> u64 {
        self.finite.count() + self.infinite
    }

    /// The view of it that quantiles are asked of.
    pub(super) fn population(&self) -> Population<'_> {
        Population {
            parts: vec![&self.finite],
            infinite: self.infinite,
        }
    }
}

impl Ranked for Judged {
    fn count(&self) -> u64 {
        Self::count(self)
    }

    fn value_at_rank(&self, rank: u64) -> Option<f64> {
        self.population().at_ranks(&[rank]).first().copied().flatten().map(ms)
    }
}

/// Several histograms and infinite values, seen as one sorted list.
#[derive(Debug, Clone)]
pub(super) struct Population<'a> {
    pub(super) parts: Vec<&'a Histogram>,
    pub(super) infinite: u64,
}

impl Population<'_> {
    pub(super) fn finite(&self) -> u64 {
        self.parts.iter().map(|part| part.count()).sum()
    }

    pub(super) fn count(&self) -> u64 {
        self.finite() + self.infinite
    }

    pub(super) fn min(&self) -> Option<u64> {
        self.parts.iter().filter_map(|part| part.min()).min()
    }

    pub(super) fn max(&self) -> Option<u64> {
        self.parts.iter().filter_map(|part| part.max()).max()
    }

    /// Sum of the finite values.
    pub(super) fn sum(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.sum()))
    }

    /// Mean of the finite values in nanoseconds.
    pub(super) fn mean(&self) -> Option<f64> {
        let count = self.finite();
        (count > 0).then(|| self.sum() as f64 / count as f64)
    }

    /// The values of the given ranks (1 is the smallest; ascending) in nanoseconds, in one pass. `None` is infinite, or no value.
    pub(super) fn at_ranks(&self, ranks: &[u64]) -> Vec<Option<f64>> {
        let (min, max, count) = (self.min().unwrap_or(0), self.max().unwrap_or(0), self.finite());
        let union = Union {
            parts: self.parts.clone(),
        };
        let mut values = Vec::with_capacity(ranks.len());
        let mut before = 0;
        for chunk in 0..union.chunks() {
            let until = before + union.count_of(chunk);
            let here: Vec<u64> = ranks[values.len()..]
                .iter()
                .map(|rank| (*rank).max(1))
                .take_while(|rank| *rank <= until)
                .map(|rank| rank - before)
                .collect();
            if !here.is_empty() {
                // Of the first and the last bucket, only the part that is used.
                let buckets = union.buckets_of(chunk).map(|bucket| Bucket {
                    start: bucket.start.max(min),
                    end: bucket.end.min(max.saturating_add(1)).max(bucket.start.max(min)),
                    ..bucket
                });
                values.extend(walk(buckets, until - before, &here));
            }
            before = until;
        }
        values.resize(ranks.len(), None);
        // Smallest and largest are known exactly.
        let exact = |(value, rank): (Option<f64>, &u64)| match value {
            Some(_) if *rank <= 1 => Some(min as f64),
            Some(_) if *rank == count => Some(max as f64),
            other => other.map(|value| value.clamp(min as f64, max as f64)),
        };
        values.into_iter().zip(ranks).map(exact).collect()
    }

    /// Quantiles (0 to 1, ascending) in milliseconds as k6 computes them: linear interpolation at `q * (n - 1)`.
    /// `None` is infinite, or no value.
    pub(super) fn quantiles(&self, quantiles: &[f64]) -> Vec<Option<f64>> {
        let count = self.count();
        if count == 0 {
            return vec![None; quantiles.len()];
        }
        interpolate(quantiles, count, |ranks| self.at_ranks(ranks))
    }

    /// One of [`quantiles`](Self::quantiles).
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        self.quantiles(&[quantile]).first().copied().flatten()
    }
}

/// Quantiles in milliseconds, from the values (in nanoseconds) at ascending ranks.
pub(super) fn interpolate(
    quantiles: &[f64],
    count: u64,
    at_ranks: impl Fn(&[u64]) -> Vec<Option<f64>>,
) -> Vec<Option<f64>> {
    let positions: Vec<(u64, u64, f64)> = quantiles.iter().map(|q| position(*q, count)).collect();
    let mut ranks: Vec<u64> = positions.iter().flat_map(|(low, high, _)| [*low, *high]).collect();
    ranks.sort_unstable();
    ranks.dedup();
    let values = at_ranks(&ranks);
    let at = |rank: u64| values.get(ranks.binary_search(&rank).ok()?).copied().flatten();
    positions
        .into_iter()
        .map(|(low, high, fraction)| {
            let value = at(low)?;
            Some(ms(if fraction == 0.0 {
                value
            } else {
                value + (at(high)? - value) * fraction
            }))
        })
        .collect()
}

/// Between which ranks a quantile lies, and how far from the first to the second.
// The position lies between 0 and n - 1, and n is a count of requests.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn position(quantile: f64, count: u64) -> (u64, u64, f64) {
    let position = quantile.clamp(0.0, 1.0) * count.saturating_sub(1) as f64;
    let low = position.floor();
    (low as u64 + 1, position.ceil() as u64 + 1, position - low)
}

/// The values at ascending ranks; `None` beyond the last of `count` values.
pub(super) fn walk(mut buckets: impl Iterator<Item = Bucket>, count: u64, ranks: &[u64]) -> Vec<Option<f64>> {
    let mut current = None;
    let mut before = 0;
    ranks
        .iter()
        .map(|rank| {
            if *rank > count {
                return None;
            }
            let rank = (*rank).max(1);
            loop {
                let bucket: Bucket = match current {
                    Some(bucket) => bucket,
                    None => buckets.next()?,
                };
                if rank <= before + bucket.count {
                    current = Some(bucket);
                    let inside = (rank - before) as f64 - 0.5;
                    let width = (bucket.end - bucket.start) as f64;
                    return Some(bucket.start as f64 + width * inside / bucket.count as f64);
                }
                before += bucket.count;
                current = None;
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::needless_for_each)]
mod tests {
    use super::{
        super::histogram::{Digits, Histogram},
        *,
    };
    use proptest::prelude::*;

    /// k6's `TrendSink.P`, the slow way; `None` is infinite.
    fn naive(sorted: &[u64], infinite: usize, q: f64) -> Option<f64> {
        let n = sorted.len() + infinite;
        let i = q * (n as f64 - 1.0);
        let (low, high) = (i.floor() as usize, i.ceil() as usize);
        let low_value = *sorted.get(low)? as f64;
        let high_value = if low == high {
            low_value
        } else {
            *sorted.get(high)? as f64
        };
        Some((low_value + (high_value - low_value) * (i - i.floor())) / 1e6)
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_k6(
            mut values in proptest::collection::vec((0u32..34).prop_flat_map(|bits| 0..=1u64 << bits), 1..300),
            infinite in 0u64..20,
            split in any::<u64>(),
        ) {
            let mut parts = [Histogram::new(Digits::Four), Histogram::new(Digits::Four)];
            for (index, value) in values.iter().enumerate() {
                parts[(split >> (index % 64) & 1) as usize].record(*value);
            }
            values.sort_unstable();
            let population = Population { parts: parts.iter().collect(), infinite };
            let quantiles = [0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0];
            for (q, got) in quantiles.iter().zip(population.quantiles(&quantiles)) {
                let expected = naive(&values, infinite as usize, *q);
                prop_assert_eq!(got.is_some(), expected.is_some(), "q {}", q);
                if let (Some(got), Some(expected)) = (got, expected) {
                    prop_assert!((got - expected).abs() <= expected / 16_000.0 + 16e-6, "q {q}: {got} for {expected}");
                }
            }
            prop_assert_eq!(population.min(), values.first().copied());
            prop_assert_eq!(population.max(), values.last().copied());
        }
    }

    #[test]
    fn a_crowded_bucket_is_interpolated() {
        // 1,000 values spread evenly over 30 buckets of a hundredth of their span: the quantile is far finer than a bucket.
        let mut histogram = Histogram::new(Digits::Three);
        let values: Vec<u64> = (0..100_000).map(|i| 100_000_000 + i * 20).collect();
        values.iter().for_each(|value| histogram.record(*value));
        let judged = Judged {
            finite: histogram,
            infinite: 0,
        };
        for q in [0.1, 0.5, 0.95, 0.99] {
            let got = judged.population().quantile(q).unwrap();
            let expected = naive(&values, 0, q).unwrap();
            assert!((got - expected).abs() < expected * 2e-6, "q {q}: {got} for {expected}");
        }
    }

    #[test]
    fn ranks_beyond_the_finite_are_infinite() {
        let mut finite = Histogram::new(Digits::Four);
        finite.record(2_000_000);
        let judged = Judged { finite, infinite: 2 };
        assert_eq!(Ranked::count(&judged), 3);
        assert_eq!(
            [1, 2, 3].map(|rank| judged.value_at_rank(rank)),
            [Some(2.0), None, None]
        );
        assert_eq!(judged.population().quantile(0.0), Some(2.0));
        assert_eq!(judged.population().quantile(0.1), None);
    }
}
