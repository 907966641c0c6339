//! Owns every decision of the reconciler: what to activate where, what to fall back to, when to call itself ready.
//!
//! Pure: events in, orders out, no clock and no I/O. The reconciler carries the orders out and reports back.
//!
//! ```text
//!             Admitted p                     a target decides by p
//!   (nothing) ------------> candidate = p ---------------------------> good = p, persisted
//!                                |  a target refuses p
//!                                +------------------------------------> p dropped, good activated again
//!   good, a target is seen to decide by something else or by nothing -> good activated there again
//! ```

use pack_verify::Sha256Digest;
use serde::Serialize;

/// Where one OPA (or the embedded engine) stands, as last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Observation {
    /// Not asked yet.
    Unknown,
    /// It did not answer, or refused to.
    Unreachable {
        /// What happened.
        why: String,
    },
    /// It answers, and nothing of ours decides there: its answers would be undefined.
    Undecided,
    /// It decides by this pack.
    Deciding {
        /// The pack's digest.
        digest: Sha256Digest,
    },
    /// It decides by something that is not ours.
    Foreign {
        /// What it says it decides by.
        revision: String,
    },
    /// It was given this pack and would not take it; what decided before still decides.
    Refused {
        /// The refused pack.
        digest: Sha256Digest,
        /// Its reason.
        why: String,
    },
}

impl Observation {
    pub(crate) fn decides_by(&self, wanted: Sha256Digest) -> bool {
        matches!(self, Self::Deciding { digest } if *digest == wanted)
    }
}

/// What the machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A pack came from MC and passed every check.
    Admitted(Sha256Digest),
    /// The last good pack of an earlier life was found on disk and passed every check again.
    Restored(Sha256Digest),
    /// An activation that the machine ordered ended; target number and what was seen there afterwards.
    Activated(Vec<(usize, Observation)>),
    /// All targets were looked at.
    Watched(Vec<Observation>),
}

/// What the machine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Make these targets decide by this pack, then report [`Event::Activated`].
    Activate {
        /// The pack.
        digest: Sha256Digest,
        /// Numbers of the targets.
        targets: Vec<usize>,
        /// Whether to wait for the outcome: a new pack is waited for, a repair is looked at with the next watch.
        wait: bool,
    },
    /// The pack decides: remember it across restarts.
    Persist(Sha256Digest),
    /// The pack was refused by a target; it will not be offered again, drop it.
    Drop {
        /// The pack.
        digest: Sha256Digest,
        /// The targets' words.
        why: String,
    },
    /// A refusal that depended on a target may be void, because that target was replaced: fetch without validators.
    Forgive,
}

/// What keeps the whole from being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// The target that is to blame, if one is.
    pub target: Option<usize>,
    /// What it does, as the rest of a sentence that begins with the target.
    pub why: String,
}

/// The state of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    targets: Vec<Observation>,
    good: Option<Sha256Digest>,
    candidate: Option<Sha256Digest>,
    refused: Option<Sha256Digest>,
}

impl Machine {
    /// A machine for `targets` OPAs that knows nothing yet.
    pub fn new(targets: usize) -> Self {
        Self {
            targets: vec![Observation::Unknown; targets],
            good: None,
            candidate: None,
            refused: None,
        }
    }

    /// The pack that decided last, here or in an earlier life.
    pub fn good(&self) -> Option<Sha256Digest> {
        self.good
    }

    /// The pack that should decide now: the newest admitted one that no target refused.
    pub fn wanted(&self) -> Option<Sha256Digest> {
        self.candidate.or(self.good)
    }

    /// The pack that a target refused last, until another one is admitted.
    pub fn refused(&self) -> Option<Sha256Digest> {
        self.refused
    }

    /// What was last seen at each target.
    pub fn targets(&self) -> &[Observation] {
        &self.targets
    }

    /// Whether every target decides by a pack that this process vouches for; the first reason when not.
    pub fn readiness(&self) -> Result<(), NotReady> {
        let Some(wanted) = self.wanted() else {
            return Err(NotReady {
                target: None,
                why: "no policy pack has been accepted yet".to_owned(),
            });
        };
        for (number, target) in self.targets.iter().enumerate() {
            let vouched = target.decides_by(wanted) || self.good.is_some_and(|good| target.decides_by(good));
            // A target that refused something goes on deciding by what it had, if it had anything.
            let kept =
                matches!(target, Observation::Refused { digest, .. } if self.good.is_some_and(|good| good != *digest));
            if !vouched && !kept {
                return Err(NotReady {
                    target: Some(number),
                    why: describe(target),
                });
            }
        }
        Ok(())
    }

    /// Takes an event, gives orders in the order in which they are to be carried out.
    pub fn on(&mut self, event: Event) -> Vec<Order> {
        match event {
            Event::Admitted(digest) => self.admitted(digest),
            Event::Restored(digest) if self.wanted().is_none() => self.admitted(digest),
            Event::Restored(_) => Vec::new(),
            Event::Activated(seen) => self.activated(seen),
            Event::Watched(seen) => self.watched(seen),
        }
    }

    fn all(&self) -> Vec<usize> {
        (0..self.targets.len()).collect()
    }

    fn admitted(&mut self, digest: Sha256Digest) -> Vec<Order> {
        if self.refused == Some(digest) || self.candidate == Some(digest) {
            return Vec::new();
        }
        self.refused = None;
        if self.good == Some(digest) {
            // MC went back to what decides anyway; whatever was on its way is void.
            self.candidate = None;
        } else {
            self.candidate = Some(digest);
        }
        vec![Order::Activate {
            digest,
            targets: self.all(),
            wait: true,
        }]
    }

    fn activated(&mut self, seen: Vec<(usize, Observation)>) -> Vec<Order> {
        for (number, observation) in seen {
            if let Some(target) = self.targets.get_mut(number) {
                *target = observation;
            }
        }
        self.settle().unwrap_or_default()
    }

    fn watched(&mut self, seen: Vec<Observation>) -> Vec<Order> {
        let mut orders = Vec::new();
        for (target, observation) in self.targets.iter_mut().zip(seen) {
            let came_back_empty = observation == Observation::Undecided && *target != Observation::Undecided;
            if came_back_empty && self.refused.take().is_some() {
                orders.push(Order::Forgive);
            }
            *target = observation;
        }
        if let Some(settled) = self.settle() {
            orders.extend(settled);
            return orders;
        }
        let Some(wanted) = self.wanted() else {
            return orders;
        };
        let astray = |target: &Observation| match target {
            Observation::Undecided | Observation::Foreign { .. } => true,
            Observation::Deciding { digest } => *digest != wanted,
            Observation::Unknown | Observation::Unreachable { .. } | Observation::Refused { .. } => false,
        };
        let targets: Vec<usize> = (0..)
            .zip(&self.targets)
            .filter(|(_, target)| astray(target))
            .map(|(number, _)| number)
            .collect();
        if !targets.is_empty() {
            orders.push(Order::Activate {
                digest: wanted,
                targets,
                wait: false,
            });
        }
        orders
    }

    /// Judges the candidate by what the targets were seen to do with it; `None` while that is open.
    fn settle(&mut self) -> Option<Vec<Order>> {
        let candidate = self.candidate?;
        let refusals: Vec<String> = self
            .targets
            .iter()
            .filter_map(|target| match target {
                Observation::Refused { digest, why } if *digest == candidate => Some(why.clone()),
                _ => None,
            })
            .collect();
        if !refusals.is_empty() {
            // One refusal is enough: two OPAs must not decide by two packs.
            self.candidate = None;
            self.refused = Some(candidate);
            let mut orders = vec![Order::Drop {
                digest: candidate,
                why: refusals.join("; "),
            }];
            orders.extend(self.good.map(|digest| Order::Activate {
                digest,
                targets: self.all(),
                wait: false,
            }));
            return Some(orders);
        }
        if self.targets.iter().any(|target| target.decides_by(candidate)) {
            self.candidate = None;
            self.good = Some(candidate);
            return Some(vec![Order::Persist(candidate)]);
        }
        None
    }
}

fn describe(target: &Observation) -> String {
    match target {
        Observation::Unknown => "has not been asked yet".to_owned(),
        Observation::Unreachable { why } => format!("is unreachable: {why}"),
        Observation::Undecided => "has no policy: its answers would be undefined".to_owned(),
        Observation::Deciding { digest } => {
            format!("decides by {}, which is not the last accepted pack", digest.short())
        }
        Observation::Foreign { revision } => format!("decides by `{revision}`, which is not ours"),
        Observation::Refused { why, .. } => format!("refused the only pack there is: {why}"),
    }
}

#[cfg(test)]
mod tests;
