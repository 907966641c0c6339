//! A rate over time, made of straight pieces, with its integral and the inverse of that.
//!
//! Arrival `i` is due at the last moment at which not more than `i` requests have come together: at `i/rate` for a constant
//! rate, at the inverse of the integral in general. Borders between pieces are exact integers, so no error adds up.

use super::{MAX_DURATION, MAX_RATE, ScheduleError, nanos};
use std::time::Duration;

/// One stage of a ramp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// How long it takes.
    pub duration: Duration,
    /// Rate at its end, per time unit.
    pub target: f64,
}

/// A rate over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// Rates are requests per this many nanoseconds.
    unit_ns: u64,
    pieces: Vec<Piece>,
}

/// A stretch in which the rate changes evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    from: u64,
    to: u64,
    start_ns: u64,
    length_ns: u64,
    /// The integral up to its start, in requests times twice `unit_ns`.
    before: u128,
}

impl Piece {
    fn area(&self) -> u128 {
        (u128::from(self.from) + u128::from(self.to)) * u128::from(self.length_ns)
    }
    fn end(&self) -> u128 {
        self.before + self.area()
    }
    fn end_ns(&self) -> u64 {
        self.start_ns + self.length_ns
    }
}

impl Curve {
    /// The same rate all the time: `rate` requests per `unit`.
    ///
    /// # Errors
    /// A rate that cannot be used, a unit of zero.
    pub fn constant(rate: f64, unit: Duration, duration: Duration) -> Result<Self, ScheduleError> {
        Self::new(unit, rate, &[Stage { duration, target: rate }])
    }

    /// From `start_rate` through the stages, each of which changes the rate evenly.
    ///
    /// # Errors
    /// A rate that cannot be used, a unit of zero.
    pub fn ramping(start_rate: f64, unit: Duration, stages: &[Stage]) -> Result<Self, ScheduleError> {
        Self::new(unit, start_rate, stages)
    }

    fn new(unit: Duration, start_rate: f64, stages: &[Stage]) -> Result<Self, ScheduleError> {
        if unit.is_zero() {
            return Err(ScheduleError::Unit);
        }
        if unit > MAX_DURATION {
            return Err(ScheduleError::TooLong);
        }
        let mut rates = Vec::with_capacity(stages.len() + 1);
        for rate in std::iter::once(start_rate).chain(stages.iter().map(|stage| stage.target)) {
            let per_second = rate / unit.as_secs_f64();
            if !rate.is_finite() || rate < 0.0 || per_second > MAX_RATE {
                return Err(ScheduleError::Rate { found: rate });
            }
            rates.push(rate);
        }
        // Whole numbers as they are; others to six decimals.
        let scale = if rates.iter().all(|rate| rate.fract() == 0.0) {
            1
        } else {
            1_000_000
        };
        let mut rates: Vec<u64> = rates.into_iter().map(|rate| scaled(rate, scale)).collect();
        let mut unit_ns = nanos(unit).checked_mul(scale).ok_or(ScheduleError::TooLong)?;
        let common = rates.iter().copied().fold(unit_ns, gcd);
        unit_ns /= common;
        for rate in &mut rates {
            *rate /= common;
        }

        let mut pieces: Vec<Piece> = Vec::with_capacity(stages.len());
        let (mut start_ns, mut before) = (0_u64, 0_u128);
        for (ends, stage) in rates.windows(2).zip(stages) {
            if stage.duration > MAX_DURATION {
                return Err(ScheduleError::TooLong);
            }
            let piece = Piece {
                from: ends[0],
                to: ends[1],
                start_ns,
                length_ns: nanos(stage.duration),
                before,
            };
            // A stage without length is a step.
            if piece.length_ns > 0 {
                start_ns = piece.end_ns();
                before = piece.end();
                pieces.push(piece);
            }
            if start_ns > nanos(MAX_DURATION) {
                return Err(ScheduleError::TooLong);
            }
        }
        Ok(Self { unit_ns, pieces })
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.pieces.last().map_or(0, Piece::end_ns))
    }

    /// How many requests it has.
    pub fn arrivals(&self) -> u128 {
        let end = self.pieces.last().map_or(0, Piece::end);
        end.div_ceil(u128::from(self.unit_ns) * 2)
    }

    /// The constant rate that comes before it in a warm-up.
    pub(super) fn warm_up(&self, length: Duration) -> Self {
        let rates = self.pieces.iter().flat_map(|piece| [piece.from, piece.to]);
        let rate = rates.into_iter().find(|rate| *rate > 0).unwrap_or(0);
        Self {
            unit_ns: self.unit_ns,
            pieces: vec![Piece {
                from: rate,
                to: rate,
                start_ns: 0,
                length_ns: nanos(length),
                before: 0,
            }],
        }
    }

    /// When arrival `index` is due, in nanoseconds since the curve's start. `piece` is where the last search ended; indexes
    /// must not go down. `None` after the last one.
    pub(super) fn due(&self, index: u64, piece: &mut usize) -> Option<u64> {
        let wanted = u128::from(index) * u128::from(self.unit_ns) * 2;
        loop {
            let current = self.pieces.get(*piece)?;
            if wanted < current.end() {
                return Some(current.start_ns + current.reach(wanted - current.before));
            }
            *piece += 1;
        }
    }

    /// The points where the rate bends, both ends included.
    pub(super) fn bends(&self) -> impl Iterator<Item = u64> + '_ {
        let start = self.pieces.first().map(|piece| piece.start_ns);
        start.into_iter().chain(self.pieces.iter().map(Piece::end_ns))
    }

    /// Rate per second just after `at`, for a curve that starts at `offset`.
    pub(super) fn rate_after(&self, at: u64, offset: u64) -> f64 {
        let inside = |piece: &&Piece| offset + piece.start_ns <= at && at < offset + piece.end_ns();
        self.pieces
            .iter()
            .find(inside)
            .map_or(0.0, |piece| self.rate(piece, at - offset))
    }

    /// Rate per second just before `at`, for a curve that starts at `offset`.
    pub(super) fn rate_before(&self, at: u64, offset: u64) -> f64 {
        let inside = |piece: &&Piece| offset + piece.start_ns < at && at <= offset + piece.end_ns();
        self.pieces
            .iter()
            .find(inside)
            .map_or(0.0, |piece| self.rate(piece, at - offset))
    }

    fn rate(&self, piece: &Piece, at: u64) -> f64 {
        let part = (at - piece.start_ns) as f64 / piece.length_ns as f64;
        let rate = piece.from as f64 + (piece.to as f64 - piece.from as f64) * part;
        rate * 1e9 / self.unit_ns as f64
    }
}

impl Piece {
    /// Nanoseconds from the piece's start until its integral is `area`, which is less than the whole.
    fn reach(&self, area: u128) -> u64 {
        if self.from == self.to {
            let step = u128::from(self.from) * 2;
            // Division of 128 bits is several times slower, and rarely needed.
            let at = match (u64::try_from(area), u64::try_from(step)) {
                (Ok(area), Ok(step)) => area / step,
                _ => u64::try_from(area / step).unwrap_or(u64::MAX),
            };
            return at.min(self.length_ns);
        }
        // The root of a quadratic, from the slower end: nothing cancels, so it is exact to the nanosecond.
        if self.from < self.to {
            solve(self.from, self.to - self.from, area, self.length_ns)
        } else {
            let rest = self.area() - area;
            self.length_ns - solve(self.to, self.from - self.to, rest, self.length_ns)
        }
    }
}

/// The `t` with `2*slow*t + gain*t*t/length = area`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and capped by the length"
)]
fn solve(slow: u64, gain: u64, area: u128, length_ns: u64) -> u64 {
    if area == 0 {
        return 0;
    }
    let (slow, gain, area, length) = (slow as f64, gain as f64, area as f64, length_ns as f64);
    let root = slow.mul_add(slow, gain * area / length).sqrt();
    ((area / (slow + root)) as u64).min(length_ns)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked by the caller: finite, positive, at most MAX_RATE times MAX_DURATION"
)]
fn scaled(rate: f64, scale: u64) -> u64 {
    (rate * scale as f64).round() as u64
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
