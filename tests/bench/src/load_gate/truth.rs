//! Measures how far reported percentiles are from the truth, which the target's own log has.
//!
//! The truth is what somebody waited who came when a request was due: failures are infinitely late, and a stall counts
//! for everybody who came during it, whether the tool sent their requests or not.

use std::time::Duration;

use anyhow::Context as _;
use load_target::{Fault, Freeze, Kind, Latency, Target as Server, TargetConfig, Truth, nearest_rank};
use serde_json::{Value, json};

use super::{
    table::{ms, table},
    tool::{Job, Tools, Which},
};
use crate::{
    args::Setup,
    report::{Outcome, Target, progress},
    stats::median,
};

const RATE: u32 = 1_000;
const TOOLS: [Which; 4] = [Which::LoadGate, Which::Oha, Which::OhaCorrected, Which::K6];

/// A way for a server to behave.
struct Scenario {
    name: &'static str,
    config: fn(Duration) -> TargetConfig,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "fixed, 5 ms",
        config: |_| TargetConfig {
            latency: Latency::Fixed { ms: 5.0 },
            ..TargetConfig::default()
        },
    },
    Scenario {
        name: "heavy tail",
        config: |_| heavy_tail(),
    },
    Scenario {
        name: "freeze of a fifth",
        config: |duration| {
            let whole = duration.as_secs_f64() * 1e3;
            TargetConfig {
                freezes: vec![Freeze {
                    from_ms: whole * 0.4,
                    for_ms: whole * 0.2,
                }],
                latency: Latency::Fixed { ms: 5.0 },
                ..TargetConfig::default()
            }
        },
    },
    Scenario {
        name: "6 % instant errors",
        config: |_| TargetConfig {
            faults: vec![Fault {
                kind: Kind::Error,
                share: 0.06,
            }],
            ..heavy_tail()
        },
    },
];

fn heavy_tail() -> TargetConfig {
    TargetConfig {
        latency: Latency::LogNormal {
            median_ms: 8.0,
            sigma: 0.8,
            cap_ms: 500.0,
        },
        ..TargetConfig::default()
    }
}

/// p95 and p99, milliseconds.
#[derive(Debug, Clone, Copy)]
struct Pair {
    p95: f64,
    p99: f64,
}

struct Run {
    scenario: usize,
    which: Which,
    truth: Pair,
    reported: Pair,
}

impl Run {
    fn error(&self) -> Pair {
        Pair {
            p95: distance(self.reported.p95, self.truth.p95),
            p99: distance(self.reported.p99, self.truth.p99),
        }
    }
}

/// Nothing between two infinities.
fn distance(reported: f64, truth: f64) -> f64 {
    if reported.is_infinite() && truth.is_infinite() {
        0.0
    } else {
        (reported - truth).abs()
    }
}

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let tools = Tools::find(setup)?;
    let mut runs = Vec::new();
    for round in 1..=setup.rounds {
        for scenario in 0..SCENARIOS.len() {
            for which in TOOLS {
                runs.push(one(setup, &tools, scenario, which, u64::from(round))?);
            }
        }
        progress(&format!("  round {round} of {}", setup.rounds));
    }
    let mut rows = Vec::new();
    let mut figures = serde_json::Map::new();
    let mut targets = Vec::new();
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let over = |which: Which, pick: fn(&Run) -> f64| {
            median(
                runs.iter()
                    .filter(|run| run.scenario == number && run.which == which)
                    .map(pick),
            )
        };
        for which in TOOLS {
            let row = [
                over(which, |run| run.truth.p95),
                over(which, |run| run.reported.p95),
                over(which, |run| run.error().p95),
                over(which, |run| run.truth.p99),
                over(which, |run| run.reported.p99),
                over(which, |run| run.error().p99),
            ];
            let mut cells = vec![format!("{}: {}", scenario.name, which.name())];
            cells.extend(row.map(ms));
            rows.push(cells);
            // JSON has no infinity: `null`.
            let names = [
                "p95_truth",
                "p95_reported",
                "p95_error",
                "p99_truth",
                "p99_reported",
                "p99_error",
            ];
            let values: serde_json::Map<String, Value> = names
                .iter()
                .zip(row)
                .map(|(name, value)| (format!("{name}_ms"), json!(value)))
                .collect();
            figures.insert(format!("{}: {}", scenario.name, which.name()), values.into());
        }
        for (name, pick) in [
            ("p95", (|run| run.error().p95) as fn(&Run) -> f64),
            ("p99", |run| run.error().p99),
        ] {
            let best_peer = TOOLS[1..]
                .iter()
                .map(|&which| over(which, pick))
                .fold(f64::INFINITY, f64::min);
            targets.push(Target::new(
                format!("error of {name}, {}; target is the best peer's", scenario.name),
                // Digits that mean something.
                (best_peer * 1e3).ceil() / 1e3,
                over(Which::LoadGate, pick),
                "ms",
            ));
        }
    }
    let heading = [
        "scenario: tool",
        "p95 truth",
        "reported",
        "off by",
        "p99 truth",
        "reported",
        "off by",
    ];
    Ok(Outcome {
        figures: figures.into(),
        text: format!("\n  milliseconds, at {RATE} requests/s\n{}", table(&heading, &rows)),
        targets,
    })
}

fn one(setup: &Setup, tools: &Tools, scenario: usize, which: Which, seed: u64) -> anyhow::Result<Run> {
    let job = Job {
        rate: Some(RATE),
        duration: Duration::from_secs(setup.pick(6, 3)),
        core: None,
    };
    let config = TargetConfig {
        seed,
        ..(SCENARIOS[scenario].config)(job.duration)
    };
    let freezes = config.freezes.clone();
    let server = Server::start(config).context("starting the target")?;
    let folder = tempfile::tempdir()?;
    let (_, reported) = tools.run(which, &job, &server.url(), folder.path())?;
    let latencies = waited(&server.truth(), &freezes, &job);
    Ok(Run {
        scenario,
        which,
        truth: Pair {
            p95: nearest_rank(latencies.clone(), 0.95),
            p99: nearest_rank(latencies, 0.99),
        },
        reported: Pair {
            p95: reported.p95_ms,
            p99: reported.p99_ms,
        },
    })
}

/// What everybody waited who came on schedule.
///
/// That is what the log has, from arrival to answer, when the tool sent them all. Some tools stop sending in a freeze, so
/// that their log does not have everybody who came during it: who is missing waited for its end, and then as long as
/// anybody.
fn waited(truth: &Truth, freezes: &[Freeze], job: &Job) -> Vec<f64> {
    let Some(first) = truth.requests.first().map(|request| request.arrived_ns) else {
        return Vec::new();
    };
    let rate = f64::from(job.rate.unwrap_or(RATE));
    let everybody = (job.duration.as_secs_f64() * rate).round();
    if freezes.is_empty() || truth.total() as f64 >= everybody * 0.99 {
        return truth
            .requests
            .iter()
            .map(load_target::Request::right_latency_ms)
            .collect();
    }
    let since = |ns: u64| (ns.saturating_sub(first)) as f64 / 1e6;
    let frozen_until = |at: f64| {
        let freeze = freezes
            .iter()
            .find(|freeze| (freeze.from_ms..freeze.from_ms + freeze.for_ms).contains(&at))?;
        Some(freeze.from_ms + freeze.for_ms)
    };
    // Also those just before it, whose answers fell into it.
    let touched = |request: &&load_target::Request| {
        frozen_until(since(request.arrived_ns)).is_some()
            || request.ended_ns.is_some_and(|ended| {
                freezes
                    .iter()
                    .any(|freeze| since(request.arrived_ns) < freeze.from_ms && since(ended) >= freeze.from_ms)
            })
    };
    let mut all: Vec<f64> = truth
        .requests
        .iter()
        .filter(|request| !touched(request))
        .map(load_target::Request::right_latency_ms)
        .collect();
    let usual = nearest_rank(all.clone(), 0.5);
    let mut number = 0.0;
    all.clear();
    while number < everybody {
        let due = number * 1e3 / rate;
        // An answer that would leave in a freeze leaves at its end.
        all.push(frozen_until(due + usual).map_or(usual, |end| end - due));
        number += 1.0;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Job, distance, waited};
    use load_target::{Freeze, Kind, Request, Truth};
    use std::time::Duration;

    fn request(arrived_ms: u64, took_ms: u64, kind: Kind) -> Request {
        Request {
            connection: 0,
            arrived_ns: arrived_ms * 1_000_000,
            planned_ns: None,
            ended_ns: Some((arrived_ms + took_ms) * 1_000_000),
            status: 200,
            kind,
        }
    }

    const JOB: Job = Job {
        rate: Some(10),
        duration: Duration::from_secs(1),
        core: None,
    };

    #[test]
    fn failures_are_infinitely_late() {
        let truth = Truth {
            requests: vec![request(5, 3, Kind::Ok), request(6, 1, Kind::Error)],
            ..Truth::default()
        };
        assert_eq!(waited(&truth, &[], &JOB), [3.0, f64::INFINITY]);
    }

    #[test]
    fn whoever_came_in_a_freeze_waited_for_its_end_also_when_nobody_was_sent() {
        // Two requests of ten: the tool was stuck.
        let truth = Truth {
            requests: vec![request(0, 5, Kind::Ok), request(900, 5, Kind::Ok)],
            ..Truth::default()
        };
        let freeze = Freeze {
            from_ms: 300.0,
            for_ms: 300.0,
        };
        let all = waited(&truth, &[freeze], &JOB);
        assert_eq!(all, [5.0, 5.0, 5.0, 300.0, 200.0, 100.0, 5.0, 5.0, 5.0, 5.0]);
    }

    #[test]
    fn two_infinities_are_the_same() {
        assert!(distance(f64::INFINITY, f64::INFINITY) < 1e-9);
        assert!(distance(7.0, f64::INFINITY).is_infinite());
    }
}
