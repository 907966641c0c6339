//! Thresholds: each must be about something, and be able to pass.

use crate::error::PlanError;
use crate::file::ScenarioFile;
use crate::plan::Plan;
use crate::text::{list, nearest};
use load_verdict::threshold::Metric;
use load_verdict::{Outcome, Threshold, judge};

pub(super) fn thresholds(file: &ScenarioFile, plan: &Plan) -> Result<Vec<Threshold>, PlanError> {
    let mut thresholds: Vec<Threshold> = Vec::new();
    for (key, list) in file.thresholds.iter().flat_map(|pairs| &pairs.0) {
        if list.0.is_empty() {
            return Err(PlanError::invalid(format!(
                "the thresholds of {key:?} are an empty list: give an expression such as p(95)<350, or remove it"
            )));
        }
        for spec in &list.0 {
            let parsed = Threshold::parse(key, &spec.expression).map_err(|source| PlanError::Threshold {
                threshold: format!("{key}={}", spec.expression),
                source,
            })?;
            let threshold = parsed.with_abort(spec.abort_on_fail, spec.delay_abort);
            let same = |known: &&Threshold| known.key == threshold.key && known.expression == threshold.expression;
            if let Some(twice) = thresholds.iter().find(same) {
                return Err(PlanError::invalid(format!(
                    "the threshold {twice} is given twice: keep one of them"
                )));
            }
            thresholds.push(threshold);
        }
    }
    let unwanted = file.no_thresholds.unwrap_or(false);
    match (thresholds.is_empty(), unwanted) {
        (true, false) => Err(PlanError::invalid(
            "there is no threshold, so nothing could fail: give one such as --threshold 'http_req_duration=p(95)<350', or say --no-thresholds",
        )),
        (false, true) => Err(PlanError::invalid(
            "there are thresholds, and --no-thresholds (or `no_thresholds` in the file): remove one of them",
        )),
        _ => {
            for threshold in &thresholds {
                possible(threshold, plan)?;
            }
            Ok(thresholds)
        }
    }
}

/// Tags whose value is only known when the answer is there. Everything else is known before the run.
const DYNAMIC: [&str; 4] = ["status", "expected_response", "outcome", "error_code"];

/// What the value of such a tag must be, if it is something else.
fn expected(tag: &str, value: &str) -> Option<String> {
    let outcome = || Outcome::ALL.iter().any(|outcome| outcome.as_str() == value);
    let number = value.parse::<u16>().ok();
    let right = match tag {
        "status" => number.is_some_and(|status| status == 0 || (100..600).contains(&status)),
        "expected_response" => matches!(value, "true" | "false"),
        "error_code" => outcome() || number.is_some_and(|code| (1_100..1_600).contains(&code)),
        _ => outcome(),
    };
    (!right).then(|| match tag {
        "status" => "a status from 100 to 599, or 0 for no response".to_owned(),
        "expected_response" => "true or false".to_owned(),
        _ => {
            let names: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
            format!("one of {}", list(&names))
        }
    })
}

fn possible(threshold: &Threshold, plan: &Plan) -> Result<(), PlanError> {
    let refuse = |problem: String| PlanError::invalid(format!("the threshold \"{threshold}\" {problem}"));
    if threshold.key.metric == Metric::Checks && plan.checks.is_empty() {
        return Err(refuse(
            "is about checks, and there is none: give one such as --check 'status==200'".to_owned(),
        ));
    }
    let mut check = None;
    for (tag, value) in &threshold.key.tags {
        if DYNAMIC.contains(&tag.as_str()) {
            if let Some(expected) = expected(tag, value) {
                return Err(refuse(format!(
                    "is about {tag}:{value}, which no answer has: expected {expected}"
                )));
            }
            continue;
        }
        if tag == "check" {
            if threshold.key.metric != Metric::Checks {
                return Err(refuse("has the tag check, which only the metric checks has".to_owned()));
            }
            let index = plan.checks.iter().position(|known| known.name() == value);
            check = Some(index.ok_or_else(|| {
                let names: Vec<&str> = plan.checks.iter().map(crate::check::Check::name).collect();
                refuse(format!(
                    "is about the check {value:?}, which does not exist: {}",
                    help(value, &names)
                ))
            })?);
            continue;
        }
        exists(tag, value, plan).map_err(refuse)?;
    }
    let planned = planned(threshold, check, plan);
    if planned == 0 {
        return Err(refuse("is about no request: no request has all of its tags".to_owned()));
    }
    match judge::impossible(threshold, planned, plan.judging.confidence) {
        None => Ok(()),
        Some(impossible) => Err(PlanError::Impossible {
            threshold: threshold.to_string(),
            needed: impossible.needed,
            planned: impossible.planned,
        }),
    }
}

/// Whether some request has the tag with that value.
fn exists(tag: &str, value: &str, plan: &Plan) -> Result<(), String> {
    let requests = (0..plan.requests.len()).flat_map(|index| plan.request_tags(index));
    let scenarios = (0..plan.scenarios.len()).flat_map(|index| plan.scenario_tags(index));
    let all: Vec<(String, String)> = requests.chain(scenarios).collect();
    let mut values: Vec<&str> = all
        .iter()
        .filter(|(name, _)| name == tag)
        .map(|(_, value)| value.as_str())
        .collect();
    if values.contains(&value) {
        return Ok(());
    }
    values.sort_unstable();
    values.dedup();
    if !values.is_empty() {
        return Err(format!(
            "is about {tag}:{value}, which no request has: {}",
            help(value, &values)
        ));
    }
    let mut names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Err(format!(
        "is about the tag {tag:?}, which no request has: {}",
        help(tag, &names)
    ))
}

fn help(found: &str, known: &[&str]) -> String {
    match nearest(found, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there is {}", list(known)),
    }
}

/// Samples that it will be about, at most.
fn planned(threshold: &Threshold, check: Option<usize>, plan: &Plan) -> u64 {
    let wanted: Vec<&(String, String)> = threshold
        .key
        .tags
        .iter()
        .filter(|(tag, _)| tag != "check" && !DYNAMIC.contains(&tag.as_str()))
        .collect();
    let mut sum = 0;
    for scenario in 0..plan.scenarios.len() {
        let scenario_tags = plan.scenario_tags(scenario);
        for (request, spec) in plan.requests.iter().enumerate() {
            let mut tags = plan.request_tags(request);
            tags.extend(scenario_tags.iter().cloned());
            if !wanted.iter().all(|tag| tags.contains(tag)) {
                continue;
            }
            let each = match (threshold.key.metric, check) {
                (Metric::Checks, None) => u64::from(spec.checks.count_ones()),
                (Metric::Checks, Some(check)) => u64::from(spec.checks >> check & 1),
                _ => 1,
            };
            let index = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
            sum += each * plan.schedule.planned(index(scenario), index(request));
        }
    }
    sum
}
