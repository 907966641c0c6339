//! The whole run, judged.

use super::{
    Evidence, JudgeOptions, Judgement, RunTotals, Stop, ThresholdResult, Validity, Verdict, claim::Claim,
    decide::decide, words,
};
use crate::{
    Outcome,
    stats::{
        binomial,
        numbers::{count, percent},
    },
};

const INTERRUPTED: &str = "interrupted after";
/// Less of the schedule than this, without a reason for it, is no whole run.
const WHOLE: f64 = 0.995;

/// Judges a run. Reasons are in the order of their importance, and there is always one.
pub fn judge(
    evidence: &[Evidence<'_>],
    totals: &RunTotals,
    validity: Validity,
    options: &JudgeOptions,
    stop: Option<Stop>,
) -> Judgement {
    let thresholds: Vec<_> = evidence
        .iter()
        .map(|e| decide(e, totals, options, stop.as_ref()))
        .collect();
    let (verdict, mut reasons) = whole(evidence, &thresholds, totals, &validity, options, stop.as_ref());
    if !reasons.iter().any(|reason| reason.starts_with(INTERRUPTED)) {
        reasons.extend(stop.as_ref().map(|stop| stopped(stop, totals)));
    }
    Judgement {
        verdict,
        reasons,
        thresholds,
        validity,
        stop,
        completed: totals.completed,
    }
}

/// Whether requests were due and none got a right answer. A run that was interrupted before any of them could end does not count.
pub(super) fn nothing_succeeded(totals: &RunTotals) -> bool {
    let ended = Outcome::ALL
        .into_iter()
        .filter(|outcome| !matches!(outcome, Outcome::Ok | Outcome::Dropped | Outcome::Unfinished))
        .any(|outcome| totals.outcomes[outcome as usize] > 0);
    totals.scheduled > 0 && totals.succeeded == 0 && (ended || !totals.interrupted)
}

fn whole(
    evidence: &[Evidence<'_>],
    thresholds: &[ThresholdResult],
    totals: &RunTotals,
    validity: &Validity,
    options: &JudgeOptions,
    stop: Option<&Stop>,
) -> (Verdict, Vec<String>) {
    if let Some(Stop::NoSuccess { cause }) = stop {
        return (Verdict::Fail, vec![format!("no request succeeded: {cause}")]);
    }
    if nothing_succeeded(totals) {
        return (
            Verdict::Fail,
            vec![format!("no request succeeded: {}", words::main_cause(totals))],
        );
    }
    let of = |verdict: Verdict| -> Vec<String> {
        let named = |t: &ThresholdResult| format!("{} {}: {}", t.metric, t.expression, t.reason);
        thresholds.iter().filter(|t| t.verdict == verdict).map(named).collect()
    };
    let (failed, undecided) = (of(Verdict::Fail), of(Verdict::Inconclusive));
    if !validity.problems.is_empty() {
        let mut reasons = validity.problems.clone();
        if !evidence.iter().any(|e| fails_by_answers(e, options.confidence)) {
            reasons[0] = format!("the measurement cannot be trusted: {}", reasons[0]);
            return (Verdict::Invalid, reasons);
        }
        // Lateness makes answers late, and never wrong.
        reasons[0] = format!(
            "the generator had trouble of its own, which does not explain wrong answers: {}",
            reasons[0]
        );
        return (Verdict::Fail, failed.into_iter().chain(reasons).collect());
    }
    if !failed.is_empty() {
        return (Verdict::Fail, failed.into_iter().chain(undecided).collect());
    }
    if totals.scheduled == 0 || totals.succeeded == 0 {
        let reason = "no request came to an end, so nothing was measured".to_owned();
        return (Verdict::Inconclusive, vec![reason]);
    }
    if !undecided.is_empty() {
        return (Verdict::Inconclusive, undecided);
    }
    if totals.interrupted {
        let part = percent(totals.completed);
        let reason = format!("{INTERRUPTED} {part} of the schedule, so it is not known how it would have gone on");
        return (Verdict::Inconclusive, vec![reason]);
    }
    if totals.completed < WHOLE && !matches!(stop, Some(Stop::Sequential { .. })) {
        let reason = format!("only {} of the schedule was carried out", percent(totals.completed));
        return (Verdict::Inconclusive, vec![reason]);
    }
    (Verdict::Pass, vec![kept(thresholds.len(), totals)])
}

fn kept(thresholds: usize, totals: &RunTotals) -> String {
    let answered = format!(
        "{} of {} requests got a right answer",
        count(totals.succeeded),
        count(totals.scheduled)
    );
    match thresholds {
        0 => format!("no threshold was asked for, and {answered}"),
        1 => format!("the threshold is kept; {answered}"),
        more => format!("all {more} thresholds are kept; {answered}"),
    }
}

/// Whether a threshold FAILS by those samples alone that got a wrong answer, or none because nothing could be reached.
fn fails_by_answers(e: &Evidence<'_>, confidence: f64) -> bool {
    match Claim::of(&e.threshold) {
        Claim::Quantile { allowed, .. } | Claim::Share { allowed } => {
            e.hard_bad >= binomial::shows_over(e.n, allowed, 1.0 - confidence)
        }
        Claim::None => e.hard_bad > 0,
        Claim::CountUpTo | Claim::Figure => false,
    }
}

fn stopped(stop: &Stop, totals: &RunTotals) -> String {
    let after = format!("after {} of the schedule", percent(totals.completed));
    match stop {
        Stop::Decided { threshold } => {
            format!("stopped {after}: {threshold} could not be kept any more, whatever the rest had been")
        }
        Stop::Sequential { threshold, alpha } => {
            let shown = if threshold == super::stop::ALL {
                "all thresholds were shown to be kept".to_owned()
            } else {
                format!("{threshold} was shown to be broken")
            };
            format!(
                "stopped {after} by the sequential test: {shown} (error rate {})",
                percent(*alpha)
            )
        }
        Stop::NoSuccess { .. } => format!("stopped {after}, because nothing could be reached"),
        Stop::Interrupted => format!("{INTERRUPTED} {} of the schedule", percent(totals.completed)),
    }
}
