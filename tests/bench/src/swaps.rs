//! Measures torn answers, and how late answers are, while packs are swapped under a constant load.

use std::{
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use mc_sim::Files;
use serde_json::{Value, json};

use crate::{
    args::Setup,
    load::{self, Query, Verdict},
    packs, plot,
    report::{Outcome, progress},
    stats::{Summary, median, summary},
    ways::{Rig, Way},
};

/// What is swapped and asked, and how often.
pub(crate) struct Plan {
    make: fn(u64) -> Files,
    between_swaps: Duration,
    rate: u32,
    seconds: u64,
}

/// The sample pack, ten times a second.
pub(crate) const SMALL: Plan = Plan {
    make: packs::small,
    between_swaps: Duration::from_millis(100),
    rate: 1_000,
    seconds: 10,
};

/// Eleven modules, every two seconds.
pub(crate) const LARGE: Plan = Plan {
    make: packs::large,
    between_swaps: Duration::from_secs(2),
    rate: 500,
    seconds: 14,
};

/// One round of one way.
struct Round {
    swaps: Summary,
    activate: Summary,
    all: Summary,
    during: Summary,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    answers: usize,
    torn: usize,
    undefined: usize,
    failed: usize,
}

pub(crate) fn run(setup: &Setup, plan: &Plan) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let mut rigs = Vec::new();
    for way in Way::ALL {
        rigs.push((Rig::start(setup, folder.path(), way, None, plan.make)?, Vec::new()));
    }
    let seconds = setup.pick(plan.seconds, plan.seconds.min(4));
    for number in 1..=setup.rounds {
        for (rig, rounds) in &mut rigs {
            let round = round(rig, plan, Duration::from_secs(seconds))?;
            progress(&format!(
                "  round {number} {:<6}: {} swaps, median {:.1} ms; {} of {} answers torn; query p99 {:.1} ms",
                rig.way.name(),
                round.swaps.count,
                round.swaps.median,
                round.counts.torn,
                round.counts.answers,
                round.all.p99
            ));
            rounds.push(round);
        }
    }
    let mut memory = serde_json::Map::new();
    for (rig, _) in &rigs {
        if let Some(reloader) = &rig.reloader {
            let found = reloader.process.memory()?;
            memory.insert(
                rig.way.name().to_owned(),
                json!({ "rss_mib": found.rss, "peak_mib": found.peak }),
            );
        }
    }
    let ways: Vec<(Way, Vec<Round>)> = rigs.into_iter().map(|(rig, rounds)| (rig.way, rounds)).collect();
    let mut outcome = outcome(plan, seconds, &ways);
    // Small here, or something grows with every swap.
    outcome.figures["reloader_memory_after_all_swaps"] = memory.into();
    Ok(outcome)
}

/// Swaps and asks at the same time.
fn round(rig: &mut Rig, plan: &Plan, length: Duration) -> anyhow::Result<Round> {
    let start = Instant::now() + Duration::from_millis(200);
    let end = start + length;
    let opa = rig.opa.address;
    let (swaps, activate, queries) = thread::scope(|scope| {
        let queries = scope.spawn(|| load::run(opa, plan.rate, start, end));
        let swaps = swap_until(rig, plan.between_swaps, start, end);
        let queries = queries.join().map_err(|_| anyhow!("the load failed"))??;
        let (swaps, activate) = swaps?;
        anyhow::Ok((swaps, activate, queries))
    })?;
    let millis: Vec<f64> = swaps
        .iter()
        .map(|(from, until)| (*until - *from).as_secs_f64() * 1e3)
        .collect();
    let latency = |queries: &[&Query]| summary(&queries.iter().map(|query| query.millis()).collect::<Vec<_>>());
    let all: Vec<&Query> = queries.iter().collect();
    let during: Vec<&Query> = queries
        .iter()
        .filter(|query| {
            swaps
                .iter()
                .any(|(from, until)| query.from < *until && query.until > *from)
        })
        .collect();
    let count = |verdict| queries.iter().filter(|query| query.verdict == verdict).count();
    Ok(Round {
        swaps: summary(&millis),
        activate: summary(&activate),
        all: latency(&all),
        during: latency(&during),
        counts: Counts {
            answers: queries.len(),
            torn: count(Verdict::Torn),
            undefined: count(Verdict::Undefined),
            failed: count(Verdict::Failed),
        },
    })
}

type Swaps = (Vec<(Instant, Instant)>, Vec<f64>);

/// When each swap began and ended, and how long the reloader says that activation took, milliseconds.
fn swap_until(rig: &mut Rig, between: Duration, start: Instant, end: Instant) -> anyhow::Result<Swaps> {
    let mut swaps = Vec::new();
    let mut activate = Vec::new();
    for number in 0.. {
        let next = rig.next()?;
        let due = start + between * number + between / 2;
        if due.max(Instant::now()) >= end {
            rig.revision -= 1;
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let from = Instant::now();
        rig.swap(next)?;
        let until = Instant::now();
        swaps.push((from, until));
        // The draft does nothing but activate.
        let whole = (until - from).as_secs_f64() * 1e3;
        activate.push(rig.timings()?.map_or(whole, |timings| timings.activate));
    }
    Ok((swaps, activate))
}

fn outcome(plan: &Plan, seconds: u64, ways: &[(Way, Vec<Round>)]) -> Outcome {
    let mut figures = json!({
        "rounds": ways.first().map_or(0, |(_, rounds)| rounds.len()),
        "seconds_a_round": seconds,
        "between_swaps_ms": plan.between_swaps.as_millis(),
        "queries_a_second": plan.rate,
    });
    let mut rows = Vec::new();
    for (way, rounds) in ways {
        let over = |pick: fn(&Round) -> f64| median(rounds.iter().map(pick));
        let total = |pick: fn(&Counts) -> usize| rounds.iter().map(|round| pick(&round.counts)).sum::<usize>();
        let row = json!({
            "answers": total(|counts| counts.answers),
            "torn": total(|counts| counts.torn),
            "undefined": total(|counts| counts.undefined),
            "not_200": total(|counts| counts.failed),
            "swaps": rounds.iter().map(|round| round.swaps.count).sum::<usize>(),
            "swap_median_ms": over(|round| round.swaps.median),
            "swap_p99_ms": over(|round| round.swaps.p99),
            "activate_median_ms": over(|round| round.activate.median),
            "activate_p99_ms": over(|round| round.activate.p99),
            "query_p50_ms": over(|round| round.all.median),
            "query_p99_ms": over(|round| round.all.p99),
            "query_max_ms": over(|round| round.all.max),
            "query_during_swaps_p50_ms": over(|round| round.during.median),
            "query_during_swaps_p99_ms": over(|round| round.during.p99),
        });
        figures[way.name()] = row.clone();
        rows.push((*way, row));
    }
    figures["ratios_draft_to_bundle"] = ratios(&figures);
    Outcome {
        text: text(&rows, &figures["ratios_draft_to_bundle"]),
        figures,
        targets: Vec::new(),
    }
}

fn number(row: &Value, key: &str) -> f64 {
    row.get(key).and_then(Value::as_f64).unwrap_or_default()
}

fn ratios(figures: &Value) -> Value {
    let ratio = |key: &str| number(&figures["draft"], key) / number(&figures["bundle"], key);
    json!({
        "swap_median": ratio("swap_median_ms"),
        "query_p99": ratio("query_p99_ms"),
        "query_during_swaps_p99": ratio("query_during_swaps_p99_ms"),
    })
}

fn text(rows: &[(Way, Value)], ratios: &Value) -> String {
    let mut text = format!(
        "\n  {:<7} {:>8} {:>6} {:>9} {:>7} {:>22} {:>22} {:>19} {:>12}\n",
        "",
        "answers",
        "torn",
        "undefined",
        "not 200",
        "swap median/p99 ms",
        "activation med/p99 ms",
        "query p50/p99 ms",
        "during, p99"
    );
    for (way, row) in rows {
        let pair = |one: &str, other: &str| format!("{:.1} / {:.1}", number(row, one), number(row, other));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:<7} {:>8} {:>6} {:>9} {:>7} {:>22} {:>22} {:>19} {:>12.1}",
            way.name(),
            number(row, "answers"),
            number(row, "torn"),
            number(row, "undefined"),
            number(row, "not_200"),
            pair("swap_median_ms", "swap_p99_ms"),
            pair("activate_median_ms", "activate_p99_ms"),
            pair("query_p50_ms", "query_p99_ms"),
            number(row, "query_during_swaps_p99_ms"),
        );
    }
    let _ = writeln!(
        text,
        "  draft / bundle: swap {:.1}x, query p99 {:.1}x, query p99 during swaps {:.1}x\n\n  torn answers, percent",
        number(ratios, "swap_median"),
        number(ratios, "query_p99"),
        number(ratios, "query_during_swaps_p99"),
    );
    let share = |row: &Value| 100.0 * number(row, "torn") / number(row, "answers").max(1.0);
    let bars: Vec<_> = rows
        .iter()
        .map(|(way, row)| (way.name().to_owned(), share(row), format!("{:.2}", share(row))))
        .collect();
    text + &plot::bars(&bars)
}
