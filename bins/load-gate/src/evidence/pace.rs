//! Owns when to ask again. Pure: times go in and come out.

use std::time::Duration;

/// Before the deadline, so much is kept for the last question.
const LAST: Duration = Duration::from_secs(1);
/// A shorter wait would be a flood.
pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// When to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// From the first question; zero: there is only one.
    pub(crate) deadline: Duration,
    /// Between two questions.
    pub(crate) interval: Duration,
    /// Longest time for one question.
    pub(crate) ask_timeout: Duration,
}

impl Pace {
    /// How long to wait before the next question, if there is to be one. One question is kept for the end of the time, so
    /// that evidence which comes late is seen; what MC asks for with Retry-After is never undercut.
    pub(crate) fn next(&self, elapsed: Duration, retry_after: Option<Duration>) -> Option<Duration> {
        let last = self.deadline.saturating_sub(LAST.min(self.deadline / 4));
        let interval = self.interval.max(SHORTEST_INTERVAL);
        match retry_after.filter(|asked| *asked > interval) {
            Some(asked) => (elapsed.saturating_add(asked) < self.deadline).then_some(asked),
            None if elapsed >= last => None,
            None => Some(interval.min(last.saturating_sub(elapsed))),
        }
    }

    /// The limit of a question that begins now, and whether it is the deadline that sets it.
    pub(crate) fn limit(&self, elapsed: Duration) -> (Duration, bool) {
        let left = self.deadline.saturating_sub(elapsed);
        if self.deadline.is_zero() || left >= self.ask_timeout {
            (self.ask_timeout, false)
        } else {
            (left, true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const PACE: Pace = Pace {
        deadline: Duration::from_mins(1),
        interval: Duration::from_secs(5),
        ask_timeout: Duration::from_secs(30),
    };

    #[test]
    fn asks_at_intervals_and_once_more_just_before_the_end() {
        let mut at = Duration::ZERO;
        let mut asked = vec![0];
        while let Some(wait) = PACE.next(at, None) {
            at += wait;
            asked.push(at.as_secs());
        }
        assert_eq!(asked, [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 59]);
    }

    #[test]
    fn a_deadline_shorter_than_the_interval_still_has_a_second_question() {
        let short = Pace {
            deadline: 2 * S,
            ..PACE
        };
        assert_eq!(short.next(S / 10, None), Some(Duration::from_millis(1_400)));
        assert_eq!(short.next(2 * S, None), None);
        let once = Pace {
            deadline: Duration::ZERO,
            ..PACE
        };
        assert_eq!(once.next(Duration::ZERO, None), None);
        assert_eq!(once.limit(Duration::ZERO), (30 * S, false));
    }

    #[test]
    fn retry_after_is_kept_or_ends_it() {
        assert_eq!(PACE.next(S, Some(20 * S)), Some(20 * S));
        assert_eq!(PACE.next(S, Some(S)), Some(5 * S), "not oftener than the interval");
        assert_eq!(PACE.next(S, Some(59 * S)), None);
        assert_eq!(PACE.next(S, Some(Duration::MAX)), None);
    }

    #[test]
    fn a_question_ends_with_the_deadline() {
        assert_eq!(PACE.limit(S), (30 * S, false));
        assert_eq!(PACE.limit(31 * S), (29 * S, true));
        assert_eq!(PACE.limit(61 * S), (Duration::ZERO, true));
    }

    #[test]
    fn an_interval_of_nothing_is_no_flood() {
        let eager = Pace {
            interval: Duration::ZERO,
            ..PACE
        };
        assert_eq!(eager.next(S, None), Some(SHORTEST_INTERVAL));
    }
}
