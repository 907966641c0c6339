//! Axes: from figures to places in a drawing, and where the ticks are. Whatever the figures, places are finite.

/// Beyond these, figures are drawn at the edge: no latency is shorter than a nanosecond or longer than 30,000 years.
const SMALLEST: f64 = 1e-6;
const LARGEST: f64 = 1e15;

/// One axis.
#[derive(Debug, Clone, Copy)]
pub(in crate::render::html) struct Scale {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// For latencies: from 0 when they are of one size, else logarithmic. Figures that are not finite are left out.
    pub(in crate::render::html) fn latency(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = range(
            values
                .filter(|x| x.is_finite() && *x > 0.0)
                .map(|x| x.clamp(SMALLEST, LARGEST)),
        )
        .unwrap_or((1.0, 1.0));
        let log = high / low > 12.0;
        let (low, high) = if log {
            (floor125(low), ceil125(high))
        } else {
            (0.0, high * 1.08)
        };
        Self {
            log,
            low,
            high,
            from,
            to,
        }
    }

    /// For figures whose zero is far away: their own range with some room.
    pub(in crate::render::html) fn close_up(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) =
            range(values.filter(|x| x.is_finite()).map(|x| x.clamp(-LARGEST, LARGEST))).unwrap_or((0.0, 1.0));
        let room = if high > low {
            (high - low) * 0.2
        } else {
            (high.abs() * 0.1).max(SMALLEST)
        };
        Self {
            log: false,
            low: low - room,
            high: high + room,
            from,
            to,
        }
    }

    /// For times and the like: exactly this range.
    pub(in crate::render::html) fn exact(low: f64, high: f64, from: f64, to: f64) -> Self {
        let low = if low.is_finite() {
            low.clamp(-LARGEST, LARGEST)
        } else {
            0.0
        };
        let high = if high.is_finite() && high > low {
            high.min(LARGEST)
        } else {
            low + 1.0
        };
        Self {
            log: false,
            low,
            high,
            from,
            to,
        }
    }

    /// Whether equal distances are equal factors.
    pub(in crate::render::html) const fn is_log(self) -> bool {
        self.log
    }

    /// The place of a figure; outside of the range, the nearest edge.
    pub(in crate::render::html) fn at(self, x: f64) -> f64 {
        let part = if self.log {
            (x.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (x - self.low) / (self.high - self.low)
        };
        let part = if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
        self.from + (self.to - self.from) * part
    }

    /// Round figures inside of the range, at most about ten.
    pub(in crate::render::html) fn ticks(self) -> Vec<f64> {
        if self.log {
            return self.log_ticks();
        }
        self.steps(step125((self.high - self.low) / 5.0))
    }

    /// Times in seconds, at steps that clocks have; at most about eight.
    pub(in crate::render::html) fn time_ticks(self) -> Vec<f64> {
        const STEPS: [f64; 14] = [
            0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
        ];
        let span = self.high - self.low;
        let step = STEPS.into_iter().find(|step| span / step <= 8.0);
        // Longer runs: whole hours.
        let step = step.unwrap_or_else(|| 3600.0 * ceil125((span / 3600.0 / 8.0).max(1.0)));
        self.steps(step)
    }

    fn steps(self, step: f64) -> Vec<f64> {
        let first = (self.low / step).ceil();
        (0..40)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|x| *x <= self.high + step * 1e-9)
            .collect()
    }

    fn log_ticks(self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let parts: &[f64] = match decades {
            d if d <= 2.6 => &[1.0, 2.0, 5.0],
            d if d <= 4.1 => &[1.0, 3.0],
            _ => &[1.0],
        };
        // Between -6 and 15.
        #[allow(clippy::cast_possible_truncation)]
        let first = self.low.log10().floor() as i32;
        (0..24)
            .step_by(if decades > 10.0 { 3 } else { 1 })
            .flat_map(|i| parts.iter().map(move |part| part * 10f64.powi(first + i)))
            .filter(|x| *x >= self.low * 0.999 && *x <= self.high * 1.001)
            .collect()
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, x| {
        let (low, high) = range.unwrap_or((x, x));
        Some((x.min(low), x.max(high)))
    })
}

/// The largest of 1, 2, 5, 10, 20, ... that is not over `x`.
fn floor125(x: f64) -> f64 {
    let decade = 10f64.powf(x.log10().floor());
    [5.0, 2.0]
        .into_iter()
        .map(|part| part * decade)
        .find(|step| *step <= x)
        .unwrap_or(decade)
}

/// The smallest of them that is not under `x`.
fn ceil125(x: f64) -> f64 {
    let decade = 10f64.powf(x.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|part| part * decade)
        .find(|step| *step >= x)
        .unwrap_or(decade * 10.0)
}

/// The same for the width of a step; 1 for what is no width.
fn step125(x: f64) -> f64 {
    if x.is_finite() && x > 0.0 { ceil125(x) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_one_size_begin_at_zero_and_others_are_logarithmic() {
        let near = Scale::latency([12.0, 20.0].into_iter(), 100.0, 0.0);
        assert!(!near.is_log());
        assert!((near.at(0.0) - 100.0).abs() < 1e-9);
        assert_eq!(near.ticks(), [0.0, 5.0, 10.0, 15.0, 20.0]);
        let far = Scale::latency([11.0, 17_000.0].into_iter(), 100.0, 0.0);
        assert!(far.is_log());
        assert_eq!(far.ticks(), [10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0]);
        assert!((far.at(10.0) - 100.0).abs() < 1e-9);
        assert!(far.at(20_000.0).abs() < 1e-9);
        assert!((far.at(-5.0) - 100.0).abs() < 1e-9, "outside is the nearest edge");
    }

    #[test]
    fn every_figure_has_a_finite_place() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN_POSITIVE, 350.0];
        for a in odd {
            for b in odd {
                let all = [
                    Scale::latency([a, b].into_iter(), 0.0, 10.0),
                    Scale::close_up([a, b].into_iter(), 0.0, 10.0),
                    Scale::exact(a, b, 0.0, 10.0),
                ];
                for scale in all {
                    for x in odd {
                        assert!((0.0..=10.0).contains(&scale.at(x)), "{scale:?} {x}");
                    }
                    assert!(scale.ticks().len() <= 40 && scale.time_ticks().len() <= 40, "{scale:?}");
                }
            }
        }
    }

    #[test]
    fn times_have_steps_of_a_clock() {
        assert_eq!(
            Scale::exact(0.0, 300.0, 0.0, 1.0).time_ticks(),
            [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]
        );
        assert_eq!(Scale::exact(0.0, 12.0, 0.0, 1.0).time_ticks().len(), 7);
        assert!(Scale::exact(0.0, 1e6, 0.0, 1.0).time_ticks().len() <= 9);
    }
}
