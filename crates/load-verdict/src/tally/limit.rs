//! Whether one latency keeps a limit: decided in whole nanoseconds, when it is recorded.

use crate::{
    judge::Batch,
    threshold::{Operator, Threshold},
};

/// Stretches of the counted schedule in which samples are counted apart: `stats::dependence` joins them into 60, 20 and 10 equal ones.
pub(super) const BATCHES: usize = 60;

/// Which latencies are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Those below this many nanoseconds; a failure is not.
    Below(u64),
    /// Those of at least this many nanoseconds; a failure is infinitely late and so good.
    AtLeast(u64),
    /// Exactly this one.
    Exactly(u64),
    /// All but this one.
    Other(u64),
}

impl Limit {
    /// The limit of a trend's threshold, given in milliseconds.
    // Limits beyond 584 years saturate, and below 0 become 0: no latency lies there.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn new(operator: Operator, limit_ms: f64) -> Self {
        let exact = limit_ms * 1e6;
        // 1.1 ms times 1e6 is 1,100,000.0000000001: a thousandth of a nanosecond was never meant.
        let nearest = exact.round();
        let ns = if (exact - nearest).abs() < 1e-3 { nearest } else { exact };
        let next = |ns: f64| {
            if ns < 0.0 {
                0
            } else {
                (ns.floor() as u64).saturating_add(1)
            }
        };
        match operator {
            Operator::Less => Self::Below(ns.ceil() as u64),
            Operator::LessOrEqual => Self::Below(next(ns)),
            Operator::Greater => Self::AtLeast(next(ns)),
            Operator::GreaterOrEqual => Self::AtLeast(ns.ceil() as u64),
            Operator::Equal => Self::Exactly(ns as u64),
            Operator::NotEqual => Self::Other(ns as u64),
        }
    }

    /// Whether a latency in nanoseconds (`None`: infinite) is bad.
    #[inline]
    pub(super) const fn is_bad(self, judged: Option<u64>) -> bool {
        match (self, judged) {
            (Self::Below(limit), Some(ns)) => ns >= limit,
            (Self::AtLeast(limit), Some(ns)) => ns < limit,
            (Self::Exactly(limit), Some(ns)) => ns != limit,
            (Self::Other(limit), Some(ns)) => ns == limit,
            (Self::Below(_) | Self::Exactly(_), None) => true,
            (Self::AtLeast(_) | Self::Other(_), None) => false,
        }
    }
}

/// What is counted for one threshold of a trend.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counted {
    /// Its place among the run's thresholds.
    pub(super) order: usize,
    pub(super) threshold: Threshold,
    pub(super) limit: Limit,
    pub(super) bad: u64,
    pub(super) hard_bad: u64,
    pub(super) batches: Vec<Batch>,
}

impl Counted {
    pub(super) fn new(order: usize, threshold: Threshold) -> Self {
        Self {
            order,
            limit: Limit::new(threshold.operator, threshold.limit),
            threshold,
            bad: 0,
            hard_bad: 0,
            batches: vec![Batch::default(); BATCHES],
        }
    }

    #[inline]
    pub(super) fn record(&mut self, judged: Option<u64>, hard: bool, batch: usize) {
        let bad = u64::from(self.limit.is_bad(judged));
        self.bad += bad;
        self.hard_bad += bad & u64::from(hard);
        if let Some(batch) = self.batches.get_mut(batch) {
            batch.n += 1;
            batch.bad += bad;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.bad = self.bad.saturating_add(other.bad);
        self.hard_bad = self.hard_bad.saturating_add(other.hard_bad);
        add_batches(&mut self.batches, &other.batches);
    }
}

pub(super) fn add_batches(mine: &mut [Batch], theirs: &[Batch]) {
    for (a, b) in mine.iter_mut().zip(theirs) {
        a.n = a.n.saturating_add(b.n);
        a.bad = a.bad.saturating_add(b.bad);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPERATORS: [Operator; 6] = [
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
        Operator::Equal,
        Operator::NotEqual,
    ];

    #[test]
    fn the_limit_itself_is_on_the_right_side() {
        let bad = |operator, ns| Limit::new(operator, 350.0).is_bad(Some(ns));
        assert_eq!(
            [349_999_999, 350_000_000, 350_000_001].map(|ns| bad(Operator::Less, ns)),
            [false, true, true]
        );
        assert_eq!(
            [349_999_999, 350_000_000, 350_000_001].map(|ns| bad(Operator::LessOrEqual, ns)),
            [false, false, true]
        );
        assert_eq!(
            [349_999_999, 350_000_000, 350_000_001].map(|ns| bad(Operator::Greater, ns)),
            [true, true, false]
        );
        assert_eq!(
            [349_999_999, 350_000_000, 350_000_001].map(|ns| bad(Operator::GreaterOrEqual, ns)),
            [true, false, false]
        );
        assert!(!Limit::new(Operator::LessOrEqual, 1.1).is_bad(Some(1_100_000)));
        assert!(Limit::new(Operator::Less, 1.1).is_bad(Some(1_100_000)));
    }

    #[test]
    fn a_failure_keeps_no_upper_limit() {
        for limit in [350.0, f64::INFINITY, f64::MAX] {
            assert!(Limit::new(Operator::Less, limit).is_bad(None));
            assert!(Limit::new(Operator::LessOrEqual, limit).is_bad(None));
            assert!(!Limit::new(Operator::Less, limit).is_bad(Some(1)));
        }
        assert!(Limit::new(Operator::Less, -1.0).is_bad(Some(0)));
        assert!(Limit::new(Operator::LessOrEqual, -1.0).is_bad(Some(0)));
        assert!(!Limit::new(Operator::LessOrEqual, 0.0).is_bad(Some(0)));
        assert!(!Limit::new(Operator::Greater, -1.0).is_bad(Some(0)));
    }

    proptest! {
        #[test]
        fn it_is_the_comparison_of_the_numbers(ns in 0..1u64 << 40, thousandths in 0..1u64 << 20, which in 0..6usize) {
            let operator = OPERATORS[which];
            let limit_ms = thousandths as f64 / 1e3;
            // Exact: both sides in nanoseconds.
            let holds = operator.holds(ns as f64, (thousandths * 1000) as f64);
            prop_assert_eq!(Limit::new(operator, limit_ms).is_bad(Some(ns)), !holds);
        }
    }
}
