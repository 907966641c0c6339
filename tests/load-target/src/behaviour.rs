//! Decides what becomes of a request: pure, by the seed and the request's number.

use std::f64::consts::TAU;

use crate::config::{Freeze, Kind, Latency, TargetConfig};

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// From its arrival to the first byte of its answer, freezes aside.
    pub(crate) latency_ns: u64,
}

/// The plan for request `number`, counted from 0 in the order of arrival.
pub(crate) fn plan(config: &TargetConfig, number: u64) -> Plan {
    let mut rng = fastrand::Rng::with_seed(mix(config.seed, number));
    let kind = kind(config, rng.f64());
    let latency_ns = if kind.is_instant() {
        0
    } else {
        nanoseconds(latency_ms(config.latency, &mut rng))
    };
    Plan { kind, latency_ns }
}

/// Numbers that differ by one must give streams that have nothing in common (the finaliser of SplitMix64).
fn mix(seed: u64, number: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number);
    for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        x = (x ^ (x >> 30)).wrapping_mul(factor);
    }
    x ^ (x >> 31)
}

fn kind(config: &TargetConfig, chance: f64) -> Kind {
    let mut upper = 0.0;
    for fault in &config.faults {
        upper += fault.share;
        if chance < upper {
            return fault.kind;
        }
    }
    Kind::Ok
}

fn latency_ms(latency: Latency, rng: &mut fastrand::Rng) -> f64 {
    // Above 0, so that it has a logarithm.
    let chance = 1.0 - rng.f64();
    match latency {
        Latency::Fixed { ms } => ms,
        Latency::LogNormal {
            median_ms,
            sigma,
            cap_ms,
        } => {
            // Box and Muller's way to a normal deviate.
            let normal = (-2.0 * chance.ln()).sqrt() * (TAU * rng.f64()).cos();
            (median_ms * (sigma * normal).exp()).min(cap_ms)
        }
        Latency::Pareto {
            least_ms,
            alpha,
            cap_ms,
        } => (least_ms * chance.powf(-1.0 / alpha)).min(cap_ms),
        Latency::Two {
            ms,
            slow_share,
            slow_ms,
        } => {
            if chance <= slow_share {
                slow_ms
            } else {
                ms
            }
        }
    }
}

/// When an answer that would leave at `at_ns` leaves, both since the first request: after the freezes it falls into.
pub(crate) fn thawed(freezes: &[Freeze], at_ns: u64) -> u64 {
    let mut at = at_ns;
    // In any order, also overlapping: until none of them holds it.
    while let Some(end) = freezes.iter().find_map(|freeze| {
        let from = nanoseconds(freeze.from_ms);
        let end = from + nanoseconds(freeze.for_ms);
        (from <= at && at < end).then_some(end)
    }) {
        at = end;
    }
    at
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the configuration has no negative times; the cast saturates"
)]
pub(crate) fn nanoseconds(ms: f64) -> u64 {
    (ms * 1e6) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fault;

    const N: u64 = 100_000;

    fn sorted_ms(latency: Latency) -> Vec<f64> {
        let config = TargetConfig {
            latency,
            ..TargetConfig::default()
        };
        let mut all: Vec<f64> = (0..N)
            .map(|number| plan(&config, number).latency_ns as f64 / 1e6)
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn near(found: f64, expected: f64) {
        assert!(
            (found / expected - 1.0).abs() < 0.03,
            "{found}, expected about {expected}"
        );
    }

    #[test]
    fn the_distributions_are_what_they_are_called() {
        let lognormal = sorted_ms(Latency::LogNormal {
            median_ms: 20.0,
            sigma: 1.0,
            cap_ms: 2_000.0,
        });
        near(lognormal[50_000], 20.0);
        near(lognormal[95_000], 20.0 * 1.645_f64.exp());
        let pareto = sorted_ms(Latency::Pareto {
            least_ms: 5.0,
            alpha: 1.5,
            cap_ms: 500.0,
        });
        near(pareto[50_000], 5.0 * 2_f64.powf(1.0 / 1.5));
        near(pareto[95_000], 5.0 * 20_f64.powf(1.0 / 1.5));
        assert!(pareto[99_999] <= 500.0);
        let two = sorted_ms(Latency::Two {
            ms: 5.0,
            slow_share: 0.06,
            slow_ms: 400.0,
        });
        near(two.iter().filter(|ms| **ms > 100.0).count() as f64, 6_000.0);
    }

    #[test]
    fn shares_hold_and_are_the_same_again_by_seed() {
        let fault = |kind, share| Fault { kind, share };
        let mut config = TargetConfig {
            faults: vec![fault(Kind::Error, 0.06), fault(Kind::Never, 0.01)],
            ..TargetConfig::default()
        };
        let kinds = |config: &TargetConfig| -> Vec<Kind> { (0..N).map(|number| plan(config, number).kind).collect() };
        let first = kinds(&config);
        let count = |kind| first.iter().filter(|found| **found == kind).count() as f64;
        near(count(Kind::Error), 6_000.0);
        near(count(Kind::Ok), 93_000.0);
        assert_eq!(kinds(&config), first);
        config.seed = 2;
        assert_ne!(kinds(&config), first);
    }

    #[test]
    fn an_answer_leaves_after_the_freeze_that_it_falls_into() {
        let freeze = |from_ms, for_ms| Freeze { from_ms, for_ms };
        let freezes = [freeze(1_500.0, 1_000.0), freeze(1_000.0, 500.0)];
        let second = 1_000_000_000;
        assert_eq!(thawed(&freezes, second - 1), second - 1);
        assert_eq!(thawed(&freezes, second), 5 * second / 2);
        assert_eq!(thawed(&freezes, 5 * second / 2), 5 * second / 2);
        assert_eq!(thawed(&[], second), second);
    }
}
