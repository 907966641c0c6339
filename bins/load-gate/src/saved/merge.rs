//! Results of several load-gates that ran side by side, as one. Pure.

use super::{file::Saved, rejudge};
use anyhow::Context as _;
use load_report::ResultDoc;
use load_verdict::{
    Threshold, Verdict,
    judge::{self, Judgement, Stop, Validity},
    tally::Tally,
};
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where the merged document says what it was made of.
const PARTS: &str = "merged_from";
/// May differ between runs of one plan: what they were made of, and what is drawn for each.
const NOT_THE_PLAN: [&str; 2] = ["/merged_from", "/seed"];
/// As many differences as help to find the mistake.
const MOST_DIFFERENCES: usize = 5;

/// How to merge.
#[derive(Debug, Clone, Default)]
pub(crate) struct MergeRules {
    /// How many results there must be.
    pub(crate) expect: Option<u32>,
    /// Runs that did not overlap are fine.
    pub(crate) allow_apart: bool,
    /// Confidence of the bounds; the runs' own if nothing is said.
    pub(crate) confidence: Option<f64>,
    /// Judged by these; the plan's own if there are none.
    pub(crate) thresholds: Vec<Threshold>,
}

/// One result of all, with its figures.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The result.
    pub(crate) saved: Saved,
    /// Its figures.
    pub(crate) tally: Tally,
}

/// Merges and judges.
///
/// # Errors
/// They cannot be one run: other plans, the same result twice, too many of them, or none.
pub(crate) fn merge(parts: &[Part], rules: &MergeRules) -> Result<ResultDoc, Failure> {
    let Some(first) = parts.first() else {
        return Err(Failure::usage("there is nothing to merge: name the results"));
    };
    same_plan(first, parts)?;
    each_once(parts)?;
    if !rules.allow_apart {
        side_by_side(parts)?;
    }
    let names: Vec<&str> = parts.iter().map(|part| part.saved.name.as_str()).collect();
    let missing = missing(&names, rules.expect)?;

    let mut tally = first.tally.clone();
    for part in &parts[1..] {
        tally
            .merge_pod(&part.tally)
            .with_context(|| format!("{} and {} cannot be merged", first.saved.name, part.saved.name))
            .exit(Exit::Usage)?;
    }
    let confidence = rules
        .confidence
        .unwrap_or_else(|| rejudge::confidence(&first.saved.doc));
    let evidence = if rules.thresholds.is_empty() {
        tally.evidence()
    } else {
        tally.evidence_for(&rules.thresholds).exit(Exit::Usage)?
    };
    let partial = parts.iter().any(|part| part.saved.doc.partial);
    let judgement = judge::judge(
        &evidence,
        &tally.totals(partial),
        validity(parts, &tally),
        &rejudge::options(confidence),
        stop(parts),
    );
    let judgement = dead_parts(judgement, parts);
    let judgement = not_all(judgement, missing);
    drop(evidence);
    document(parts, &tally, judgement, confidence, partial)
}

/// Places at which two configurations differ, as JSON pointers; a few of them.
pub(crate) fn differences(a: &Value, b: &Value) -> Vec<String> {
    fn walk(a: &Value, b: &Value, place: &str, found: &mut Vec<String>) {
        if a == b || NOT_THE_PLAN.contains(&place) || found.len() >= MOST_DIFFERENCES {
            return;
        }
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    let of = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
                    walk(&of(a), &of(b), &format!("{place}/{key}"), found);
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (index, (a, b)) in a.iter().zip(b).enumerate() {
                    walk(a, b, &format!("{place}/{index}"), found);
                }
            }
            _ => found.push(place.to_owned()),
        }
    }
    let mut found = Vec::new();
    walk(a, b, "", &mut found);
    found
}

fn same_plan(first: &Part, parts: &[Part]) -> Result<(), Failure> {
    for part in parts {
        let places = differences(&first.saved.doc.config, &part.saved.doc.config);
        if !places.is_empty() {
            return Err(Failure::usage(format!(
                "{} and {} are not runs of the same plan: {} differ; only runs of one plan can be merged (to hold two plans \
                 against each other, use `load-gate compare`)",
                first.saved.name,
                part.saved.name,
                places.join(", ")
            )));
        }
    }
    Ok(())
}

/// The same figures twice would count twice.
fn each_once(parts: &[Part]) -> Result<(), Failure> {
    for (index, part) in parts.iter().enumerate() {
        let (one, doc) = (&part.saved.name, &part.saved.doc);
        let twin = parts[..index]
            .iter()
            .find(|other| other.saved.doc.started_at == doc.started_at && other.saved.doc.tally == doc.tally);
        if let Some(twin) = twin {
            return Err(Failure::usage(format!(
                "{} and {one} are the same result; each must be given once",
                twin.saved.name
            )));
        }
    }
    Ok(())
}

/// All ran at some moment together.
fn side_by_side(parts: &[Part]) -> Result<(), Failure> {
    let last_start = parts.iter().max_by_key(|part| part.saved.doc.started_at);
    let first_end = parts.iter().min_by_key(|part| part.saved.doc.finished_at);
    match (last_start, first_end) {
        (Some(late), Some(early)) if late.saved.doc.started_at > early.saved.doc.finished_at => {
            Err(Failure::usage(format!(
                "{} began at {}, after {} had ended at {}: their load did not add up, so this is not one run; leave the wrong \
                 one out, or say --allow-apart",
                late.saved.name, late.saved.doc.started_at, early.saved.name, early.saved.doc.finished_at
            )))
        }
        _ => Ok(()),
    }
}

/// Which results are not there, in words; `None` when all are.
fn missing(names: &[&str], expect: Option<u32>) -> Result<Option<String>, Failure> {
    let Some(expect) = expect.map(|expect| expect as usize) else {
        return Ok(None);
    };
    if names.len() > expect {
        return Err(Failure::usage(format!(
            "{} results are given and --expect says {expect}: is one of an earlier run among them?",
            names.len()
        )));
    }
    if names.len() == expect {
        return Ok(None);
    }
    let there = format!("{} of {expect} results are there", names.len());
    let numbers: Option<BTreeSet<usize>> = names.iter().map(|name| number(name)).collect();
    let listed = numbers
        .filter(|numbers| numbers.len() == names.len() && numbers.iter().all(|number| *number < expect))
        .map(|numbers| {
            let absent = (0..expect).filter(|number| !numbers.contains(number));
            absent.map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
        });
    Ok(Some(match listed {
        Some(absent) => format!("{there}; missing by the numbers of the files: {absent}"),
        None => format!("{there}: {}", names.join(", ")),
    }))
}

/// The last number in a file's name: `result-3.json` is 3 (an Indexed Job numbers its pods from 0).
fn number(name: &str) -> Option<usize> {
    let file = name.rsplit('/').next()?;
    let stem = file.strip_suffix(".json").unwrap_or(file);
    let end = stem.rfind(|letter: char| letter.is_ascii_digit())? + 1;
    let start = stem[..end]
        .rfind(|letter: char| !letter.is_ascii_digit())
        .map_or(0, |at| at + 1);
    stem[start..end].parse().ok()
}

/// The worst of each figure. One generator that cannot be trusted spoils the whole, by name.
fn validity(parts: &[Part], tally: &Tally) -> Validity {
    let of = |part: &'_ Part| part.saved.doc.judgement.validity.clone();
    let worst = |figure: fn(&Validity) -> Option<f64>| {
        let known = parts.iter().filter_map(|part| figure(&of(part)));
        known.fold(None, |worst: Option<f64>, next| {
            Some(worst.map_or(next, |worst| worst.max(next)))
        })
    };
    let problems = parts.iter().flat_map(|part| {
        let Validity { problems, .. } = of(part);
        let named = move |problem| format!("{}: {problem}", part.saved.name);
        problems.into_iter().map(named)
    });
    Validity {
        lag_p50_ms: tally.lag(0.5),
        lag_p99_ms: tally.lag(0.99),
        lag_limit_ms: parts
            .iter()
            .map(|part| of(part).lag_limit_ms)
            .fold(f64::INFINITY, f64::min),
        scheduled: parts.iter().map(|part| of(part).scheduled).sum(),
        sent: parts.iter().map(|part| of(part).sent).sum(),
        cpu_wait: worst(|validity| validity.cpu_wait),
        throttled: worst(|validity| validity.throttled),
        busiest_thread: worst(|validity| validity.busiest_thread),
        problems: problems.collect(),
    }
}

/// A stop that holds for all. A pod that stopped because *its* verdict was certain says nothing certain about the whole, and
/// then part of the schedule is missing, which the judge sees by itself.
fn stop(parts: &[Part]) -> Option<Stop> {
    let of = |part: &Part| part.saved.doc.judgement.stop.clone();
    let stops: Vec<Stop> = parts.iter().filter_map(of).collect();
    if stops.len() == parts.len() && stops.iter().all(|stop| matches!(stop, Stop::NoSuccess { .. })) {
        return stops.into_iter().next();
    }
    stops.into_iter().find(|stop| matches!(stop, Stop::Interrupted))
}

/// A pod that got no right answer at all fails the whole, however many others got theirs: most of its share was never sent,
/// so the merged figures do not show it.
fn dead_parts(mut judgement: Judgement, parts: &[Part]) -> Judgement {
    let dead: Vec<String> = parts
        .iter()
        .filter_map(|part| match &part.saved.doc.judgement.stop {
            Some(Stop::NoSuccess { cause }) => Some(format!("{}: no request succeeded: {cause}", part.saved.name)),
            _ => None,
        })
        .collect();
    if !dead.is_empty() && matches!(judgement.stop, None | Some(Stop::Interrupted)) {
        judgement.verdict = Verdict::Fail;
        judgement.reasons.splice(0..0, dead);
    }
    judgement
}

/// Without all results there is no pass.
fn not_all(mut judgement: Judgement, missing: Option<String>) -> Judgement {
    if let Some(missing) = missing {
        if judgement.verdict == Verdict::Pass {
            judgement.verdict = Verdict::Inconclusive;
            judgement.reasons.insert(0, missing);
        } else {
            judgement.reasons.push(missing);
        }
    }
    judgement
}

fn document(
    parts: &[Part],
    tally: &Tally,
    judgement: Judgement,
    confidence: f64,
    partial: bool,
) -> Result<ResultDoc, Failure> {
    let docs = || parts.iter().map(|part| &part.saved.doc);
    let Some(mut doc) = docs().next().cloned() else {
        return Err(Failure::usage("there is nothing to merge: name the results"));
    };
    doc.subject = format!("{}, {} load-gates together", doc.subject, parts.len());
    doc.started_at = docs().map(|doc| doc.started_at).min().unwrap_or(doc.started_at);
    doc.finished_at = docs().map(|doc| doc.finished_at).max().unwrap_or(doc.finished_at);
    let described: Vec<Value> = parts
        .iter()
        .map(|part| {
            let doc = &part.saved.doc;
            json!({
                "file": part.saved.name,
                "verdict": doc.judgement.verdict,
                "started_at": doc.started_at,
                "finished_at": doc.finished_at,
                "scheduled": part.tally.scheduled(),
            })
        })
        .collect();
    if let Value::Object(config) = &mut doc.config {
        config.insert(PARTS.to_owned(), described.into());
    }
    doc.summary = tally.summary(confidence);
    doc.tally = tally
        .dump()
        .map_err(anyhow::Error::new)
        .and_then(|dump| Ok(serde_json::to_value(dump)?))
        .context("cannot write the merged figures down")
        .exit(Exit::NoVerdict)?;
    doc.partial = partial;
    Ok(rejudge::with_judgement(doc, judgement))
}

#[cfg(test)]
mod tests;
