//! The sentences of a judgement. Whoever reads them at 3 a.m. knows the service and not the statistics.

use super::{Evidence, RunTotals, claim::Claim};
use crate::{
    Outcome,
    stats::numbers::{count, figure, ms, percent},
    threshold::{Kind, Metric, Operator},
};

impl Evidence<'_> {
    /// The threshold, as it is named in reasons and stops: `http_req_duration p(95)<350`.
    pub fn label(&self) -> String {
        format!("{} {}", self.key, self.threshold.expression)
    }

    pub(super) fn kind(&self) -> Kind {
        self.threshold.key.metric.kind()
    }

    /// `requests` or `checks`.
    pub(super) fn noun(&self) -> &'static str {
        if self.threshold.key.metric == Metric::Checks {
            "checks"
        } else {
            "requests"
        }
    }

    /// A figure of this metric with its unit.
    pub(super) fn written(&self, value: Option<f64>) -> String {
        match (self.kind(), value) {
            (Kind::Trend, value) => ms(value),
            (_, None) => "unknown".to_owned(),
            (Kind::Rate, Some(value)) => percent(value),
            (Kind::Counter | Kind::Gauge, Some(value)) => figure(value),
        }
    }

    /// `p(95) is 412 ms, the limit is 350 ms`.
    pub(super) fn against_limit(&self) -> String {
        let observed = if self.observed.is_none() && !self.infinite {
            "unknown".to_owned()
        } else {
            self.written(self.observed)
        };
        let limit = self.written(Some(self.threshold.limit));
        let asked = match self.threshold.operator {
            Operator::Less | Operator::LessOrEqual => format!("the limit is {limit}"),
            Operator::Greater | Operator::GreaterOrEqual => format!("at least {limit} is asked for"),
            Operator::Equal => format!("exactly {limit} is asked for"),
            Operator::NotEqual => format!("anything but {limit} is asked for"),
        };
        format!("{} is {observed}, {asked}", self.threshold.aggregation)
    }

    /// What bad samples did: `took 350 ms or longer, or got no right answer`.
    pub(super) fn did(&self) -> String {
        let limit = self.written(Some(self.threshold.limit));
        let operator = self.threshold.operator;
        let metric = self.threshold.key.metric;
        let whole = matches!(metric, Metric::HttpReqDuration | Metric::IterationDuration);
        match (self.kind(), operator) {
            (Kind::Trend, Operator::Less | Operator::LessOrEqual) if whole => {
                let took = if operator == Operator::Less {
                    format!("{limit} or longer")
                } else {
                    format!("longer than {limit}")
                };
                if self.only_answered {
                    format!("took {took}")
                } else {
                    format!("took {took}, or got no right answer")
                }
            }
            (Kind::Trend, Operator::Less) => format!("had {metric} of {limit} or more"),
            (Kind::Trend, Operator::LessOrEqual) => format!("had {metric} of more than {limit}"),
            (Kind::Trend, Operator::Greater) => format!("had {metric} of {limit} or less"),
            (Kind::Trend, Operator::GreaterOrEqual) => format!("had {metric} of less than {limit}"),
            (Kind::Rate, Operator::Greater | Operator::GreaterOrEqual) if metric == Metric::HttpReqFailed => {
                "did not fail".to_owned()
            }
            (Kind::Rate, Operator::Less | Operator::LessOrEqual) if metric == Metric::Checks => "passed".to_owned(),
            (Kind::Rate, _) => "failed".to_owned(),
            _ => "broke the limit".to_owned(),
        }
    }

    /// `312 of 15,000 requests (2.08 %) took 350 ms or longer, or got no right answer`.
    pub(super) fn bad_of_all(&self) -> String {
        let share = self.bad as f64 / self.n.max(1) as f64;
        format!(
            "{} of {} {} ({}) {}",
            count(self.bad),
            count(self.n),
            self.noun(),
            percent(share),
            self.did()
        )
    }

    /// For latencies: how many of the bad ones got an answer that was wrong, or none.
    pub(super) fn hard_part(&self) -> String {
        if self.kind() == Kind::Trend && self.hard_bad > 0 {
            format!(
                " ({} of them got a wrong answer or no connection)",
                count(self.hard_bad)
            )
        } else {
            String::new()
        }
    }
}

/// The bounds that a share was judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) allowed: f64,
    pub(super) confidence: f64,
    /// Most bad samples for a PASS.
    pub(super) pass: Option<u64>,
    /// Fewest bad samples for a FAIL.
    pub(super) fail: u64,
    /// Fewest samples for a PASS when none is bad.
    pub(super) needed: u64,
    pub(super) dependence: f64,
}

/// `; at most 5 % may, and up to 705 show that at 95 % confidence`.
pub(super) fn passed(e: &Evidence<'_>, b: Bounds) -> String {
    let shown = match b.pass {
        Some(0) => "with none at all it is shown".to_owned(),
        _ => format!("with {} or fewer it is shown", count(b.pass.unwrap_or(0))),
    };
    format!(
        "{}; at most {} may, and {shown} at {} confidence{}",
        lead(e),
        percent(b.allowed),
        percent(b.confidence),
        stretches(e, b.dependence)
    )
}

pub(super) fn failed(e: &Evidence<'_>, b: Bounds) -> String {
    format!(
        "{}{}; at most {} may, and {} or more are a FAIL at {} confidence",
        lead(e),
        e.hard_part(),
        percent(b.allowed),
        count(b.fail),
        percent(b.confidence)
    )
}

pub(super) fn undecided(e: &Evidence<'_>, b: Bounds) -> String {
    if e.n < b.needed {
        return format!(
            "{} {} are too few: at least {} are needed to show this at {} confidence, even if all of them are good ({})",
            count(e.n),
            e.noun(),
            count(b.needed),
            percent(b.confidence),
            e.bad_of_all()
        );
    }
    let pass = b.pass.map_or_else(
        || "no number of them is a PASS".to_owned(),
        |k| format!("{} or fewer are a PASS", count(k)),
    );
    format!(
        "{}; at most {} may: {pass} and {} or more a FAIL at {} confidence, so more {} are needed to tell{}",
        lead(e),
        percent(b.allowed),
        count(b.fail),
        percent(b.confidence),
        e.noun(),
        stretches(e, b.dependence)
    )
}

fn lead(e: &Evidence<'_>) -> String {
    match Claim::of(&e.threshold) {
        Claim::Quantile { .. } => format!("{}: {}", e.against_limit(), e.bad_of_all()),
        _ => e.bad_of_all(),
    }
}

/// Said when dependence costs more than half of the samples.
fn stretches(e: &Evidence<'_>, dependence: f64) -> String {
    if dependence < 2.0 {
        return String::new();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let worth = (e.n as f64 / dependence).round().max(1.0) as u64;
    format!(
        " (the bad ones came in stretches, so the {} {} tell only as much as {} independent ones)",
        count(e.n),
        e.noun(),
        count(worth)
    )
}

/// What befell most requests that did not succeed: `12 of 15 could not connect`.
pub(super) fn main_cause(totals: &RunTotals) -> String {
    let worst = Outcome::ALL
        .into_iter()
        .skip(1)
        .map(|o| (totals.outcomes[o as usize], o))
        .rev()
        .max_by_key(|(n, _)| *n);
    match worst {
        Some((n, outcome)) if n > 0 => {
            format!(
                "{} of {} requests {}",
                count(n),
                count(totals.scheduled),
                befell(outcome)
            )
        }
        _ => format!("none of {} requests came to an end", count(totals.scheduled)),
    }
}

const fn befell(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "succeeded",
        Outcome::HttpError => "were answered with a status of 400 or above",
        Outcome::CheckFailed => "were answered wrongly (a check failed)",
        Outcome::Timeout => "were not answered within the time limit",
        Outcome::Dns => "could not resolve the host name",
        Outcome::Connect => "could not connect (refused or unreachable)",
        Outcome::Tls => "failed in the TLS handshake",
        Outcome::Reset => "lost their connection before the answer was complete",
        Outcome::Protocol => "were answered with something that is not HTTP",
        Outcome::Dropped => "were never sent, because too many were waiting already",
        Outcome::Unfinished => "had not ended when the run was cut off",
    }
}
