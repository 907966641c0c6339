//! Measures how many requests a second one core can make: the tool on one core, the target on another.
//!
//! oha and wrk have a mode without a rate. load-gate has none: it is asked for more than it can do, and what arrived at the
//! target in the time of the schedule counts.

use std::time::Duration;

use anyhow::Context as _;
use load_target::{Target as Server, TargetConfig};
use serde_json::{Value, json};

use super::{
    table::table,
    tool::{Job, Tools, Which},
};
use crate::{
    args::Setup,
    report::{Outcome, Target, progress},
    stats::median,
};

const TOOLS: [Which; 3] = [Which::LoadGate, Which::Oha, Which::Wrk];
/// Asked of load-gate in turn, until it no longer keeps up.
const RATES: [u32; 8] = [40_000, 60_000, 80_000, 100_000, 120_000, 140_000, 160_000, 200_000];

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let tools = Tools::find(setup)?;
    anyhow::ensure!(
        tools.can_pin(),
        "taskset is needed to hold a tool to one core (Debian: util-linux)"
    );
    let mut per_second: Vec<(Which, Vec<f64>)> = TOOLS.map(|which| (which, Vec::new())).into();
    for round in 1..=setup.rounds {
        for (which, samples) in &mut per_second {
            let best = match which {
                Which::LoadGate => highest(setup, &tools)?,
                _ => one(setup, &tools, *which, None)?,
            };
            samples.push(best);
        }
        progress(&format!("  round {round} of {}", setup.rounds));
    }
    let of = |wanted: Which| {
        let samples = per_second.iter().find(|(which, _)| *which == wanted);
        median(samples.into_iter().flat_map(|(_, samples)| samples.iter().copied()))
    };
    let rows: Vec<Vec<String>> = TOOLS
        .iter()
        .map(|&which| vec![which.name().to_owned(), format!("{:.0}", of(which))])
        .collect();
    let own = of(Which::LoadGate);
    let figures: serde_json::Map<String, Value> = TOOLS
        .iter()
        .map(|&which| (which.name().to_owned(), json!({ "requests_per_second": of(which) })))
        .collect();
    Ok(Outcome {
        figures: figures.into(),
        text: format!("\n{}", table(&["tool, one core", "requests/s"], &rows)),
        targets: vec![
            Target::new("oha's ceiling, of ours", 1.0, of(Which::Oha) / own, "x"),
            Target::new("wrk's ceiling, of ours", 1.25, of(Which::Wrk) / own, "x"),
        ],
    })
}

fn highest(setup: &Setup, tools: &Tools) -> anyhow::Result<f64> {
    let mut best = 0.0_f64;
    for rate in RATES {
        let found = one(setup, tools, Which::LoadGate, Some(rate))?;
        best = best.max(found);
        if found < f64::from(rate) * 0.9 {
            break;
        }
    }
    Ok(best)
}

/// Answered requests a second, by the target's log.
fn one(setup: &Setup, tools: &Tools, which: Which, rate: Option<u32>) -> anyhow::Result<f64> {
    let duration = Duration::from_secs(setup.pick(4, 2));
    let server = Server::start(TargetConfig {
        log: 1_000_000,
        core: Some(0),
        ..TargetConfig::default()
    })
    .context("starting the target")?;
    let folder = tempfile::tempdir()?;
    let job = Job {
        rate,
        duration,
        core: Some(1),
    };
    tools.run(which, &job, &server.url(), folder.path())?;
    let truth = server.truth();
    let first = truth.requests.first().map_or(0, |request| request.arrived_ns);
    // What comes after the time was late already.
    let until = first + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let in_time = truth
        .requests
        .iter()
        .filter(|request| request.ended_ns.is_some_and(|ended| ended <= until));
    Ok(in_time.count() as f64 / duration.as_secs_f64())
}
