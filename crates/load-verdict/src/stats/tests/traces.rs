//! Traces with known truth: latencies that are independent, drift, or come in stretches. Seeded.

use crate::judge::{Batch, Ranked};
use fastrand::Rng;
use std::f64::consts::PI;

/// Batches that a trace is counted in, as the tally does.
pub(crate) const BATCHES: usize = 64;

/// One standard normal number.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    // Box and Muller (1958); 1 - u is never 0.
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (2.0 * PI * rng.f64()).cos()
}

/// Whether each of `n` independent samples is bad.
pub(crate) fn independent(rng: &mut Rng, n: usize, share: f64) -> Vec<bool> {
    (0..n).map(|_| rng.f64() < share).collect()
}

/// Whether each of `n` samples is bad whose log-latency follows an AR(1) process: `above` is the limit in standard deviations.
pub(crate) fn drifting(rng: &mut Rng, n: usize, correlation: f64, above: f64) -> Vec<bool> {
    let rest = (1.0 - correlation * correlation).sqrt();
    let mut level = normal(rng);
    (0..n)
        .map(|_| {
            let bad = level > above;
            level = correlation * level + rest * normal(rng);
            bad
        })
        .collect()
}

/// Whether each of `n` samples is bad that come in bad stretches of `length` on average, `share` of them in all.
pub(crate) fn bursts(rng: &mut Rng, n: usize, share: f64, length: f64) -> Vec<bool> {
    let (end, begin) = (1.0 / length, share / (1.0 - share) / length);
    let mut bad = rng.f64() < share;
    let mut trace = Vec::with_capacity(n);
    while trace.len() < n {
        let stay = (1.0 - rng.f64()).ln() / (-if bad { end } else { begin }).ln_1p();
        let count = (stay as usize + 1).min(n - trace.len());
        trace.extend(std::iter::repeat_n(bad, count));
        bad = !bad;
    }
    trace
}

/// Whether each of `n` samples is bad of a server that freezes: stretches of fixed length at moments that nothing announces.
pub(crate) fn freezes(rng: &mut Rng, n: usize, every: f64, length: usize) -> Vec<bool> {
    let mut trace = Vec::with_capacity(n);
    // Within a freeze at the start with the probability that any moment has.
    let mut left = if rng.f64() < length as f64 / (every + length as f64) {
        rng.usize(1..=length)
    } else {
        0
    };
    while trace.len() < n {
        trace.extend(std::iter::repeat_n(true, left.min(n - trace.len())));
        let calm = (-every * (1.0 - rng.f64()).ln()) as usize;
        trace.extend(std::iter::repeat_n(false, calm.min(n - trace.len())));
        left = length;
    }
    trace
}

/// Counted in batches of (almost) equal size.
pub(crate) fn batches(trace: &[bool]) -> Vec<Batch> {
    batches_of(trace, trace.len())
}

/// Counted in batches of (almost) equal size, of which those behind the trace's end are empty: `planned` samples are to come.
pub(crate) fn batches_of(trace: &[bool], planned: usize) -> Vec<Batch> {
    let count = BATCHES.min(planned.max(1));
    let mut batches = vec![Batch::default(); count];
    for (index, &bad) in trace.iter().enumerate() {
        let batch = &mut batches[(index * count / planned).min(count - 1)];
        batch.n += 1;
        batch.bad += u64::from(bad);
    }
    batches
}

/// Sorted latencies; infinite ones are failures.
#[derive(Debug)]
pub(crate) struct Sorted(pub(crate) Vec<f64>);

impl Sorted {
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Ranked for Sorted {
    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn value_at_rank(&self, rank: u64) -> Option<f64> {
        Some(self.0[usize::try_from(rank).unwrap() - 1]).filter(|value| value.is_finite())
    }
}
