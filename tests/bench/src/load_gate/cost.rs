//! Measures what a request costs: processor time and memory at constant rates, and how punctually requests are sent.

use std::time::Duration;

use anyhow::Context as _;
use load_target::{Latency, Target as Server, TargetConfig, nearest_rank};
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

const RATES: [u32; 3] = [50, 1_000, 10_000];
const TOOLS: [Which; 3] = [Which::LoadGate, Which::Oha, Which::K6];
/// Not nothing, and short enough for 50 connections at the highest rate.
const LATENCY_MS: f64 = 1.0;

/// One run of one tool.
struct Run {
    which: Which,
    rate: u32,
    cpu_us: f64,
    peak_mib: f64,
    grown_mib: f64,
    /// Median lateness as it says itself, milliseconds.
    own_lag_ms: Option<f64>,
    /// The same as the target saw it, against the best fitting schedule.
    seen_lag_ms: f64,
}

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let tools = Tools::find(setup)?;
    let mut runs = Vec::new();
    for round in 1..=setup.rounds {
        for rate in RATES {
            for which in TOOLS {
                runs.push(one(setup, &tools, which, rate)?);
            }
        }
        progress(&format!("  round {round} of {}", setup.rounds));
    }
    let over = |which: Which, rate: u32, pick: fn(&Run) -> f64| {
        median(
            runs.iter()
                .filter(|run| run.which == which && run.rate == rate)
                .map(pick),
        )
    };
    let mut rows = Vec::new();
    let mut figures = serde_json::Map::new();
    for rate in RATES {
        for which in TOOLS {
            let (cpu, peak) = (
                over(which, rate, |run| run.cpu_us),
                over(which, rate, |run| run.peak_mib),
            );
            let grown = over(which, rate, |run| run.grown_mib);
            let seen = over(which, rate, |run| run.seen_lag_ms);
            let own = over(which, rate, |run| run.own_lag_ms.unwrap_or(f64::NAN));
            rows.push(vec![
                format!("{} at {rate}/s", which.name()),
                format!("{cpu:.1}"),
                format!("{peak:.1}"),
                format!("{seen:.3}"),
            ]);
            figures.insert(
                format!("{} {rate}", which.name()),
                json!({
                    "cpu_us_per_request": cpu,
                    "peak_mib": peak,
                    "grown_in_second_half_mib": grown,
                    "lag_median_seen_by_target_ms": seen,
                    "lag_median_own_ms": if own.is_nan() { Value::Null } else { json!(own) },
                }),
            );
        }
    }
    let ratio = |peer, rate| over(Which::LoadGate, rate, |run| run.cpu_us) / over(peer, rate, |run| run.cpu_us);
    let own_lag = |rate| over(Which::LoadGate, rate, |run| run.own_lag_ms.unwrap_or(f64::INFINITY));
    let peak = |rate| over(Which::LoadGate, rate, |run| run.peak_mib);
    let mut targets = Vec::new();
    for rate in [1_000, 10_000] {
        targets.push(Target::new(
            format!("processor time a request at {rate}/s, of oha's"),
            0.5,
            ratio(Which::Oha, rate),
            "x",
        ));
        targets.push(Target::new(
            format!("processor time a request at {rate}/s, of k6's"),
            0.125,
            ratio(Which::K6, rate),
            "x",
        ));
    }
    for rate in [50, 1_000] {
        targets.push(Target::new(
            format!("send lag at {rate}/s, median"),
            0.1,
            own_lag(rate),
            "ms",
        ));
    }
    targets.push(Target::new("peak memory at 50/s", 8.0, peak(50), "MiB"));
    targets.push(Target::new("peak memory at 10,000/s", 12.0, peak(10_000), "MiB"));
    targets.push(Target::new(
        "memory growth at 50/s in the second half of a run",
        0.25,
        over(Which::LoadGate, 50, |run| run.grown_mib),
        "MiB",
    ));
    Ok(Outcome {
        figures: Value::Object(figures),
        text: format!(
            "\n{}",
            table(&["tool", "CPU us/request", "peak MiB", "lag seen, median ms"], &rows)
        ),
        targets,
    })
}

fn one(setup: &Setup, tools: &Tools, which: Which, rate: u32) -> anyhow::Result<Run> {
    let job = Job {
        rate: Some(rate),
        duration: Duration::from_secs(match rate {
            50 => setup.pick(10, 2),
            _ => setup.pick(6, 2),
        }),
        core: None,
    };
    let server = Server::start(TargetConfig {
        latency: Latency::Fixed { ms: LATENCY_MS },
        ..TargetConfig::default()
    })
    .context("starting the target")?;
    let folder = tempfile::tempdir()?;
    let (usage, reported) = tools.run(which, &job, &server.url(), folder.path())?;
    let truth = server.truth();
    Ok(Run {
        which,
        rate,
        cpu_us: usage.cpu_s * 1e6 / truth.total() as f64,
        peak_mib: usage.peak_mib,
        grown_mib: usage.end_mib - usage.half_mib,
        own_lag_ms: reported.lag_ms,
        seen_lag_ms: nearest_rank(truth.lateness(f64::from(rate)), 0.5),
    })
}
