//! Tests of the verdicts: examples with their sentences, and simulation of whole runs.

mod early;
mod examples;
mod runs;

use super::*;
use crate::{
    Outcome, Threshold,
    stats::tests::traces::{Sorted, batches_of},
};
use std::time::Duration;

/// Evidence of a threshold on a trace of bad and good samples.
pub(super) fn evidence<'a>(key: &str, expression: &str, trace: &[bool], planned: u64) -> Evidence<'a> {
    let threshold = Threshold::parse(key, expression).unwrap();
    Evidence {
        key: threshold.key.to_string(),
        threshold,
        planned,
        n: trace.len() as u64,
        bad: trace.iter().filter(|&&bad| bad).count() as u64,
        hard_bad: 0,
        batches: batches_of(trace, usize::try_from(planned).unwrap()),
        observed: None,
        infinite: false,
        plain: None,
        ranked: None,
        only_answered: false,
        per_request: 1,
    }
}

/// `bad` bad samples, spread as evenly as possible over `n`.
pub(super) fn spread(n: usize, bad: usize) -> Vec<bool> {
    (0..n).map(|i| (i + 1) * bad / n > i * bad / n).collect()
}

/// A p(95)<350 on `n` samples, `bad` of them over it, spread evenly.
pub(super) fn p95<'a>(n: usize, bad: usize) -> Evidence<'a> {
    let mut e = evidence("http_req_duration", "p(95)<350", &spread(n, bad), n as u64);
    e.infinite = bad * 20 > n;
    e.observed = (!e.infinite).then_some(120.0);
    e.plain = Some(110.0);
    e
}

/// A run in which all requests got the right answer.
pub(super) fn totals(scheduled: u64) -> RunTotals {
    let mut outcomes = [0; 11];
    outcomes[Outcome::Ok as usize] = scheduled;
    RunTotals {
        scheduled,
        succeeded: scheduled,
        outcomes,
        completed: 1.0,
        interrupted: false,
        timeout_ms: 30_000.0,
    }
}

/// A generator that kept its schedule.
pub(super) fn valid() -> Validity {
    validity(ValidityInput {
        lag_p50_ms: 0.05,
        lag_p99_ms: 0.4,
        scheduled: 100,
        sent: 100,
        ..ValidityInput::default()
    })
}

/// A generator that did not.
pub(super) fn late() -> Validity {
    validity(ValidityInput {
        lag_p50_ms: 2.0,
        lag_p99_ms: 45.0,
        scheduled: 100,
        sent: 100,
        ..ValidityInput::default()
    })
}

pub(super) fn judged(evidence: &[Evidence<'_>]) -> Judgement {
    judge(
        evidence,
        &totals(evidence[0].n),
        valid(),
        &JudgeOptions::default(),
        None,
    )
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn sorted(values: Vec<f64>) -> Sorted {
    Sorted::new(values)
}
