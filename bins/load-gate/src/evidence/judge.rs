//! Owns what one answer, or the lack of one, comes to. No I/O.

use jiff::Timestamp;
use load_verdict::Verdict;
use mc_client::{EvidenceError, EvidenceErrorKind, EvidenceOk};

use super::age::{Age, AgeError, AgeRule};
use super::outcome::Cause;

/// What came of one question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) cause: Cause,
    /// At least one.
    pub(super) reasons: Vec<String>,
    /// The answer, when there was one; not necessarily one that passes.
    pub(super) answer: Option<EvidenceOk>,
    /// When the measurement ended, if that is known.
    pub(super) ended: Option<Timestamp>,
    /// Whether asking again may change it.
    pub(super) again: bool,
}

pub(super) fn judge(asked: Result<EvidenceOk, EvidenceError>, rule: &AgeRule, now: Timestamp) -> Judged {
    match asked {
        Err(error) => no_answer(&error),
        Ok(answer) => match rule.judge(&answer.snapshot.window, now) {
            Err(age) => Judged {
                verdict: Verdict::Invalid,
                cause: Cause::NotTrusted,
                reasons: vec![age.to_string()],
                again: matches!(age, AgeError::Stale { .. }),
                answer: Some(answer),
                ended: None,
            },
            Ok(age) => answered(answer, age),
        },
    }
}

fn answered(answer: EvidenceOk, age: Age) -> Judged {
    let (verdict, mut reasons) = if answer.ok {
        (Verdict::Pass, vec![format!("MC says ok: {}", figures(&answer))])
    } else if answer.reasons.is_empty() {
        let reason = format!("MC says not ok and gives no reason: {}", figures(&answer));
        (Verdict::Fail, vec![reason])
    } else {
        (Verdict::Fail, answer.reasons.clone())
    };
    let ended = match age {
        Age::Fresh { ended } => Some(ended),
        Age::Unknown if answer.ok => {
            // A pass that rests on figures of an unknown age says so.
            reasons.push(format!(
                "the age of the snapshot is not known: its window {:?} names no time",
                answer.snapshot.window
            ));
            None
        }
        Age::Unknown => None,
    };
    Judged {
        verdict,
        cause: Cause::Answered,
        reasons,
        answer: Some(answer),
        ended,
        again: false,
    }
}

fn no_answer(error: &EvidenceError) -> Judged {
    let (verdict, cause) = match error.kind() {
        EvidenceErrorKind::NoEvidence => (Verdict::Inconclusive, Cause::NoEvidence),
        EvidenceErrorKind::NotTrusted => (Verdict::Invalid, Cause::NotTrusted),
        EvidenceErrorKind::Unavailable => (Verdict::Inconclusive, Cause::Unavailable),
    };
    Judged {
        verdict,
        cause,
        reasons: vec![runtime::exit::chain_of(error)],
        answer: None,
        ended: None,
        again: error.may_change(),
    }
}

/// The figures that MC decided by, for people.
fn figures(answer: &EvidenceOk) -> String {
    let snapshot = &answer.snapshot;
    format!(
        "p95 {} ms, error rate {}, window {}",
        snapshot.p95_ms, snapshot.error_rate, snapshot.window
    )
}
