//! Owns when to make room for others. Pure: decides from what was seen.

use crate::options::Throttle;
use std::time::Duration;

/// What the watching session saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    /// The replica that is furthest behind, by time.
    pub(crate) lag: Duration,
    /// The replica that is furthest behind, by bytes.
    pub(crate) lag_bytes: u64,
    /// A slot that is about to lose WAL that it needs.
    pub(crate) slot_in_danger: Option<String>,
    /// VACUUM is at work on one of our tables.
    pub(crate) vacuum: bool,
    /// Other sessions that are active.
    pub(crate) active: u32,
    /// Sessions that wait for us, and how long the longest has waited.
    pub(crate) waiting: u32,
    pub(crate) longest_wait: Duration,
}

/// How much room is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Room {
    /// None: go on.
    Go,
    /// A little after each batch.
    Gentle(String),
    /// Nothing is done until it is over.
    Wait(String),
}

/// What is to be done before the next batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing.
    None,
    /// Wait, then ask again.
    For(Duration, String),
    /// Stop: what is waited for does not end. A standby whose replay is paused stays behind for ever.
    GiveUp(String),
}

/// How long it was waited without a batch in between.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    waited: Duration,
}

impl Patience {
    /// Another pause of the length `pause`, or the end. Pauses are summed up, not the time on the clock: a long count
    /// between two of them is work.
    pub(crate) fn wait(&mut self, pause: Duration, why: String, throttle: &Throttle) -> Pause {
        if self.waited >= throttle.patience {
            return Pause::GiveUp(why);
        }
        self.waited += pause;
        Pause::For(pause, why)
    }

    /// A batch may begin.
    pub(crate) fn restore(&mut self) {
        self.waited = Duration::ZERO;
    }
}

/// Decides.
pub(crate) fn decide(seen: &Seen, throttle: &Throttle) -> Room {
    if let (Some(slot), true) = (&seen.slot_in_danger, throttle.watch_slots) {
        return Room::Wait(format!("replication slot {slot} is about to lose WAL"));
    }
    if seen.lag_bytes > throttle.max_lag_bytes {
        return Room::Wait(format!("a replica is {} MB behind", seen.lag_bytes / 1_000_000));
    }
    if seen.lag > throttle.max_lag {
        return Room::Wait(format!("a replica is {:.1} s behind", seen.lag.as_secs_f64()));
    }
    if let Some(max) = throttle.max_active
        && seen.active > max
    {
        return Room::Wait(format!("{} sessions are active", seen.active));
    }
    if seen.vacuum {
        return Room::Gentle("vacuum is at work on the table".to_owned());
    }
    Room::Go
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_seen_goes_on() {
        assert_eq!(decide(&Seen::default(), &Throttle::default()), Room::Go);
    }

    #[test]
    fn limits_are_limits() {
        let throttle = Throttle {
            max_lag: Duration::from_secs(1),
            max_lag_bytes: 100,
            max_active: Some(3),
            watch_slots: true,
            ..Throttle::default()
        };
        let seen = Seen {
            lag: Duration::from_secs(1),
            lag_bytes: 100,
            active: 3,
            ..Seen::default()
        };
        assert_eq!(decide(&seen, &throttle), Room::Go);
        for worse in [
            Seen {
                lag: Duration::from_millis(1001),
                ..Seen::default()
            },
            Seen {
                lag_bytes: 101,
                ..Seen::default()
            },
            Seen {
                active: 4,
                ..Seen::default()
            },
            Seen {
                slot_in_danger: Some("s".to_owned()),
                ..Seen::default()
            },
        ] {
            assert!(matches!(decide(&worse, &throttle), Room::Wait(_)), "{worse:?}");
        }
    }

    #[test]
    fn a_pause_ends_when_the_patience_does_and_work_restores_it() {
        let throttle = Throttle {
            patience: Duration::from_secs(1),
            ..Throttle::default()
        };
        let pause = Duration::from_millis(250);
        let mut patience = Patience::default();
        let mut ask = |worked: bool| {
            if worked {
                patience.restore();
            }
            patience.wait(pause, "why".to_owned(), &throttle)
        };
        let go_on = Pause::For(pause, "why".to_owned());
        let end = Pause::GiveUp("why".to_owned());
        for round in 0..2 {
            assert_eq!(ask(round > 0), go_on);
            for _ in 1..4 {
                assert_eq!(ask(false), go_on);
            }
            // The next rule does not wait as long once more.
            assert_eq!(ask(false), end);
            assert_eq!(ask(false), end);
        }
        let endless = Throttle {
            patience: Duration::MAX,
            ..throttle
        };
        let mut patience = Patience::default();
        for _ in 0..10_000 {
            assert_eq!(patience.wait(pause, "why".to_owned(), &endless), go_on);
        }
    }

    #[test]
    fn a_slot_that_nobody_watches_stops_nothing_and_vacuum_makes_it_gentle() {
        let throttle = Throttle {
            watch_slots: false,
            ..Throttle::default()
        };
        let seen = Seen {
            slot_in_danger: Some("s".to_owned()),
            vacuum: true,
            ..Seen::default()
        };
        assert!(matches!(decide(&seen, &throttle), Room::Gentle(_)));
    }
}
