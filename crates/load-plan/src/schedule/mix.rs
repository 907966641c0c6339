//! Which request an arrival is, by weight: a fixed cycle, spread as evenly as the weights allow, so that the number of each
//! is known before the run and the same in every run.

use super::ScheduleError;

/// Longest cycle of a mix.
pub const MAX_WEIGHTS: u64 = 10_000;

/// A cycle of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    cycle: Box<[u16]>,
}

impl Mix {
    /// Always the same request.
    pub fn single(request: u16) -> Self {
        Self {
            cycle: Box::new([request]),
        }
    }

    /// Requests with their weights.
    ///
    /// # Errors
    /// No weight over 0, or weights whose reduced sum is over [`MAX_WEIGHTS`].
    pub fn weighted(weights: &[(u16, u32)]) -> Result<Self, ScheduleError> {
        let common = weights.iter().fold(0, |common, (_, weight)| gcd(common, *weight));
        if common == 0 {
            return Err(ScheduleError::Empty);
        }
        let weights: Vec<(u16, i64)> = weights
            .iter()
            .map(|(request, weight)| (*request, i64::from(weight / common)))
            .collect();
        let sum: i64 = weights.iter().map(|(_, weight)| weight).sum();
        let length = sum.unsigned_abs();
        if length > MAX_WEIGHTS {
            return Err(ScheduleError::Weights { found: length });
        }
        // Smooth weighted round robin: everybody gains its weight, the richest is taken and pays the sum.
        let mut credit: Vec<i64> = vec![0; weights.len()];
        let mut cycle = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        for _ in 0..length {
            let mut best = 0;
            for (index, (_, weight)) in weights.iter().enumerate() {
                credit[index] += weight;
                if credit[index] > credit[best] {
                    best = index;
                }
            }
            credit[best] -= sum;
            cycle.push(weights[best].0);
        }
        Ok(Self { cycle: cycle.into() })
    }

    /// The request of arrival `index`.
    pub(super) fn request(&self, index: u64) -> u16 {
        let at = index % self.cycle.len().max(1) as u64;
        usize::try_from(at)
            .ok()
            .and_then(|at| self.cycle.get(at))
            .copied()
            .unwrap_or(0)
    }

    /// How many of the first `count` arrivals are `request`.
    pub(super) fn planned(&self, request: u16, count: u64) -> u64 {
        let length = self.cycle.len().max(1) as u64;
        let of = |part: &[u16]| part.iter().filter(|each| **each == request).count() as u64;
        let rest = usize::try_from(count % length).unwrap_or(0);
        count / length * of(&self.cycle) + of(&self.cycle[..rest])
    }

    /// The requests in it, in the order of their first turn.
    pub fn requests(&self) -> Vec<u16> {
        let mut seen = Vec::new();
        for request in &self.cycle {
            if !seen.contains(request) {
                seen.push(*request);
            }
        }
        seen
    }
}

fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
