//! Owns how large the next batch is. Pure: it is told what the last ones took.
//!
//! A batch is a number of units (blocks of a table, or rows of an index). Three bounds make the next one: the time per
//! unit as measured, which rises at once and falls slowly; the time per row times the rows that a unit holds at
//! most, so that a stretch without due rows does not end in one huge batch; and a share of the table's rows, because as
//! many of the writers who come at random find theirs locked.

use std::time::Duration;

/// A size grows at most by this factor from one batch to the next.
const GROWTH: f64 = 2.0;
/// How much of an earlier, higher cost stays after a cheaper batch.
const MEMORY: f64 = 0.8;
/// What is aimed at, as a part of the target: some batches are above the mean.
const AIM: f64 = 0.85;
/// Seconds a row, before anything was measured.
const FIRST_ROW_COST: f64 = 2e-6;

/// Adapts the size of batches to a time.
#[derive(Debug, Clone)]
pub struct Controller {
    target: f64,
    size: f64,
    min: f64,
    max: f64,
    share: f64,
    density: f64,
    unit_cost: Option<f64>,
    row_cost: f64,
}

/// Where sizes begin and end, in units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The first batch.
    pub first: u64,
    /// Never below.
    pub min: u64,
    /// Never above.
    pub max: u64,
    /// Rows of a batch at most, as far as the last batch lets foresee it.
    pub share: f64,
    /// Rows that a unit holds at most: those of a block, by the catalog's estimate; 1 if the units are rows.
    pub density: f64,
}

impl Controller {
    /// A controller for batches of `target`.
    pub fn new(target: Duration, bounds: Bounds) -> Self {
        let min = bounds.min.max(1) as f64;
        let max = (bounds.max as f64).max(min);
        Self {
            target: target.as_secs_f64().max(0.001) * AIM,
            size: (bounds.first as f64).clamp(min, max),
            min,
            max,
            share: bounds.share.max(1.0),
            density: bounds.density.max(1.0),
            unit_cost: None,
            row_cost: FIRST_ROW_COST,
        }
    }

    /// Units of the next batch, at least 1.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between min and max, both made from u64"
    )]
    pub fn size(&self) -> u64 {
        (self.size as u64).max(1)
    }

    /// A batch of `units` was committed after `elapsed` and changed `rows`.
    pub fn done(&mut self, units: u64, rows: u64, elapsed: Duration) {
        let units = units.max(1) as f64;
        let seconds = elapsed.as_secs_f64().max(1e-6);
        let cost = seconds / units;
        let unit_cost = match self.unit_cost {
            Some(known) if cost < known => known * MEMORY + cost * (1.0 - MEMORY),
            _ => cost,
        };
        self.unit_cost = Some(unit_cost);
        let density = rows as f64 / units;
        self.density = self.density.max(density);
        // Sparse batches say little about rows: most of their time went into looking.
        if rows > 0 && density * 2.0 >= self.density {
            let cost = seconds / rows as f64;
            self.row_cost = if cost < self.row_cost {
                self.row_cost * MEMORY + cost * (1.0 - MEMORY)
            } else {
                cost
            };
        }
        let by_time = self.target / unit_cost;
        // Twice, because a batch that is all rows after a stretch of none may take twice the target, once.
        let by_rows = 2.0 * self.target / (self.row_cost * self.density);
        let by_share = if rows > 0 { self.share / density } else { f64::INFINITY };
        // A batch cut short by the end of the table says nothing about larger ones.
        let largest = self.size * GROWTH;
        self.size = by_time
            .min(by_rows)
            .min(by_share)
            .min(largest)
            .clamp(self.min, self.max);
    }

    /// A batch met somebody else's lock: half as much next time.
    pub fn locked(&mut self) {
        self.size = (self.size / 2.0).max(self.min);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TARGET: Duration = Duration::from_millis(20);

    fn bounds(density: f64) -> Bounds {
        Bounds {
            first: 64,
            min: 1,
            max: 1 << 16,
            share: f64::INFINITY,
            density,
        }
    }

    /// A machine: a fixed cost a batch, one for looking at a unit, one for each row.
    #[derive(Debug, Clone, Copy)]
    struct Machine {
        fixed: f64,
        unit: f64,
        row: f64,
    }

    impl Machine {
        fn run(self, controller: &mut Controller, density: f64) -> Duration {
            let units = controller.size();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let rows = (units as f64 * density).round() as u64;
            let took = Duration::from_secs_f64(self.fixed + units as f64 * self.unit + rows as f64 * self.row);
            controller.done(units, rows, took);
            took
        }

        /// Whether any batch of at least one unit can meet the target.
        fn can(self, density: f64) -> bool {
            self.fixed + self.unit + density.ceil() * self.row < TARGET.as_secs_f64() / 4.0
        }
    }

    prop_compose! {
        fn machine()(fixed in 0.0..0.002_f64, unit in 1e-7..1e-4_f64, row in 1e-7..1e-5_f64) -> Machine {
            Machine { fixed, unit, row }
        }
    }

    prop_compose! {
        /// One that can be slowed down and still meet the target.
        fn quick()(fixed in 0.0..0.002_f64, unit in 1e-7..1e-4_f64, row in 1e-7..1.2e-6_f64) -> Machine {
            Machine { fixed, unit, row }
        }
    }

    proptest! {
        #[test]
        fn a_linear_machine_is_met(machine in machine(), density in 1.0..200.0_f64, guess in 1.0..200.0_f64) {
            prop_assume!(machine.can(density));
            let mut controller = Controller::new(TARGET, bounds(guess));
            for _ in 0..40 {
                machine.run(&mut controller, density);
            }
            for _ in 0..20 {
                let took = machine.run(&mut controller, density);
                prop_assert!(took <= TARGET * 2, "{took:?}");
                // Large enough to be worth it, unless a bound of size keeps it small.
                let most = controller.size() >= 1 << 16 || guess > density;
                prop_assert!(most || took >= TARGET / 4, "{took:?} at {}", controller.size());
            }
        }

        #[test]
        fn ten_times_slower_is_met_after_one_batch(machine in quick(), density in 1.0..200.0_f64) {
            let slow = Machine { fixed: machine.fixed, unit: machine.unit * 10.0, row: machine.row * 10.0 };
            prop_assume!(slow.can(density));
            let mut controller = Controller::new(TARGET, bounds(density));
            for _ in 0..40 {
                machine.run(&mut controller, density);
            }
            slow.run(&mut controller, density);
            for _ in 0..10 {
                let took = slow.run(&mut controller, density);
                prop_assert!(took <= TARGET * 2, "{took:?}");
            }
        }

        #[test]
        fn rows_after_a_long_stretch_without_any_are_no_shock(machine in machine(), density in 1.0..200.0_f64) {
            prop_assume!(machine.can(density));
            let mut controller = Controller::new(TARGET, bounds(density));
            for _ in 0..20 {
                machine.run(&mut controller, density);
            }
            for _ in 0..200 {
                machine.run(&mut controller, 0.0);
            }
            let took = machine.run(&mut controller, density);
            prop_assert!(took <= TARGET * 5, "{took:?}");
        }

        #[test]
        fn a_batch_is_no_larger_a_part_of_the_table_than_it_may_be(machine in quick(), density in 1.0..200.0_f64, share in 1.0..1e5_f64) {
            let mut controller = Controller::new(TARGET, Bounds { share, ..bounds(density) });
            for _ in 0..40 {
                machine.run(&mut controller, density);
                // A unit is not divided.
                let rows = controller.size() as f64 * density;
                prop_assert!(rows <= share.max(density) + density, "{rows} of {share}");
            }
        }

        #[test]
        fn a_size_is_never_nothing(steps in prop::collection::vec((0..1000_u64, 0..10_000_000_u64, any::<bool>()), 1..50)) {
            let mut controller = Controller::new(TARGET, bounds(60.0));
            for (rows, micros, locked) in steps {
                let before = controller.size();
                if locked {
                    controller.locked();
                    prop_assert!(controller.size() <= before);
                } else {
                    controller.done(before, rows, Duration::from_micros(micros));
                    prop_assert!(controller.size() <= before * 2 + 1);
                }
                prop_assert!((1..=1 << 16).contains(&controller.size()));
            }
        }
    }
}
