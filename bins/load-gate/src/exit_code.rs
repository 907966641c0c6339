//! Which number a verdict ends the process with.

use load_verdict::{Judgement, Verdict, judge::Stop};
use runtime::exit::Exit;

/// The house's exit code.
pub(crate) fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Done,
        Verdict::Fail => Exit::Negative,
        Verdict::Inconclusive | Verdict::Invalid => Exit::NoVerdict,
    }
}

/// The same as a number.
pub(crate) fn native(verdict: Verdict) -> u8 {
    exit(verdict).code()
}

/// k6's: 99 thresholds, 105 a signal, 108 aborted. k6 knows no "cannot be said": a run without a verdict is one that was
/// aborted, and never 0.
pub(crate) fn k6(judgement: &Judgement) -> u8 {
    match (judgement.verdict, &judgement.stop) {
        (_, Some(Stop::Interrupted)) => 105,
        (Verdict::Pass, _) => 0,
        (Verdict::Fail, _) => 99,
        (Verdict::Inconclusive | Verdict::Invalid, _) => 108,
    }
}

/// k6's numbers for an error before or beside a verdict: 104 configuration, 107 anything else.
pub(crate) fn k6_failure(exit: Exit) -> u8 {
    if exit == Exit::Usage { 104 } else { 107 }
}
