//! Two results: how large the difference is, how sure that is, and whether it keeps to limits. Pure.

use super::{
    file::Saved,
    limit::{Held, Limit, failures_sentence},
    merge::differences,
};
use load_verdict::{
    Threshold, Verdict,
    judge::Ranked,
    stats::{
        compare::{Comparison, Side, compare},
        dependence, order,
    },
    tally::Tally,
};
use serde::Serialize;
use std::fmt::Write as _;

/// Always looked at.
const PERCENTS: [f64; 4] = [50.0, 90.0, 95.0, 99.0];

/// What `compare` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Compared {
    /// `load-gate`.
    tool: &'static str,
    /// `compare`.
    command: &'static str,
    /// PASS: every limit is surely kept. FAIL: one is surely broken. `null` without limits.
    pub(crate) verdict: Option<Verdict>,
    /// `true` for PASS alone.
    ok: bool,
    /// Why; empty without limits.
    reasons: Vec<String>,
    /// The first result.
    base: About,
    /// The second.
    candidate: About,
    /// The figures.
    comparison: Comparison,
    /// Each limit.
    limits: Vec<Held>,
    /// What should be known when these two are compared.
    remarks: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct About {
    file: String,
    subject: String,
    started_at: jiff::Timestamp,
    verdict: Verdict,
    scheduled: u64,
    failed: u64,
}

/// One of the two, with its figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Party<'a> {
    /// The result.
    pub(crate) saved: &'a Saved,
    /// Its figures.
    pub(crate) tally: &'a Tally,
}

/// Compares `candidate` with `base`.
pub(crate) fn compared(base: Party<'_>, candidate: Party<'_>, limits: &[Limit], confidence: f64) -> Compared {
    let mut percents = PERCENTS.to_vec();
    percents.extend(limits.iter().filter_map(Limit::percent));
    percents.sort_by(f64::total_cmp);
    percents.dedup();
    let comparison = comparison(base, candidate, &percents, confidence);
    let held: Vec<Held> = limits
        .iter()
        .map(|limit| limit.hold(&comparison, surely_infinite(candidate, limit.percent(), confidence)))
        .collect();
    let doubts = doubts(base, candidate);
    let verdict = (!limits.is_empty()).then(|| overall(&held, base, candidate));
    let mut reasons = Vec::new();
    if let Some(verdict) = verdict {
        let of = |wanted: Verdict| held.iter().filter(move |held| held.verdict == wanted);
        let decisive = if held.iter().any(|held| held.verdict == verdict) {
            verdict
        } else {
            Verdict::Pass
        };
        if verdict != Verdict::Fail && verdict != Verdict::Pass {
            reasons.extend(doubts.iter().cloned());
        }
        reasons.extend(of(decisive).map(|held| format!("{}: {}", held.limit, held.reason)));
    }
    let mut remarks = doubts;
    remarks.extend(different_plans(base, candidate));
    Compared {
        tool: "load-gate",
        command: "compare",
        verdict,
        ok: verdict == Some(Verdict::Pass),
        reasons,
        base: about(base),
        candidate: about(candidate),
        comparison,
        limits: held,
        remarks,
    }
}

/// A population without anybody, for a tally that has no latencies.
#[derive(Debug)]
struct Nobody;

impl Ranked for Nobody {
    fn count(&self) -> u64 {
        0
    }

    fn value_at_rank(&self, _: u64) -> Option<f64> {
        None
    }
}

/// What the dependence between requests is looked at for. It differs: a single stall ties the slowest percent of all requests
/// together and leaves the median alone.
#[derive(Debug, Clone, Copy)]
enum Figure {
    Quantile(f64),
    Failures,
}

fn comparison(base: Party<'_>, candidate: Party<'_>, percents: &[f64], confidence: f64) -> Comparison {
    let of = |figure: Figure, percents: &[f64]| {
        compare(
            side(base, figure, &Nobody),
            side(candidate, figure, &Nobody),
            percents,
            confidence,
        )
    };
    let middle = of(Figure::Quantile(50.0), &[]);
    let failures = of(Figure::Failures, &[]);
    Comparison {
        quantiles: percents
            .iter()
            .flat_map(|&percent| of(Figure::Quantile(percent), &[percent]).quantiles)
            .collect(),
        failures: failures.failures,
        failures_interval: failures.failures_interval,
        ..middle
    }
}

fn side<'a>(party: Party<'a>, figure: Figure, nobody: &'a Nobody) -> Side<'a> {
    let totals = party.tally.totals(false);
    let ranked: &dyn Ranked = party.tally.judged().unwrap_or(nobody);
    Side {
        ranked,
        failed: totals.scheduled - totals.succeeded,
        dependence: dependence_of(party.tally, ranked, figure).unwrap_or(1.0),
    }
}

/// How the requests beyond a quantile, or those that failed, lie in time.
fn dependence_of(tally: &Tally, ranked: &dyn Ranked, figure: Figure) -> Option<f64> {
    let threshold = match figure {
        Figure::Quantile(percent) => {
            let rank = order::rank_of(ranked.count(), percent / 100.0).max(1);
            match ranked.value_at_rank(rank) {
                Some(value) => Threshold::parse("http_req_duration", &format!("p({percent})<{value}")),
                // Beyond it is only what failed.
                None => return dependence_of(tally, ranked, Figure::Failures),
            }
        }
        Figure::Failures => Threshold::parse("http_req_failed", "rate<0.5"),
    };
    let evidence = tally.evidence_for(&[threshold.ok()?]).ok()?;
    Some(dependence::factor(&evidence.first()?.batches))
}

fn surely_infinite(candidate: Party<'_>, percent: Option<f64>, confidence: f64) -> bool {
    let Some(percent) = percent else {
        return false;
    };
    let second = side(candidate, Figure::Quantile(percent), &Nobody);
    let low = order::bounds(
        second.ranked.count(),
        percent / 100.0,
        0.5 + confidence / 2.0,
        second.dependence,
    )
    .low;
    low.is_some_and(|rank| rank >= 1 && second.ranked.value_at_rank(rank).is_none())
}

/// A broken limit counts, unless the figures cannot be trusted at all; a kept one only when nothing is doubtful.
fn overall(held: &[Held], base: Party<'_>, candidate: Party<'_>) -> Verdict {
    let invalid = |party: Party<'_>| party.saved.doc.judgement.verdict == Verdict::Invalid;
    let partial = |party: Party<'_>| party.saved.doc.partial;
    let any = |wanted: Verdict| held.iter().any(|held| held.verdict == wanted);
    if invalid(base) || invalid(candidate) {
        Verdict::Invalid
    } else if any(Verdict::Fail) {
        Verdict::Fail
    } else if any(Verdict::Inconclusive) || partial(base) || partial(candidate) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}

/// What stands against trusting one of them.
fn doubts(base: Party<'_>, candidate: Party<'_>) -> Vec<String> {
    let mut doubts = Vec::new();
    for Party { saved, .. } in [base, candidate] {
        let judgement = &saved.doc.judgement;
        if judgement.verdict == Verdict::Invalid {
            let why = judgement.reasons.first().map_or("", String::as_str);
            doubts.push(format!("{} is INVALID: {why}", saved.name));
        } else if saved.doc.partial {
            doubts.push(format!("{} was interrupted before its end", saved.name));
        } else if judgement.stop.is_some() {
            doubts.push(format!(
                "{} stopped before its end, so it shows the beginning of the schedule only",
                saved.name
            ));
        }
    }
    doubts
}

fn different_plans(base: Party<'_>, candidate: Party<'_>) -> Option<String> {
    // Another address is what comparing is for, and thresholds change nothing about the figures.
    let harmless =
        |place: &String| place.ends_with("/url") || place.starts_with("/thresholds") || place.starts_with("/judging");
    let mut places = differences(&base.saved.doc.config, &candidate.saved.doc.config);
    places.retain(|place| !harmless(place));
    (!places.is_empty()).then(|| {
        format!(
            "the two runs did not have the same plan, so the difference may be the plan's: {} differ",
            places.join(", ")
        )
    })
}

fn about(party: Party<'_>) -> About {
    let doc = &party.saved.doc;
    let totals = party.tally.totals(false);
    About {
        file: party.saved.name.clone(),
        subject: doc.subject.clone(),
        started_at: doc.started_at,
        verdict: doc.judgement.verdict,
        scheduled: totals.scheduled,
        failed: totals.scheduled - totals.succeeded,
    }
}

impl Compared {
    /// For people.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        for (name, about) in [("base     ", &self.base), ("candidate", &self.candidate)] {
            let _ = writeln!(
                text,
                "{name}  {}: {} requests, {} without a right answer, {}",
                about.file,
                about.scheduled,
                about.failed,
                word(about.verdict)
            );
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "note: {remark}");
        }
        text.push('\n');
        for effect in &self.comparison.quantiles {
            let _ = writeln!(text, "{}", effect.sentence);
        }
        if let Some(change) = self.comparison.failures {
            let _ = writeln!(text, "{}", failures_sentence(change, self.comparison.failures_interval));
        }
        if let Some(faster) = self.comparison.faster {
            let interval = self.comparison.faster_interval;
            let end =
                |end: Option<f64>| end.map_or_else(|| "no bound".to_owned(), |end| format!("{:.1} %", end * 100.0));
            let _ = writeln!(
                text,
                "a request of the candidate is faster than one of the base with a probability of {:.1} % ({} % interval: {} \
                 to {}; 50 % is no difference)",
                faster * 100.0,
                interval.confidence * 100.0,
                end(interval.low),
                end(interval.high)
            );
        }
        if let Some(verdict) = self.verdict {
            let _ = writeln!(text, "\n{}", word(verdict));
            for held in &self.limits {
                let _ = writeln!(text, "  {}  {}: {}", word(held.verdict), held.limit, held.reason);
            }
        }
        text
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Invalid => "INVALID",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Shape, run};
    use super::*;

    fn saved(name: &str, shape: &Shape) -> (Saved, Tally) {
        let (doc, tally) = run(shape);
        let name = name.to_owned();
        (Saved { name, doc }, tally)
    }

    fn check(base: &(Saved, Tally), candidate: &(Saved, Tally), limits: &[&str]) -> Compared {
        let limits: Vec<Limit> = limits.iter().map(|text| Limit::parse(text).unwrap()).collect();
        let party = |(saved, tally): &'_ (Saved, Tally)| -> (Saved, Tally) { (saved.clone(), tally.clone()) };
        let (base, candidate) = (party(base), party(candidate));
        compared(
            Party {
                saved: &base.0,
                tally: &base.1,
            },
            Party {
                saved: &candidate.0,
                tally: &candidate.1,
            },
            &limits,
            0.95,
        )
    }

    #[test]
    fn a_clear_change_breaks_a_limit_and_none_keeps_it() {
        let base = saved("base.json", &Shape::plain(2000, 100.0));
        let slower = saved("slow.json", &Shape::plain(2000, 150.0));
        let same = saved("same.json", &Shape::plain(2000, 101.0));
        let verdict = |candidate, limits: &[&str]| check(&base, candidate, limits).verdict;
        assert_eq!(verdict(&slower, &["p(95)>+10%"]), Some(Verdict::Fail));
        assert_eq!(verdict(&slower, &["p(95)>+60%"]), Some(Verdict::Pass));
        assert_eq!(verdict(&slower, &["p(95)>+20ms"]), Some(Verdict::Fail));
        assert_eq!(verdict(&same, &["p(95)>+10%", "failed>+1%"]), Some(Verdict::Pass));
        assert_eq!(verdict(&slower, &["p(95)>+60%", "med>+10%"]), Some(Verdict::Fail));
        let none = check(&base, &slower, &[]);
        assert_eq!((none.verdict, none.ok), (None, false));
        let text = check(&base, &slower, &["p(95)>+10%"]).describe();
        assert!(text.contains("slower") && text.contains("FAIL  p(95)>+10%"), "{text}");
    }

    #[test]
    fn few_samples_decide_nothing() {
        let base = saved("base.json", &Shape::two(40, 100.0, 2, 400.0));
        let other = saved("other.json", &Shape::two(40, 104.0, 3, 400.0));
        let compared = check(&base, &other, &["p(95)>+10%"]);
        assert_eq!(compared.verdict, Some(Verdict::Inconclusive));
        assert!(!compared.reasons.is_empty());
    }

    #[test]
    fn failures_break_both_kinds_of_limit() {
        let base = saved("base.json", &Shape::plain(2000, 100.0));
        let failing = saved("failing.json", &Shape::failing(1700, 50.0, 300));
        assert_eq!(check(&base, &failing, &["failed>+1%"]).verdict, Some(Verdict::Fail));
        let compared = check(&base, &failing, &["p(95)>+10%"]);
        assert_eq!(compared.verdict, Some(Verdict::Fail), "{:?}", compared.limits);
        let dead = saved("dead.json", &Shape::failing(0, 1.0, 2000));
        assert_eq!(check(&base, &dead, &["p(95)>+10%"]).verdict, Some(Verdict::Fail));
        assert_eq!(
            check(&dead, &base, &["p(95)>+10%"]).verdict,
            Some(Verdict::Inconclusive),
            "a dead base is nothing to compare with"
        );
    }

    #[test]
    fn what_cannot_be_trusted_decides_nothing() {
        let base = saved("base.json", &Shape::plain(2000, 100.0));
        let mut invalid = saved("invalid.json", &Shape::plain(2000, 100.0));
        invalid.0.doc.judgement.verdict = Verdict::Invalid;
        invalid.0.doc.judgement.reasons = vec!["sent late".to_owned()];
        let compared = check(&base, &invalid, &["p(95)>+10%"]);
        assert_eq!(compared.verdict, Some(Verdict::Invalid));
        assert_eq!(compared.reasons[0], "invalid.json is INVALID: sent late");
        let mut cut = saved("cut.json", &Shape::plain(2000, 100.0));
        cut.0.doc.partial = true;
        assert_eq!(check(&base, &cut, &["p(95)>+10%"]).verdict, Some(Verdict::Inconclusive));
    }

    #[test]
    fn another_plan_is_a_remark_and_another_address_is_not() {
        let base = saved("base.json", &Shape::plain(2000, 100.0));
        let mut other = saved("other.json", &Shape::plain(2000, 100.0));
        other.0.doc.config["url"] = "https://canary.example.com/graphql".into();
        assert_eq!(check(&base, &other, &[]).remarks, Vec::<String>::new());
        other.0.doc.config["rate"] = 100.into();
        let remarks = check(&base, &other, &[]).remarks;
        assert!(remarks[0].contains("/rate"), "{remarks:?}");
    }
}
