//! When each request is due: an absolute schedule, known to the last arrival before the first one is sent.
//!
//! | module | owns |
//! |---|---|
//! | `curve` | a rate over time, its integral and the inverse of that |
//! | `mix` | which request an arrival is, by weight |
//! | `arrivals` | the arrivals of one sending thread, in order of time |

mod arrivals;
mod curve;
mod mix;
#[cfg(test)]
mod tests;

pub use arrivals::{Arrival, Arrivals};
pub use curve::{Curve, Stage};
pub use mix::{MAX_WEIGHTS, Mix};

use std::{sync::Arc, time::Duration};

/// Most arrivals in a schedule, warm-up included: about three years at 100 a second. More is a slip of the pen.
pub const MAX_ARRIVALS: u64 = 10_000_000_000;

/// Highest rate, per second: far beyond what one machine can send.
pub const MAX_RATE: f64 = 10_000_000.0;

/// Longest schedule.
pub const MAX_DURATION: Duration = Duration::from_hours(31 * 24);

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// A rate that is no number, negative, or too high.
    #[error("the rate {found} cannot be used: expected a number from 0 to 10,000,000 a second")]
    Rate {
        /// The rate.
        found: f64,
    },
    /// A time unit of zero.
    #[error("the time unit is 0: a rate is requests per unit, so expected a duration over 0, such as 1s")]
    Unit,
    /// Nothing would be sent.
    #[error("nothing would be sent: expected a rate over 0 for some time, found a rate of 0 from start to end")]
    Empty,
    /// Too long.
    #[error("the schedule is longer than 31 days, which is most")]
    TooLong,
    /// Too many arrivals.
    #[error("the schedule has {found} requests, and {MAX_ARRIVALS} is most: lower the rate or the duration")]
    TooMany {
        /// How many.
        found: u128,
    },
    /// Weights that make no cycle.
    #[error(
        "the weights of the requests make a cycle of {found}, and {MAX_WEIGHTS} is most: use smaller ones, such as 9 and 1"
    )]
    Weights {
        /// Sum of the reduced weights.
        found: u64,
    },
}

/// One scenario's part of a schedule.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its rate over time, from its own start.
    pub curve: Curve,
    /// When it starts, since the end of the warm-up.
    pub start: Duration,
    /// Which requests.
    pub mix: Mix,
}

/// When each request is due. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    lanes: Vec<Lane>,
    warm_up: Duration,
    duration: Duration,
    peak_rate: f64,
}

/// A stream with everything that is computed once.
#[derive(Debug)]
struct Lane {
    warm_up: Option<Curve>,
    warm_up_count: u64,
    curve: Curve,
    count: u64,
    /// From the start of the schedule to the start of `curve`.
    offset_ns: u64,
    /// Number of its first arrival.
    first_seq: u64,
    mix: Mix,
}

impl Schedule {
    /// Puts streams side by side; a sample's `scenario` is an index into `streams`.
    ///
    /// The warm-up comes before everything else: each stream that starts at once sends for that long at the rate it
    /// starts with (a ramp from 0: at the rate of its first stage that has one).
    ///
    /// # Errors
    /// Nothing would be sent, or more than the limits allow.
    pub fn new(streams: Vec<Stream>, warm_up: Duration) -> Result<Self, ScheduleError> {
        let mut lanes = Vec::with_capacity(streams.len());
        let mut duration = Duration::ZERO;
        let mut seq = 0_u128;
        let mut counted = 0_u128;
        for Stream { curve, start, mix } in streams {
            let end = start.checked_add(curve.duration()).ok_or(ScheduleError::TooLong)?;
            if end.checked_add(warm_up).is_none_or(|whole| whole > MAX_DURATION) {
                return Err(ScheduleError::TooLong);
            }
            duration = duration.max(end);
            let before = (start.is_zero() && !warm_up.is_zero()).then(|| curve.warm_up(warm_up));
            let warm_up_count = before.as_ref().map_or(0, Curve::arrivals);
            let count = curve.arrivals();
            let first = seq;
            seq += warm_up_count + count;
            counted += count;
            let too_many = |_| ScheduleError::TooMany { found: seq };
            lanes.push(Lane {
                warm_up: before,
                warm_up_count: warm_up_count.try_into().map_err(too_many)?,
                curve,
                count: count.try_into().map_err(too_many)?,
                offset_ns: nanos(warm_up + start),
                first_seq: first.try_into().map_err(too_many)?,
                mix,
            });
        }
        if counted == 0 {
            return Err(ScheduleError::Empty);
        }
        if seq > u128::from(MAX_ARRIVALS) {
            return Err(ScheduleError::TooMany { found: seq });
        }
        let peak_rate = peak_rate(&lanes);
        if peak_rate > MAX_RATE {
            return Err(ScheduleError::Rate { found: peak_rate });
        }
        Ok(Self {
            inner: Arc::new(Inner {
                lanes,
                warm_up,
                duration,
                peak_rate,
            }),
        })
    }

    /// One request at a constant rate per second.
    ///
    /// # Errors
    /// As [`Schedule::new`] and [`Curve::constant`].
    pub fn constant(rate: f64, warm_up: Duration, duration: Duration) -> Result<Self, ScheduleError> {
        let stream = Stream {
            curve: Curve::constant(rate, Duration::from_secs(1), duration)?,
            start: Duration::ZERO,
            mix: Mix::single(0),
        };
        Self::new(vec![stream], warm_up)
    }

    /// The arrivals that sending thread `shard` of `shards` takes up, in order of time. Every arrival belongs to exactly
    /// one shard; the same call always gives the same arrivals. Nothing is allocated while it runs.
    pub fn arrivals(&self, shard: usize, shards: usize) -> Arrivals {
        Arrivals::new(Arc::clone(&self.inner), shard, shards)
    }

    /// How long the counted part is.
    pub fn duration(&self) -> Duration {
        self.inner.duration
    }

    /// How long the warm-up is, which comes first.
    pub fn warm_up(&self) -> Duration {
        self.inner.warm_up
    }

    /// All arrivals, warm-up included.
    pub fn total(&self) -> u64 {
        self.inner
            .lanes
            .iter()
            .map(|lane| lane.warm_up_count + lane.count)
            .sum()
    }

    /// Counted arrivals of one request in one scenario.
    pub fn planned(&self, scenario: u16, request: u16) -> u64 {
        let lane = self.inner.lanes.get(usize::from(scenario));
        lane.map_or(0, |lane| lane.mix.planned(request, lane.count))
    }

    /// All counted arrivals.
    pub fn planned_total(&self) -> u64 {
        self.inner.lanes.iter().map(|lane| lane.count).sum()
    }

    /// The highest rate at any moment, per second, all scenarios together.
    pub fn peak_rate(&self) -> f64 {
        self.inner.peak_rate
    }
}

/// The sum of rates is linear between the points where some rate bends, so its maximum is at one of them.
fn peak_rate(lanes: &[Lane]) -> f64 {
    let parts = || {
        lanes.iter().flat_map(|lane| {
            let warm_up = lane.warm_up.iter().map(|curve| (0, curve));
            warm_up.chain(std::iter::once((lane.offset_ns, &lane.curve)))
        })
    };
    let bends: Vec<u64> = parts()
        .flat_map(|(offset, curve)| curve.bends().map(move |at| offset + at))
        .collect();
    let highest = |at: u64| {
        // Just after the bend, and just before it.
        let after: f64 = parts().map(|(offset, curve)| curve.rate_after(at, offset)).sum();
        let before: f64 = parts().map(|(offset, curve)| curve.rate_before(at, offset)).sum();
        after.max(before)
    };
    bends.into_iter().map(highest).fold(0.0, f64::max)
}

/// Nanoseconds; every duration here is at most [`MAX_DURATION`].
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
