//! Measures the static binary's size, and how long it takes from its start to the first request's arrival.

use std::time::Duration;

use anyhow::Context as _;
use load_target::{Target as Server, TargetConfig};
use serde_json::{Value, json};

use super::{
    table::{ms, table},
    tool::{Job, Tools, Which},
};
use crate::{
    args::Setup,
    report::{Outcome, Target},
    stats::median,
};

const TOOLS: [Which; 4] = [Which::LoadGate, Which::Oha, Which::Wrk, Which::K6];

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let tools = Tools::find(setup)?;
    let bytes = std::fs::metadata(tools.load_gate())
        .context("looking at the release binary")?
        .len();
    let mib = bytes as f64 / f64::from(1 << 20);
    let mut all: Vec<(Which, Vec<f64>)> = TOOLS.map(|which| (which, Vec::new())).into();
    for _ in 0..setup.rounds {
        for (which, samples) in &mut all {
            samples.push(one(&tools, *which)?);
        }
    }
    let medians: Vec<(Which, f64)> = all
        .into_iter()
        .map(|(which, samples)| (which, median(samples)))
        .collect();
    let own = medians.first().map_or(f64::NAN, |(_, ms)| *ms);
    let rows: Vec<Vec<String>> = medians
        .iter()
        .map(|(which, time)| vec![which.name().to_owned(), ms(*time)])
        .collect();
    let mut figures: serde_json::Map<String, Value> = medians
        .iter()
        .map(|(which, time)| (which.name().to_owned(), json!({ "first_request_ms": time })))
        .collect();
    figures.insert("bytes".to_owned(), json!(bytes));
    Ok(Outcome {
        figures: figures.into(),
        text: format!(
            "\n  binary: {mib:.2} MiB\n{}",
            table(&["from start to", "first request, ms"], &rows)
        ),
        targets: vec![
            Target::new("from start to first request", 20.0, own, "ms"),
            Target::new("static binary", 8.0, mib, "MiB"),
        ],
    })
}

fn one(tools: &Tools, which: Which) -> anyhow::Result<f64> {
    let job = Job {
        rate: Some(1_000).filter(|_| which != Which::Wrk),
        duration: Duration::from_secs(1),
        core: None,
    };
    let server = Server::start(TargetConfig::default()).context("starting the target")?;
    let folder = tempfile::tempdir()?;
    let (usage, _) = tools.run(which, &job, &server.url(), folder.path())?;
    let truth = server.truth();
    let first = truth.requests.first().context("no request arrived")?.arrived_ns;
    let arrived = server.started() + Duration::from_nanos(first);
    Ok((arrived - usage.spawned).as_secs_f64() * 1e3)
}
