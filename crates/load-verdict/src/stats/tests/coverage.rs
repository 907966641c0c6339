//! Intervals cover the truth at least as often as they say: on independent samples of several distributions, and on traces whose
//! bad samples come in stretches.

use super::traces::{Sorted, batches, bursts, drifting, freezes, independent};
use crate::{
    judge::Ranked,
    stats::{dependence, order, proportion},
};
use fastrand::Rng;

/// Shares of traces in which the upper and the lower one-sided 95 % bound is right.
fn covered(seed: u64, traces: u32, truth: f64, mut make: impl FnMut(&mut Rng) -> Vec<bool>) -> (f64, f64) {
    let mut rng = Rng::with_seed(seed);
    let (mut upper, mut lower) = (0, 0);
    for _ in 0..traces {
        let trace = make(&mut rng);
        let (n, bad) = (trace.len() as u64, trace.iter().filter(|&&bad| bad).count() as u64);
        let dependence = dependence::factor(&batches(&trace));
        upper += u32::from(proportion::upper(n, bad, 0.95, dependence) >= truth);
        lower += u32::from(proportion::lower(n, bad, 0.95, dependence) <= truth);
    }
    (
        f64::from(upper) / f64::from(traces),
        f64::from(lower) / f64::from(traces),
    )
}

/// Both bounds hold at least as often as their confidence says, over 400 traces. (Over 4,000 traces all of those below hold in 96 %
/// or more.)
fn assert_covers(what: &str, truth: f64, make: impl FnMut(&mut Rng) -> Vec<bool>) {
    let (upper, lower) = covered(2, 400, truth, make);
    assert!(upper >= 0.95, "{what}: the upper bound holds in {upper} of the traces");
    assert!(lower >= 0.95, "{what}: the lower bound holds in {lower} of the traces");
}

#[test]
fn bounds_hold_on_independent_samples() {
    for (n, share) in [(400, 0.05), (3_000, 0.05), (3_000, 0.01), (400, 0.5), (3_000, 0.95)] {
        assert_covers(&format!("{n} of {share}"), share, |rng| independent(rng, n, share));
    }
}

/// A latency that drifts: at 50 requests a second, a correlation of 0.99 lasts 2 s.
#[test]
fn bounds_hold_on_drifting_latencies() {
    for (correlation, share, above) in [
        (0.5, 0.05, 1.644_853_626_951_472_6),
        (0.9, 0.05, 1.644_853_626_951_472_6),
        (0.99, 0.05, 1.644_853_626_951_472_6),
        (0.9, 0.01, 2.326_347_874_040_841),
    ] {
        let what = format!("AR(1) {correlation}, {share}");
        assert_covers(&what, share, |rng| drifting(rng, 15_000, correlation, above));
    }
}

#[test]
fn bounds_hold_on_bursts() {
    for (n, share, length) in [
        (15_000, 0.05, 5.0),
        (15_000, 0.05, 20.0),
        (15_000, 0.05, 100.0),
        (15_000, 0.01, 20.0),
    ] {
        assert_covers(&format!("bursts of {length}, {share}"), share, |rng| {
            bursts(rng, n, share, length)
        });
    }
}

#[test]
fn bounds_hold_on_freezes() {
    for (share, length) in [(0.05, 50_usize), (0.1, 100)] {
        let every = length as f64 * (1.0 - share) / share;
        assert_covers(&format!("freezes of {length}, {share}"), share, |rng| {
            freezes(rng, 15_000, every, length)
        });
    }
}

/// Without the factor they do not: the test above can fail.
#[test]
fn bounds_that_ignore_stretches_do_not_hold() {
    let mut rng = Rng::with_seed(1);
    let right = (0..200)
        .filter(|_| {
            let trace = bursts(&mut rng, 15_000, 0.05, 20.0);
            let bad = trace.iter().filter(|&&bad| bad).count() as u64;
            proportion::upper(15_000, bad, 0.95, 1.0) >= 0.05
        })
        .count();
    assert!(right < 150, "{right} of 200");
}

/// One latency, from its distribution function's inverse.
type Inverse = fn(f64) -> f64;

#[test]
fn quantile_intervals_hold_for_every_distribution() {
    let distributions: [(&str, Inverse); 5] = [
        ("uniform", |u| 100.0 * u),
        ("exponential", |u| -20.0 * (1.0 - u).ln()),
        ("heavy tail", |u| 5.0 * (1.0 - u).powf(-1.0 / 1.1)),
        ("two kinds", |u| if u < 0.9 { 10.0 + u } else { 300.0 + 100.0 * u }),
        (
            "with failures",
            |u| if u < 0.97 { 10.0 + 5.0 * u } else { f64::INFINITY },
        ),
    ];
    let mut rng = Rng::with_seed(7);
    for (name, inverse) in distributions {
        for q in [0.5, 0.95] {
            let truth = inverse(q);
            let traces = 400;
            let held = (0..traces)
                .filter(|_| {
                    let values: Vec<f64> = (0..500).map(|_| inverse(rng.f64())).collect();
                    let bad: Vec<bool> = values.iter().map(|&value| value > truth).collect();
                    let (low, high) = order::widened_ranks(500, q, 0.9, dependence::factor(&batches(&bad)));
                    let sorted = Sorted::new(values);
                    let at = |rank: u64| match rank {
                        0 => 0.0,
                        501 => f64::INFINITY,
                        rank => sorted.value_at_rank(rank).unwrap_or(f64::INFINITY),
                    };
                    at(low) <= truth && truth <= at(high)
                })
                .count();
            assert!(held * 10 >= traces * 9, "{name} {q}: {held} of {traces}");
        }
    }
}

#[test]
fn the_factor_says_what_a_sample_is_worth() {
    let mut rng = Rng::with_seed(3);
    let median = |factors: &mut Vec<f64>| {
        factors.sort_by(f64::total_cmp);
        factors[factors.len() / 2]
    };
    let mut plain: Vec<f64> = (0..101)
        .map(|_| dependence::factor(&batches(&independent(&mut rng, 15_000, 0.05))))
        .collect();
    let plain = median(&mut plain);
    assert!((1.0..1.5).contains(&plain), "independent: {plain}");
    // Of stretches of mean length b with share p, a sample is worth about 1/(2 b (1-p)) of an independent one.
    let mut burst: Vec<f64> = (0..101)
        .map(|_| dependence::factor(&batches(&bursts(&mut rng, 15_000, 0.05, 20.0))))
        .collect();
    let burst = median(&mut burst);
    assert!((30.0..80.0).contains(&burst), "bursts of 20: {burst}");
}

#[test]
fn without_anything_to_see_the_factor_is_one() {
    for trace in [vec![], vec![false; 100], vec![true; 100], vec![true]] {
        assert!((dependence::factor(&batches(&trace)) - 1.0).abs() < f64::EPSILON);
    }
    assert!((dependence::factor(&[]) - 1.0).abs() < f64::EPSILON);
    // One freeze: every bad sample belongs to the same event.
    let mut freeze = vec![false; 15_000];
    freeze[6_000..6_600].fill(true);
    assert!(dependence::factor(&batches(&freeze)) > 600.0);
}
