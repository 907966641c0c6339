//! The test that may be looked at all the time: how often it errs, and how soon it sees.

use crate::stats::sequential::{ln_evidence_over, ln_evidence_under};
use fastrand::Rng;

/// Looks at a trace of independent samples at growing intervals until the evidence reaches `1/alpha`.
fn stops_at(rng: &mut Rng, truth: f64, limit: f64, alpha: f64, evidence: fn(f64, f64, f64) -> f64) -> Option<u64> {
    let (mut n, mut bad, mut next) = (0_u64, 0_u64, 5_u64);
    while n < 20_000 {
        n += 1;
        bad += u64::from(rng.f64() < truth);
        if n == next {
            next += (n / 40).max(5);
            if evidence(n as f64, bad as f64, limit) >= -alpha.ln() {
                return Some(n);
            }
        }
    }
    None
}

/// At the limit itself, where it is hardest, and with about 250 looks.
#[test]
fn it_errs_no_more_often_than_stated() {
    let (alpha, traces) = (0.05, 300);
    for (limit, evidence) in [
        (0.05, ln_evidence_over as fn(f64, f64, f64) -> f64),
        (0.05, ln_evidence_under),
        (0.01, ln_evidence_over),
    ] {
        let mut rng = Rng::with_seed(11);
        let wrong = (0..traces)
            .filter(|_| stops_at(&mut rng, limit, limit, alpha, evidence).is_some())
            .count();
        assert!(
            wrong as f64 <= alpha * f64::from(traces),
            "{wrong} of {traces} at {limit}"
        );
    }
}

#[test]
fn it_sees_a_clear_case_soon() {
    let mut rng = Rng::with_seed(5);
    let mut median = |truth: f64, evidence: fn(f64, f64, f64) -> f64| {
        let mut stops: Vec<u64> = (0..41)
            .map(|_| stops_at(&mut rng, truth, 0.05, 0.01, evidence).unwrap())
            .collect();
        stops.sort_unstable();
        stops[20]
    };
    let broken = median(0.15, ln_evidence_over);
    let fine = median(0.005, ln_evidence_under);
    assert!(broken < 250, "three times the limit: {broken} samples");
    assert!(fine < 400, "a tenth of the limit: {fine} samples");
}

#[test]
fn evidence_grows_the_right_way_and_stays_a_number() {
    for (n, limit) in [(100.0, 0.05), (15_000.0, 0.001), (1e9, 0.05), (1e6, 0.95)] {
        let shares = [0.0, 1e-6, limit / 2.0, limit, f64::midpoint(limit, 1.0), 1.0];
        let over: Vec<f64> = shares
            .iter()
            .map(|share| ln_evidence_over(n, n * share, limit))
            .collect();
        let under: Vec<f64> = shares
            .iter()
            .map(|share| ln_evidence_under(n, n * share, limit))
            .collect();
        assert!(
            over.windows(2).all(|pair| pair[0] < pair[1] + 1e-9),
            "{n} {limit}: {over:?}"
        );
        assert!(
            under.windows(2).all(|pair| pair[0] > pair[1] - 1e-9),
            "{n} {limit}: {under:?}"
        );
        assert!(over.iter().chain(&under).all(|value| value.is_finite()));
        assert!(over[3] < 0.0 && under[3] < 0.0, "nothing is shown at the limit itself");
    }
    assert!(ln_evidence_over(0.0, 0.0, 0.05).abs() < 1e-9);
}
