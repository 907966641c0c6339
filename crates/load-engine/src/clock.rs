//! Nanoseconds since the start of the schedule, by the monotonic clock: a step of the wall clock changes nothing.

use std::time::{Duration, Instant};

/// The time of a run. The start may lie in the future.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn starting_at(start: Instant) -> Self {
        Self { start }
    }

    /// Now; 0 before the start.
    pub(crate) fn now(&self) -> u64 {
        self.ns_at(Instant::now())
    }

    /// Nanoseconds from the start to a moment; 0 before the start.
    pub(crate) fn ns_at(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment that is `ns` after the start.
    pub(crate) fn at(&self, ns: u64) -> Instant {
        self.start + Duration::from_nanos(ns)
    }

    /// How long until `due`; zero when it is over.
    pub(crate) fn until(&self, due_ns: u64) -> Duration {
        self.at(due_ns).saturating_duration_since(Instant::now())
    }
}
