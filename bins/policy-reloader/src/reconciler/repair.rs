//! Owns the patience with targets: one that a repair did not help is repaired ever more rarely.

use std::time::{Duration, Instant};

use crate::machine::{Observation, Order};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// When each target may be repaired next.
#[derive(Debug)]
pub(super) struct Repairs(Vec<Repair>);

#[derive(Debug, Clone, Copy)]
struct Repair {
    not_before: Instant,
    pause: Duration,
}

impl Repairs {
    pub(super) fn new(targets: usize, now: Instant) -> Self {
        let repair = Repair {
            not_before: now,
            pause: FIRST_PAUSE,
        };
        Self(vec![repair; targets])
    }

    /// Starts afresh for the targets that decide; `seen` are the targets as last seen.
    pub(super) fn helped(&mut self, seen: &[Observation], now: Instant) {
        for (repair, seen) in self.0.iter_mut().zip(seen) {
            if matches!(seen, Observation::Deciding { .. }) {
                *repair = Repair {
                    not_before: now,
                    pause: FIRST_PAUSE,
                };
            }
        }
    }

    /// Leaves out of `orders` what is not due yet; `seen` are the targets as they are now.
    pub(super) fn due(&mut self, orders: Vec<Order>, seen: &[Observation], now: Instant) -> Vec<Order> {
        self.helped(seen, now);
        orders
            .into_iter()
            .filter_map(|order| self.only_due(order, now))
            .collect()
    }

    fn only_due(&mut self, order: Order, now: Instant) -> Option<Order> {
        let Order::Activate { digest, targets, wait } = order else {
            return Some(order);
        };
        let mut due = Vec::new();
        for target in targets {
            if let Some(repair) = self.0.get_mut(target).filter(|repair| repair.not_before <= now) {
                repair.not_before = now + repair.pause;
                repair.pause = (repair.pause * 2).min(LONGEST_PAUSE);
                due.push(target);
            }
        }
        (!due.is_empty()).then_some(Order::Activate {
            digest,
            targets: due,
            wait,
        })
    }
}

#[cfg(test)]
mod tests {
    use pack_verify::Sha256Digest;

    use super::*;

    fn order() -> Vec<Order> {
        vec![Order::Activate {
            digest: Sha256Digest::of(b"pack"),
            targets: vec![0],
            wait: false,
        }]
    }

    #[test]
    fn useless_repairs_become_rarer_and_useful_ones_do_not() {
        let start = Instant::now();
        let mut repairs = Repairs::new(1, start);
        let lost = [Observation::Undecided];
        assert_eq!(repairs.due(order(), &lost, start), order());
        assert_eq!(repairs.due(order(), &lost, start), [], "not twice in a moment");
        assert_eq!(repairs.due(order(), &lost, start + FIRST_PAUSE), order());
        assert_eq!(
            repairs.due(order(), &lost, start + FIRST_PAUSE * 2),
            [],
            "the pause has doubled"
        );
        let found = [Observation::Deciding {
            digest: Sha256Digest::of(b"pack"),
        }];
        assert_eq!(repairs.due(Vec::new(), &found, start + FIRST_PAUSE * 2), []);
        assert_eq!(
            repairs.due(order(), &lost, start + FIRST_PAUSE * 2),
            order(),
            "success starts afresh"
        );
    }

    #[test]
    fn other_orders_pass() {
        let now = Instant::now();
        let mut repairs = Repairs::new(1, now);
        assert_eq!(repairs.due(vec![Order::Forgive], &[], now), [Order::Forgive]);
    }
}
