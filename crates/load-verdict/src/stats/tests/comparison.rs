//! Effect sizes of two runs.

use super::traces::{Sorted, normal};
use crate::stats::compare::{Comparison, Side, compare};
use fastrand::Rng;

fn side(ranked: &Sorted) -> Side<'_> {
    let failed = ranked.0.iter().filter(|value| value.is_infinite()).count() as u64;
    Side {
        ranked,
        failed,
        dependence: 1.0,
    }
}

fn run(first: &Sorted, second: &Sorted) -> Comparison {
    compare(side(first), side(second), &[50.0, 95.0], 0.95)
}

fn log_normal(rng: &mut Rng, n: usize, median: f64) -> Sorted {
    Sorted::new((0..n).map(|_| median * (0.4 * normal(rng)).exp()).collect())
}

#[test]
fn intervals_of_effects_hold() {
    let (mut rng, traces) = (Rng::with_seed(1), 400);
    let (mut difference, mut ratio, mut faster) = (0, 0, 0);
    // ln(b/a) is normal with mean ln(1.1) and deviation 0.4 sqrt(2).
    let truth_faster = 0.433_067;
    for _ in 0..traces {
        let found = run(&log_normal(&mut rng, 400, 100.0), &log_normal(&mut rng, 300, 110.0));
        let p95 = &found.quantiles[1];
        // exp(0.4 * 1.6449) of the median.
        let truth = 10.0 * 1.930_853;
        let holds = |interval: crate::judge::Interval, truth: f64| {
            u32::from(interval.low.unwrap() <= truth && truth <= interval.high.unwrap())
        };
        difference += holds(p95.difference_interval, truth);
        ratio += holds(p95.ratio_interval, 1.1);
        faster += holds(found.faster_interval, truth_faster);
    }
    for (what, held) in [("difference", difference), ("ratio", ratio), ("faster", faster)] {
        // Nothing under the nominal 95 % but what chance explains (two standard errors).
        let least = 0.95 - 2.0 * (0.95 * 0.05 / f64::from(traces)).sqrt();
        assert!(
            f64::from(held) >= least * f64::from(traces),
            "{what}: {held} of {traces}"
        );
    }
}

#[test]
fn a_clear_change_is_named_with_its_size() {
    let mut rng = Rng::with_seed(2);
    let (first, second) = (log_normal(&mut rng, 15_000, 100.0), log_normal(&mut rng, 15_000, 130.0));
    let found = run(&first, &second);
    let median = &found.quantiles[0];
    assert!((median.difference_ms.unwrap() - 30.0).abs() < 2.0 && (median.ratio.unwrap() - 1.3).abs() < 0.02);
    assert!(found.faster.unwrap() < 0.35 && found.failures == Some(0.0));
    assert!(
        median.sentence.starts_with("p(50) is slower by ") && median.sentence.contains(" more)"),
        "{}",
        median.sentence
    );
    let back = run(&second, &first);
    assert!(back.quantiles[0].sentence.starts_with("p(50) is faster by "));
    assert!((back.faster.unwrap() + found.faster.unwrap() - 1.0).abs() < 1e-9);
    let same = run(&first, &first);
    assert!(same.quantiles[0].sentence.starts_with("p(50) shows no clear change"));
    assert!(same.quantiles[0].difference_ms == Some(0.0) && (same.faster.unwrap() - 0.5).abs() < 1e-9);
}

#[test]
fn failures_are_infinitely_late_here_too() {
    let good = Sorted::new((1..=1_000).map(f64::from).collect());
    let broken = Sorted::new(
        (1..=1_000)
            .map(|i| if i <= 900 { f64::from(i) } else { f64::INFINITY })
            .collect(),
    );
    let found = run(&good, &broken);
    assert_eq!(
        (found.quantiles[1].difference_ms, found.quantiles[1].second_ms),
        (None, None)
    );
    assert!(
        found.quantiles[1].sentence.contains("infinite"),
        "{}",
        found.quantiles[1].sentence
    );
    assert_eq!(found.quantiles[0].difference_ms, Some(0.0));
    assert!((found.failures.unwrap() - 0.1).abs() < 1e-12 && found.failures_interval.low.unwrap() > 0.07);
    assert!(found.faster.unwrap() < 0.5);
}

#[test]
fn nothing_to_compare_is_said() {
    let (none, one) = (Sorted(vec![]), Sorted(vec![5.0]));
    for (first, second) in [(&none, &one), (&one, &none), (&none, &none)] {
        let found = run(first, second);
        assert_eq!(
            (found.faster, found.failures, found.quantiles[0].difference_ms),
            (None, None, None)
        );
        assert!(found.quantiles[0].sentence.contains("has no requests"));
    }
    let found = run(&one, &one);
    assert_eq!(found.faster, Some(0.5));
    assert_eq!(
        found.quantiles[1].difference_interval.high, None,
        "one request bounds nothing"
    );
}
