//! Whether a run may end before its time.
//!
//! **Exact**: a threshold on a share FAILS the full run once its bad samples alone are as many as a full run may not have, whatever
//! comes after: they only grow. (The FAIL bound is not widened for dependence, so it does not move.)
//!
//! **Sequential**: the anytime-valid test of [`crate::stats::sequential`]. A FAIL of any of `m` thresholds is tested at `alpha/m`; a
//! PASS needs every threshold to be shown at `alpha`, so at least one truly broken threshold would have to be passed wrongly. Either
//! way a run is stopped with the wrong verdict with a probability of at most `alpha`.

use super::{Evidence, JudgeOptions, Progress, Stop, StopRule, claim::Claim};
use crate::stats::{binomial, dependence, sequential};

/// The threshold of a [`Stop::Sequential`] that stands for a PASS of all of them.
pub(super) const ALL: &str = "all";

/// Whether the run may be stopped now, and why. Any number of calls at any time is right.
pub fn early_stop(evidence: &[Evidence<'_>], options: &JudgeOptions, progress: &Progress) -> Option<Stop> {
    if options.stop_rule == StopRule::Never || progress.elapsed < options.min_duration {
        return None;
    }
    let ready = || evidence.iter().filter(|e| progress.elapsed >= e.threshold.delay_abort);
    if let Some(decided) = ready().find(|e| fails_whatever_comes(e, options.confidence, progress.valid_so_far)) {
        return Some(Stop::Decided {
            threshold: decided.label(),
        });
    }
    // What a late generator measures proves nothing: it has to go on, and may still turn out to be good enough.
    match options.stop_rule {
        StopRule::Sequential { alpha } if progress.valid_so_far => sequential_stop(evidence, alpha, progress),
        _ => None,
    }
}

/// Whether the full run's FAIL is certain. While the generator is not valid only those samples count that its lateness cannot
/// explain, as in the verdict.
fn fails_whatever_comes(e: &Evidence<'_>, confidence: f64, valid: bool) -> bool {
    let bad = if valid { e.bad } else { e.hard_bad };
    match Claim::of(&e.threshold) {
        Claim::Quantile { allowed, .. } | Claim::Share { allowed } => {
            let full = e.planned.max(e.n) as f64;
            bad as f64 > full * allowed && binomial::at_least(full, bad as f64, allowed) <= 1.0 - confidence
        }
        Claim::None => bad > 0,
        Claim::CountUpTo => {
            valid
                && e.observed
                    .is_some_and(|v| !e.threshold.operator.holds(v, e.threshold.limit))
        }
        Claim::Figure => false,
    }
}

fn sequential_stop(evidence: &[Evidence<'_>], alpha: f64, progress: &Progress) -> Option<Stop> {
    let stop = |threshold: String| Some(Stop::Sequential { threshold, alpha });
    let testable = |e: &&Evidence<'_>| Claim::of(&e.threshold).allowed().is_some();
    let ready = |e: &&Evidence<'_>| progress.elapsed >= e.threshold.delay_abort;
    let tested = evidence.iter().filter(testable).count();
    let over = (tested as f64 / alpha).ln();
    let broken = |e: &&Evidence<'_>| shown(e, progress.pending, |found| found.over >= over);
    if let Some(e) = evidence.iter().filter(testable).filter(ready).find(broken) {
        return stop(e.label());
    }
    let under = -alpha.ln();
    let kept = |e: &Evidence<'_>| {
        ready(&e) && filled(e) >= STRETCHES_FOR_PASS && shown(e, progress.pending, |found| found.under >= under)
    };
    if tested > 0 && tested == evidence.len() && evidence.iter().all(kept) {
        return stop(ALL.to_owned());
    }
    None
}

/// Batches that must hold samples before a PASS, of the tally's 64: a quarter of the run. Earlier, bad stretches may just not have come
/// yet, and nothing in the samples would tell.
const STRETCHES_FOR_PASS: usize = 16;

fn filled(e: &Evidence<'_>) -> usize {
    e.batches.iter().filter(|batch| batch.n > 0).count()
}

/// Whether the evidence is `enough`: by all samples, and by only as many as they are worth (see [`dependence`]).
fn shown(e: &Evidence<'_>, pending: u64, enough: impl Fn(LnEvidence) -> bool) -> bool {
    enough(ln_evidence_of(e, pending, 1.0)) && enough(ln_evidence_of(e, pending, dependence::factor(&e.batches)))
}

/// Natural logarithms of the evidence against and for a threshold.
#[derive(Debug, Clone, Copy)]
pub(super) struct LnEvidence {
    /// That too many are bad.
    pub(super) over: f64,
    /// That few enough are.
    pub(super) under: f64,
}

/// Requests that have not ended count as good against a threshold, and as bad for it.
pub(super) fn ln_evidence_of(e: &Evidence<'_>, pending: u64, dependence: f64) -> LnEvidence {
    let Some(allowed) = Claim::of(&e.threshold).allowed() else {
        return LnEvidence {
            over: f64::NEG_INFINITY,
            under: f64::NEG_INFINITY,
        };
    };
    let pending = pending.saturating_mul(e.per_request.max(1));
    let (n, least, most) = (
        e.n.saturating_add(pending) as f64,
        e.bad as f64,
        e.bad.saturating_add(pending) as f64,
    );
    LnEvidence {
        over: sequential::ln_evidence_over(n / dependence, least / dependence, allowed),
        under: sequential::ln_evidence_under(n / dependence, most / dependence, allowed),
    }
}
