//! Growing delays for loops that never give up (polling). For bounded retries see [`crate::retry`].

use std::time::Duration;

/// Delays that double up to a cap, with jitter: each is drawn from the upper half of its step, so that many replicas do
/// not knock at the same moment and none knocks without a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// `base` is the first step, `cap` the longest delay ever.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self {
            base: base.min(cap),
            cap,
            failures: 0,
        }
    }

    /// The delay before the next attempt, and one step further. `rng_unit` is a random number from 0 to 1
    /// ([`crate::retry::random_unit`]); anything outside is brought back inside.
    pub fn next_delay(&mut self, rng_unit: f64) -> Duration {
        let step = exponential(self.base, self.cap, self.failures);
        self.failures = self.failures.saturating_add(1);
        step / 2 + fraction(step / 2, rng_unit)
    }

    /// After a success: the next delay is the first one again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many delays were asked for since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// `base * 2^step`, never above `cap`, never overflowing.
pub(crate) fn exponential(base: Duration, cap: Duration, step: u32) -> Duration {
    // 2^31 is enough for any base above a nanosecond to reach any sensible cap.
    base.saturating_mul(1_u32 << step.min(31)).min(cap)
}

/// `whole * unit`, with `unit` brought into 0..=1 (NaN counts as 1).
pub(crate) fn fraction(whole: Duration, unit: f64) -> Duration {
    let unit = if unit.is_nan() { 1.0 } else { unit.clamp(0.0, 1.0) };
    // Rounding up the very longest durations would overflow; they are as good as themselves.
    Duration::try_from_secs_f64(whole.as_secs_f64() * unit).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn doubles_up_to_the_cap_and_starts_again() {
        let mut backoff = Backoff::new(SECOND, 15 * SECOND);
        let longest: Vec<u64> = (0..6).map(|_| backoff.next_delay(1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 15, 15]);
        assert_eq!(backoff.failures(), 6);
        backoff.reset();
        assert_eq!(backoff.next_delay(1.0), SECOND);
    }

    #[test]
    fn jitter_stays_in_the_upper_half_whatever_the_random_number_is() {
        for unit in [-1.0, 0.0, 0.3, 1.0, 7.0, f64::NAN, f64::INFINITY] {
            let delay = Backoff::new(2 * SECOND, 15 * SECOND).next_delay(unit);
            assert!((SECOND..=2 * SECOND).contains(&delay), "{unit}: {delay:?}");
        }
    }

    #[test]
    fn never_overflows() {
        assert_eq!(exponential(Duration::MAX, Duration::MAX, 40), Duration::MAX);
        assert_eq!(exponential(SECOND, 15 * SECOND, u32::MAX), 15 * SECOND);
        assert_eq!(Backoff::new(60 * SECOND, SECOND).next_delay(1.0), SECOND);
        assert_eq!(fraction(Duration::MAX, 1.0), Duration::MAX);
    }
}
