//! What a tally must know of the plan beforehand: tags, checks, thresholds, and how many requests of each kind are due.

use crate::{
    Outcome, Sample, Threshold,
    threshold::{Metric, MetricKey},
};
use std::time::Duration;

/// `name:value` pairs.
pub type Tags = Vec<(String, String)>;

/// One kind of request of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestSpec {
    /// Its tags: the user's own, and `name`, `method` and `url` if thresholds may select by them. A result document shows
    /// them, so `url` must hold no secret.
    pub tags: Tags,
    /// Bit `i`: check `i` is made of its responses.
    pub checks: u32,
}

/// What a tally must know of the plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TallySpec {
    /// Tags of each scenario, `scenario` itself among them; a sample's `scenario` is an index into this.
    pub scenarios: Vec<Tags>,
    /// Each kind of request; a sample's `request` is an index into this.
    pub requests: Vec<RequestSpec>,
    /// Names of the checks; bit `i` of a sample's `checks_made` is check `i`.
    pub checks: Vec<String>,
    /// The thresholds.
    pub thresholds: Vec<Threshold>,
    /// Requests that the counted part of the schedule holds, at `scenario * requests.len() + request`.
    pub planned: Vec<u64>,
    /// Length of the counted part.
    pub counted: Duration,
    /// Length of the warm-up before it.
    pub warm_up: Duration,
    /// Longest time from due to done.
    pub timeout: Duration,
}

impl TallySpec {
    /// Requests that are planned in all.
    pub fn planned_total(&self) -> u64 {
        self.planned.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether any sample can have these tags. k6 silently passes a threshold whose tags match nothing.
    pub fn reaches(&self, key: &MetricKey) -> bool {
        let filter = Filter::new(self, key);
        let somewhere = (0..self.scenarios.len()).any(|scenario| {
            (0..self.requests.len()).any(|request| {
                filter.matches_plan(self, scenario, request)
                    && (key.metric != Metric::Checks || self.requests[request].checks & filter.checks != 0)
            })
        });
        somewhere && filter.dynamic.iter().all(|condition| *condition != Condition::Never)
    }

    fn tag(&self, scenario: usize, request: usize, name: &str) -> Option<&str> {
        let of = |tags: &'_ Tags| tags.iter().position(|(known, _)| known == name);
        let (requests, scenarios) = (&self.requests[request].tags, &self.scenarios[scenario]);
        match of(requests) {
            Some(at) => Some(&requests[at].1),
            None => of(scenarios).map(|at| scenarios[at].1.as_str()),
        }
    }
}

/// What the answer itself must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// `status:200`; 0 is "no response".
    Status(u16),
    /// `expected_response:true`: the status is from 200 to 399.
    Expected(bool),
    /// `outcome:timeout` or `error_code:timeout`.
    Outcome(Outcome),
    /// No sample has it.
    Never,
}

impl Condition {
    fn holds(self, sample: &Sample) -> bool {
        match self {
            Self::Status(status) => sample.status == status,
            Self::Expected(expected) => is_expected(sample) == expected,
            Self::Outcome(outcome) => sample.outcome == outcome,
            Self::Never => false,
        }
    }

    /// Whether only requests that got a response can meet it.
    fn needs_answer(self) -> bool {
        match self {
            Self::Status(status) => status != 0,
            Self::Expected(expected) => expected,
            Self::Outcome(outcome) => outcome.answered(),
            Self::Never => false,
        }
    }
}

/// k6's `expected_response`, with its default of 200 to 399.
pub(super) const fn is_expected(sample: &Sample) -> bool {
    matches!(sample.status, 200..=399)
}

/// The tags of a key, taken apart: what the plan decides, and what the answer decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    statics: Tags,
    dynamic: Vec<Condition>,
    /// For `checks`: which of them.
    pub(super) checks: u32,
}

impl Filter {
    pub(super) fn new(spec: &TallySpec, key: &MetricKey) -> Self {
        let mut filter = Self {
            statics: Vec::new(),
            dynamic: Vec::new(),
            checks: u32::MAX,
        };
        for (name, value) in &key.tags {
            match name.as_str() {
                "status" => filter
                    .dynamic
                    .push(value.parse().map_or(Condition::Never, Condition::Status)),
                "expected_response" => filter.dynamic.push(match value.as_str() {
                    "true" => Condition::Expected(true),
                    "false" => Condition::Expected(false),
                    _ => Condition::Never,
                }),
                "outcome" | "error_code" => {
                    let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == value);
                    // k6's numbers for statuses: 1404 is a 404.
                    let status = || {
                        Some(Condition::Status(value.parse::<u16>().ok()?.checked_sub(1000)?))
                            .filter(|_| name == "error_code")
                    };
                    filter.dynamic.push(
                        outcome
                            .map(Condition::Outcome)
                            .or_else(status)
                            .unwrap_or(Condition::Never),
                    );
                }
                "check" if key.metric == Metric::Checks => {
                    filter.checks = spec
                        .checks
                        .iter()
                        .enumerate()
                        .filter(|(_, check)| *check == value)
                        .fold(0, |mask, (index, _)| mask | bit(index));
                }
                _ => filter.statics.push((name.clone(), value.clone())),
            }
        }
        filter
    }

    /// Whether samples of this kind can match, as far as the plan tells.
    pub(super) fn matches_plan(&self, spec: &TallySpec, scenario: usize, request: usize) -> bool {
        self.statics
            .iter()
            .all(|(name, value)| spec.tag(scenario, request, name) == Some(value))
    }

    /// Whether this answer matches; the plan's part is [`matches_plan`](Self::matches_plan)'s.
    pub(super) fn matches_answer(&self, sample: &Sample) -> bool {
        self.dynamic.iter().all(|condition| condition.holds(sample))
    }

    pub(super) fn only_answered(&self) -> bool {
        self.dynamic.iter().any(|condition| condition.needs_answer())
    }
}

/// The bit of check `index`.
pub(super) const fn bit(index: usize) -> u32 {
    if index < 32 { 1 << index } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_key_reaches_what_the_plan_has() {
        let spec = TallySpec {
            scenarios: vec![
                tags(&[("scenario", "day"), ("team", "a")]),
                tags(&[("scenario", "night")]),
            ],
            requests: vec![
                RequestSpec {
                    tags: tags(&[("op", "read")]),
                    checks: 1,
                },
                RequestSpec {
                    tags: tags(&[("op", "write"), ("team", "b")]),
                    checks: 0,
                },
            ],
            checks: vec!["status==200".to_owned()],
            ..TallySpec::default()
        };
        let reaches = |key: &str| {
            let flag = if key.starts_with("checks") {
                format!("{key}=rate>0.9")
            } else {
                format!("{key}=p(95)<1")
            };
            spec.reaches(&Threshold::parse_flag(&flag).unwrap().key)
        };
        for key in [
            "http_req_duration",
            "http_req_duration{op:read}",
            "http_req_duration{op:read,team:a,scenario:day}",
            "http_req_duration{op:write,team:b,scenario:day}",
            "http_req_duration{op:read,status:503,expected_response:false}",
            "http_req_duration{error_code:1503}",
            "http_req_duration{outcome:timeout}",
            "checks{check:status==200,op:read}",
        ] {
            assert!(reaches(key), "{key}");
        }
        for key in [
            "http_req_duration{op:delete}",
            "http_req_duration{op:write,team:a}",
            "http_req_duration{op:read,team:a,scenario:night}",
            "http_req_duration{status:ok}",
            "http_req_duration{outcome:bad}",
            "checks{check:status==201}",
            "checks{op:write}",
        ] {
            assert!(!reaches(key), "{key}");
        }
    }
}
