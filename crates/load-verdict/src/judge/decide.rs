//! One threshold, judged.

use super::{
    Evidence, Interval, JudgeOptions, Method, RunTotals, Stop, ThresholdResult, Verdict,
    claim::Claim,
    run::nothing_succeeded,
    stop::{ALL, ln_evidence_of},
    words::{self, Bounds},
};
use crate::{
    stats::{
        binomial, dependence,
        numbers::{count, percent},
        order, proportion,
    },
    threshold::{Aggregation, Kind, Operator},
};

/// What a threshold comes to, before it is written down.
struct Decision {
    verdict: Verdict,
    method: Method,
    interval: Option<Interval>,
    allowed: Option<u64>,
    dependence: f64,
    reason: String,
}

/// Judges one threshold.
pub(super) fn decide(
    e: &Evidence<'_>,
    totals: &RunTotals,
    options: &JudgeOptions,
    stop: Option<&Stop>,
) -> ThresholdResult {
    let claim = Claim::of(&e.threshold);
    let decision = if !has_data(e, totals) {
        no_data(totals, claim)
    } else if let Some(allowed) = claim.allowed() {
        share(e, claim, allowed, options.confidence, stop)
    } else {
        as_observed(e, totals, claim)
    };
    let plain_ok = e.threshold.operator.holds(e.plain.unwrap_or(0.0), e.threshold.limit);
    ThresholdResult {
        metric: e.key.clone(),
        expression: e.threshold.expression.clone(),
        verdict: decision.verdict,
        method: decision.method,
        observed: e.observed,
        infinite: e.infinite,
        interval: decision.interval,
        plain: e.plain,
        plain_ok: Some(plain_ok),
        samples: e.n,
        bad: e.bad,
        allowed: decision.allowed,
        dependence: decision.dependence,
        reason: decision.reason,
        differs: differs(e, decision.verdict, plain_ok),
    }
}

/// Whether there is anything to judge. A count of nothing is a figure too, but only if something was done.
fn has_data(e: &Evidence<'_>, totals: &RunTotals) -> bool {
    match e.kind() {
        Kind::Trend | Kind::Rate => e.n > 0,
        Kind::Counter | Kind::Gauge => totals.scheduled > 0 && e.observed.is_some(),
    }
}

fn no_data(totals: &RunTotals, claim: Claim) -> Decision {
    let (verdict, reason) = if nothing_succeeded(totals) {
        (
            Verdict::Fail,
            format!(
                "no request succeeded, so there is nothing to judge: {}",
                words::main_cause(totals)
            ),
        )
    } else {
        (
            Verdict::Inconclusive,
            format!(
                "there is nothing to judge: none of {} requests has this metric and these tags",
                count(totals.scheduled)
            ),
        )
    };
    let method = match claim {
        Claim::Quantile { .. } => Method::OrderStatistics,
        Claim::Share { .. } => Method::Proportion,
        _ => Method::AsObserved,
    };
    Decision {
        verdict,
        method,
        interval: None,
        allowed: None,
        dependence: 1.0,
        reason,
    }
}

/// A quantile or a share.
fn share(e: &Evidence<'_>, claim: Claim, allowed: f64, confidence: f64, stop: Option<&Stop>) -> Decision {
    let error = 1.0 - confidence;
    let dependence = dependence::factor(&e.batches);
    let bounds = Bounds {
        allowed,
        confidence,
        pass: binomial::shows_under(e.n, allowed, error, dependence),
        fail: binomial::shows_over(e.n, allowed, error),
        needed: binomial::fewest_samples(allowed, error),
        dependence,
    };
    let (mut method, interval) = match claim {
        Claim::Quantile { q, .. } => (Method::OrderStatistics, quantile_interval(e, q, confidence, dependence)),
        _ => (Method::Proportion, Some(share_interval(e, confidence, dependence))),
    };
    let (verdict, reason) = if e.bad >= bounds.fail {
        (Verdict::Fail, words::failed(e, bounds))
    } else if let Some((verdict, alpha)) = sequential(e, stop) {
        method = Method::Sequential;
        let what = if verdict == Verdict::Pass {
            "few enough"
        } else {
            "too many"
        };
        let reason = format!(
            "{}; at most {} may, and the sequential test showed early that these are {what} (error rate {})",
            e.bad_of_all(),
            percent(allowed),
            percent(alpha)
        );
        (verdict, reason)
    } else if bounds.pass.is_some_and(|most| e.bad <= most) {
        (Verdict::Pass, words::passed(e, bounds))
    } else {
        (Verdict::Inconclusive, words::undecided(e, bounds))
    };
    Decision {
        verdict,
        method,
        interval,
        allowed: bounds.pass,
        dependence,
        reason,
    }
}

/// What the sequential test decided of this threshold. Asked again with the samples that have come in since, so that a PASS never
/// rests on what was known earlier.
fn sequential(e: &Evidence<'_>, stop: Option<&Stop>) -> Option<(Verdict, f64)> {
    let Some(Stop::Sequential { threshold, alpha }) = stop else {
        return None;
    };
    let found = ln_evidence_of(e, 0, 1.0);
    let sure = -alpha.ln();
    if threshold == ALL {
        (found.under >= sure).then_some((Verdict::Pass, *alpha))
    } else {
        (*threshold == e.label() && found.over >= sure).then_some((Verdict::Fail, *alpha))
    }
}

/// Both ends are the one-sided bounds that decide, so together they cover a little less.
fn quantile_interval(e: &Evidence<'_>, q: f64, confidence: f64, dependence: f64) -> Option<Interval> {
    let ranked = e.ranked?;
    let n = ranked.count();
    let ranks = order::bounds(n, q, confidence, dependence);
    Some(Interval {
        // Not bounded from below by the samples: a latency is at least 0.
        low: ranks
            .low
            .map_or(Some(0.0), |rank| ranked.value_at_rank(rank.clamp(1, n.max(1)))),
        high: ranks
            .high
            .and_then(|rank| ranked.value_at_rank(rank.clamp(1, n.max(1)))),
        confidence: two_sided(confidence),
    })
}

fn share_interval(e: &Evidence<'_>, confidence: f64, dependence: f64) -> Interval {
    let low = proportion::lower(e.n, e.bad, confidence, dependence);
    let high = proportion::upper(e.n, e.bad, confidence, dependence);
    // Bad are the falses where the limit is a lower one.
    let falses = matches!(e.threshold.operator, Operator::Greater | Operator::GreaterOrEqual);
    let (low, high) = if falses { (1.0 - high, 1.0 - low) } else { (low, high) };
    Interval {
        low: Some(low),
        high: Some(high),
        confidence: two_sided(confidence),
    }
}

/// A statement about this run alone.
fn as_observed(e: &Evidence<'_>, totals: &RunTotals, claim: Claim) -> Decision {
    let (threshold, written) = (&e.threshold, e.against_limit());
    let figure = if e.infinite { Some(f64::INFINITY) } else { e.observed };
    let holds = figure.map(|value| threshold.operator.holds(value, threshold.limit));
    let grows = e.kind() == Kind::Counter
        && threshold.aggregation == Aggregation::Count
        && matches!(
            threshold.operator,
            Operator::Greater | Operator::GreaterOrEqual | Operator::Equal
        );
    let (verdict, reason) = match (claim, holds) {
        (Claim::None, _) if e.bad > 0 => (Verdict::Fail, format!("{written}: {}", e.bad_of_all())),
        (Claim::None, _) | (_, Some(true)) => (Verdict::Pass, format!("{written}: kept in this run")),
        (_, None) => (Verdict::Inconclusive, format!("{written}: there is nothing to compare")),
        (_, Some(false)) if grows && totals.completed < 1.0 => (
            Verdict::Inconclusive,
            format!(
                "{written}, but only {} of the schedule was carried out",
                percent(totals.completed)
            ),
        ),
        (_, Some(false)) => (Verdict::Fail, format!("{written}: not kept in this run")),
    };
    let allowed = (claim == Claim::None).then_some(0);
    Decision {
        verdict,
        method: Method::AsObserved,
        interval: None,
        allowed,
        dependence: 1.0,
        reason,
    }
}

/// Why k6's reading and ours come to different ends.
fn differs(e: &Evidence<'_>, verdict: Verdict, plain_ok: bool) -> Option<String> {
    if plain_ok == (verdict == Verdict::Pass) {
        return None;
    }
    let aggregation = e.threshold.aggregation;
    let Some(plain) = e.plain else {
        let lets = if plain_ok { "lets it pass" } else { "fails it" };
        return Some(format!(
            "k6 takes {aggregation} of no samples as 0 and {lets}; nothing was shown"
        ));
    };
    let reads = format!("k6 reads {aggregation} as {}", e.written(Some(plain)));
    let holds = e
        .threshold
        .operator
        .holds(e.observed.unwrap_or(f64::INFINITY), e.threshold.limit);
    Some(match (plain_ok, verdict) {
        (true, _) if !holds && e.kind() == Kind::Trend => format!(
            "{reads}, over answers only and from when they were sent, and lets it pass; over all scheduled requests and from when \
             they were due it is {}",
            e.written(e.observed)
        ),
        (true, _) => format!(
            "{reads} and lets it pass; it does not ask whether {} {} show that",
            count(e.n),
            e.noun()
        ),
        (false, Verdict::Pass) => {
            format!(
                "{reads} and fails it; counted sample by sample it is kept: {}",
                e.bad_of_all()
            )
        }
        (false, _) => format!(
            "{reads} and fails it; {} {} do not show that either",
            count(e.n),
            e.noun()
        ),
    })
}

/// Coverage between two one-sided bounds of this confidence, without the last digits that binary fractions leave: 0.9, not
/// 0.8999999999999999.
fn two_sided(confidence: f64) -> f64 {
    ((2.0 * confidence - 1.0) * 1e12).round() / 1e12
}
