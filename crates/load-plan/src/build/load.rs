//! Scenarios and the schedule.

use super::requests::usable_tag;
use crate::error::PlanError;
use crate::file::values::Pairs;
use crate::file::{ScenarioFile, ScenarioSpec};
use crate::plan::{Request, Scenario};
use crate::schedule::{Curve, Mix, Schedule, Stage, Stream};
use crate::text::{list, nearest};
use std::time::Duration;

/// Most scenarios of a plan.
const MAX_SCENARIOS: usize = 100;

pub(super) struct Built {
    pub scenarios: Vec<Scenario>,
    pub schedule: Schedule,
}

pub(super) fn build(
    file: &ScenarioFile,
    requests: &[Request],
    weights: &[u32],
    execs: &[(String, String)],
    notes: &mut Vec<String>,
) -> Result<Built, PlanError> {
    let short = ScenarioSpec {
        rate: file.rate,
        duration: file.duration,
        start_rate: file.start_rate,
        stages: file.stages.clone(),
        time_unit: file.time_unit,
        ..ScenarioSpec::default()
    };
    let short = Pairs(vec![("default".to_owned(), short)]);
    let specs = match &file.scenarios {
        None => &short,
        Some(scenarios) => {
            let both =
                file.rate.is_some() || file.stages.is_some() || file.duration.is_some() || file.start_rate.is_some();
            if both || file.time_unit.is_some() {
                return Err(PlanError::invalid(
                    "the scenario file has `scenarios`, and a rate, duration, stages or time unit besides: put them into the scenario that is meant",
                ));
            }
            scenarios
        }
    };
    if specs.0.is_empty() || specs.0.len() > MAX_SCENARIOS {
        return Err(PlanError::invalid(format!(
            "there are {} scenarios: expected 1 to {MAX_SCENARIOS}",
            specs.0.len()
        )));
    }
    let (mut scenarios, mut streams) = (Vec::new(), Vec::new());
    for (name, spec) in &specs.0 {
        let what = if file.scenarios.is_some() {
            format!("the scenario {name}")
        } else {
            "the run".to_owned()
        };
        if name.trim().is_empty() {
            return Err(PlanError::invalid("a scenario has an empty name: give it one"));
        }
        let schedule = |source| PlanError::Schedule {
            what: what.clone(),
            source,
        };
        let curve = curve(&what, spec)?;
        if curve.arrivals() == 0 {
            return Err(schedule(crate::schedule::ScheduleError::Empty));
        }
        let chosen = chosen(&what, name, spec, requests, weights, file, execs, notes)?;
        streams.push(Stream {
            curve,
            start: spec.start.map_or(Duration::ZERO, |span| span.0),
            mix: Mix::weighted(&chosen).map_err(schedule)?,
        });
        let tags = spec.tags.clone().unwrap_or_default().0;
        for (tag, _) in &tags {
            usable_tag(&what, tag)?;
        }
        scenarios.push(Scenario {
            name: name.trim().to_owned(),
            tags,
        });
    }
    never_sent(requests, &streams)?;
    let warm_up = file.warm_up.map_or(Duration::ZERO, |span| span.0);
    let schedule = Schedule::new(streams, warm_up).map_err(|source| PlanError::Schedule {
        what: "the run".to_owned(),
        source,
    })?;
    Ok(Built { scenarios, schedule })
}

fn curve(what: &str, spec: &ScenarioSpec) -> Result<Curve, PlanError> {
    let unit = spec.time_unit.map_or(Duration::from_secs(1), |span| span.0);
    let schedule = |source| PlanError::Schedule {
        what: what.to_owned(),
        source,
    };
    let invalid = |message: &str| PlanError::invalid(format!("{what} {message}"));
    match (&spec.stages, spec.rate, spec.duration) {
        (Some(_), Some(_), _) => Err(invalid("has both a rate and stages: keep the one that is meant")),
        (Some(_), None, Some(_)) => Err(invalid(
            "has both a duration and stages: each stage has its own duration",
        )),
        (Some(stages), None, None) => {
            if stages.is_empty() {
                return Err(invalid(
                    "has an empty list of stages: expected one such as {duration: 1m, target: 50}",
                ));
            }
            let stages: Vec<Stage> = stages
                .iter()
                .map(|stage| Stage {
                    duration: stage.duration.0,
                    target: stage.target,
                })
                .collect();
            if stages.iter().all(|stage| stage.duration.is_zero()) {
                return Err(invalid(
                    "has stages that all take 0s: expected a duration over 0, such as 1m",
                ));
            }
            Curve::ramping(spec.start_rate.unwrap_or(0.0), unit, &stages).map_err(schedule)
        }
        (None, _, _) if spec.start_rate.is_some() => Err(invalid(
            "has a start rate without stages: use `rate` for a constant rate, or add `stages`",
        )),
        (None, None, _) => Err(invalid(
            "has no rate: give --rate 50, or `rate` or `stages` in the scenario",
        )),
        (None, Some(_), None) => Err(invalid(
            "has no duration: give --duration 5m, or `duration` in the scenario",
        )),
        (None, Some(rate), Some(duration)) => {
            if rate == 0.0 {
                return Err(invalid(
                    "has the rate 0, so nothing would be sent: expected a number over 0, such as 50",
                ));
            }
            if duration.0.is_zero() {
                return Err(invalid(
                    "has the duration 0, so nothing would be sent: expected one over 0, such as 5m",
                ));
            }
            Curve::constant(rate, unit, duration.0).map_err(schedule)
        }
    }
}

/// Requests of a scenario with their weights.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of one function, named for its own tests of messages"
)]
fn chosen(
    what: &str,
    name: &str,
    spec: &ScenarioSpec,
    requests: &[Request],
    weights: &[u32],
    file: &ScenarioFile,
    execs: &[(String, String)],
    notes: &mut Vec<String>,
) -> Result<Vec<(u16, u32)>, PlanError> {
    let index_of = |wanted: &str| {
        let index = requests.iter().position(|request| request.name == wanted);
        index.and_then(|index| u16::try_from(index).ok())
    };
    let unknown = |wanted: &str, how: &str| {
        let names: Vec<&str> = requests.iter().map(|request| request.name.as_str()).collect();
        let help = match nearest(wanted, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("there is {}", list(&names)),
        };
        PlanError::invalid(format!(
            "{what} {how} the request {wanted:?}, which does not exist: {help}"
        ))
    };
    if let Some(given) = &spec.requests {
        if given.0.is_empty() {
            return Err(PlanError::invalid(format!(
                "{what} has an empty list of requests: name some with their weights, or remove `requests`"
            )));
        }
        let mut chosen = Vec::with_capacity(given.0.len());
        for (wanted, weight) in &given.0 {
            if *weight == 0 {
                return Err(PlanError::invalid(format!(
                    "{what} gives the request {wanted:?} the weight 0: give it 1 or more, or remove it"
                )));
            }
            chosen.push((index_of(wanted).ok_or_else(|| unknown(wanted, "wants"))?, *weight));
        }
        return Ok(chosen);
    }
    // k6's `exec` is a function of a script; here, a request of that name takes its place.
    if let Some((_, exec)) = execs.iter().find(|(scenario, _)| scenario == name) {
        if let Some(index) = index_of(exec) {
            return Ok(vec![(index, 1)]);
        }
        let named = file.requests.iter().flatten().any(|request| request.name.is_some());
        if named && exec != "default" {
            return Err(unknown(exec, "has `exec` for"));
        }
        if exec != "default" {
            notes.push(format!(
            "`exec` of the scenario {name} names the function {exec} of a script; here it sends what every scenario sends"
        ));
        }
    }
    let indexes = (0_u16..).zip(weights.iter().copied());
    Ok(indexes.collect())
}

fn never_sent(requests: &[Request], streams: &[Stream]) -> Result<(), PlanError> {
    let sent: Vec<u16> = streams.iter().flat_map(|stream| stream.mix.requests()).collect();
    for (index, request) in (0_u16..).zip(requests) {
        if !sent.contains(&index) {
            return Err(PlanError::invalid(format!(
                "no scenario sends the request {:?}: name it in the `requests` of one, or remove it",
                request.name
            )));
        }
    }
    Ok(())
}
