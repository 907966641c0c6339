//! The checks that run, and the verdicts that are kept: which request starts one, joins one, is answered from memory or
//! has to wait. Pure: the caller passes the time.

use super::answer::{Ended, Finding, Trouble};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};
use url::Url;

/// What is checked; two requests with the same key are about the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The release.
    pub(crate) release_id: String,
    /// Tells apart several checks of one release, such as those at 20 % and at 50 %.
    pub(crate) attempt: Option<String>,
    /// The check.
    pub(crate) what: What,
}

/// The check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// MC's `evidenceOk`.
    Evidence {
        /// The service.
        service: String,
    },
    /// A load run.
    Run {
        /// Name of a scenario file.
        plan: String,
        /// Target instead of the scenario's.
        url: Option<Url>,
    },
}

/// The two kinds of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// MC's `evidenceOk`.
    Evidence,
    /// A load run.
    Run,
}

impl What {
    /// Which kind.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Evidence { .. } => Kind::Evidence,
            Self::Run { .. } => Kind::Run,
        }
    }
}

/// What the board allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoardRules {
    /// Load runs at a time.
    pub(crate) max_runs: usize,
    /// Evidence checks at a time.
    pub(crate) max_evidence: usize,
    /// How long a verdict answers repeats.
    pub(crate) keep_for: Duration,
    /// Verdicts that are kept at most.
    pub(crate) keep: usize,
}

/// One check, as callers see it.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// Its name in `GET /v1/checks/{id}`.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) key: Key,
    /// When it began, for people.
    pub(crate) started_at: jiff::Timestamp,
    /// When it began.
    pub(crate) started: Instant,
    /// Its end, when there is one.
    pub(crate) end: watch::Receiver<Option<Arc<Ended>>>,
}

impl Check {
    /// The end, if it came.
    pub(crate) fn ended(&self) -> Option<Arc<Ended>> {
        self.end.borrow().clone()
    }
}

#[derive(Debug)]
struct Entry {
    check: Check,
    ending: watch::Sender<Option<Arc<Ended>>>,
    /// Somebody was told how it ended.
    told: bool,
}

/// How long an end waits for those who were told "running" and come again: well over Argo's 10 s between two tries.
const UNTOLD: Duration = Duration::from_mins(1);

impl Entry {
    /// Whether the end answers one more request. Everybody who started or joined the check is owed its end. Beyond that
    /// only a load run's verdict lasts: it was dear, and asking again would mean more load. What MC says may change at any
    /// time and costs nothing to ask for, and a failure is there to be tried again.
    fn answers(&self, ended: &Ended, max_age: Option<Duration>, now: Instant) -> bool {
        let age = now.duration_since(ended.ended);
        let owed = !self.told && age <= UNTOLD;
        let lasting = self.check.key.what.kind() == Kind::Run && ended.outcome.is_ok();
        owed || (lasting && max_age.is_none_or(|max| age <= max))
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Admission {
    /// A new check: the caller starts it.
    Started(Check),
    /// The same check runs already.
    Joined(Check),
    /// The same check ended a short while ago.
    Kept(Check),
    /// Another load run of this release is on its way.
    Conflict(Check),
    /// As many run as may.
    Full {
        /// The kind that is full.
        kind: Kind,
        /// How many may run.
        limit: usize,
    },
}

/// All checks.
#[derive(Debug)]
pub(crate) struct Board {
    rules: BoardRules,
    /// Tells the checks of this process from those of the one before.
    prefix: String,
    next: u64,
    /// In the order of their start.
    entries: BTreeMap<u64, Entry>,
}

impl Board {
    /// An empty one. `born` makes ids unique across restarts.
    pub(crate) fn new(rules: BoardRules, born: jiff::Timestamp) -> Self {
        Self {
            rules,
            prefix: format!("{:x}", born.as_millisecond()),
            next: 1,
            entries: BTreeMap::new(),
        }
    }

    /// Decides about a request.
    pub(crate) fn admit(
        &mut self,
        key: &Key,
        max_age: Option<Duration>,
        now: Instant,
        clock: jiff::Timestamp,
    ) -> Admission {
        self.forget(now);
        // The newest one counts: an older one with the same key is still kept for those who know its id.
        if let Some(entry) = self.entries.values_mut().rev().find(|entry| entry.check.key == *key) {
            match entry.check.ended() {
                None => return Admission::Joined(entry.check.clone()),
                Some(ended) if entry.answers(&ended, max_age, now) => {
                    entry.told = true;
                    return Admission::Kept(entry.check.clone());
                }
                Some(_) => {}
            }
        }
        let kind = key.what.kind();
        let running = || {
            let all = self.entries.values().map(|entry| &entry.check);
            all.filter(move |check| check.key.what.kind() == kind && check.ended().is_none())
        };
        if kind == Kind::Run
            && let Some(other) = running().find(|check| check.key.release_id == key.release_id)
        {
            return Admission::Conflict(other.clone());
        }
        let limit = match kind {
            Kind::Run => self.rules.max_runs,
            Kind::Evidence => self.rules.max_evidence,
        };
        if running().count() >= limit {
            return Admission::Full { kind, limit };
        }
        let (ending, end) = watch::channel(None);
        let check = Check {
            id: format!("{}-{}", self.prefix, self.next),
            key: key.clone(),
            started_at: clock,
            started: now,
            end,
        };
        self.entries.insert(
            self.next,
            Entry {
                check: check.clone(),
                ending,
                told: false,
            },
        );
        self.next += 1;
        Admission::Started(check)
    }

    /// Writes down how a check ended and wakes everybody who waits for it. `false` when it had ended before.
    pub(crate) fn end(
        &mut self,
        id: &str,
        outcome: Result<Finding, Trouble>,
        now: Instant,
        clock: jiff::Timestamp,
    ) -> bool {
        let Some(entry) = self.entries.values_mut().find(|entry| entry.check.id == id) else {
            return false;
        };
        if entry.check.ended().is_some() {
            return false;
        }
        let ended = Ended {
            outcome,
            ended_at: clock,
            ended: now,
        };
        entry.ending.send_replace(Some(Arc::new(ended)));
        self.forget(now);
        true
    }

    /// Somebody was told how this check ended.
    pub(crate) fn told(&mut self, id: &str) {
        if let Some(entry) = self.entries.values_mut().find(|entry| entry.check.id == id) {
            entry.told = true;
        }
    }

    /// A check by its id.
    pub(crate) fn get(&mut self, id: &str, now: Instant) -> Option<Check> {
        self.forget(now);
        let mut checks = self.entries.values().map(|entry| &entry.check);
        checks.find(|check| check.id == id).cloned()
    }

    /// Lets go of what is too old or too much. Running checks stay.
    fn forget(&mut self, now: Instant) {
        let keep_for = self.rules.keep_for;
        let fresh = |ended: &Ended| now.duration_since(ended.ended) <= keep_for;
        self.entries
            .retain(|_, entry| entry.check.ended().is_none_or(|ended| fresh(&ended)));
        let mut ended: Vec<(Instant, u64)> = self
            .entries
            .iter()
            .filter_map(|(number, entry)| Some((entry.check.ended()?.ended, *number)))
            .collect();
        ended.sort_unstable();
        let too_many = ended.len().saturating_sub(self.rules.keep);
        for (_, number) in ended.into_iter().take(too_many) {
            self.entries.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests;
