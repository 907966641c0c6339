//! Measures the time from MC's publication to the changed decision, with the reloader polling as it does in production.

use std::{
    fmt::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    args::Setup,
    packs, plot,
    report::{Outcome, Target, progress},
    stats::summary,
    ways::{Next, Rig, Way},
};

const POLL_MS: u64 = 500;
/// MC publishes at any time: anywhere in two polls.
const SPREAD_MS: u64 = 1_100;

#[derive(Default)]
struct Samples {
    total: Vec<f64>,
    fetch: Vec<f64>,
    verify: Vec<f64>,
    activate: Vec<f64>,
}

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let mut rigs = Vec::new();
    for way in [Way::Bundle, Way::Push] {
        let rig = Rig::start(setup, folder.path(), way, Some(POLL_MS), packs::small)?;
        rigs.push((rig, Samples::default()));
    }
    let (rounds, publications) = (setup.rounds, setup.pick(30, 10));
    for round in 1..=rounds {
        for (rig, samples) in &mut rigs {
            for _ in 0..publications {
                publish(rig, samples)?;
            }
            progress(&format!(
                "  round {round} {:<6}: {} publications, median {:.0} ms so far",
                rig.way.name(),
                samples.total.len(),
                summary(&samples.total).median
            ));
        }
    }
    let mut figures = json!({ "poll_interval_ms": POLL_MS });
    let mut text = String::new();
    let mut targets = Vec::new();
    for (rig, samples) in &rigs {
        let (total, activate) = (summary(&samples.total), summary(&samples.activate));
        let name = rig.way.name();
        figures[name] = json!({
            "publication_to_decision_ms": total,
            "fetch_ms": summary(&samples.fetch),
            "verify_ms": summary(&samples.verify),
            "activate_ms": activate,
        });
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\n  {name}: {} publications; median {:.0}, p95 {:.0}, p99 {:.0}, max {:.0} ms\n{}",
            total.count,
            total.median,
            total.p95,
            total.p99,
            total.max,
            plot::histogram(&samples.total, "ms")
        );
        targets.push(Target::new(
            format!("{name}: publication to changed decision, p99 (poll interval {POLL_MS} ms)"),
            POLL_MS as f64 + 300.0,
            total.p99,
            "ms",
        ));
        targets.push(Target::new(
            format!("{name}: verified to deciding, p99"),
            250.0,
            activate.p99,
            "ms",
        ));
    }
    Ok(Outcome { figures, text, targets })
}

fn publish(rig: &mut Rig, samples: &mut Samples) -> anyhow::Result<()> {
    let Next::Pack(pack) = rig.next()? else {
        anyhow::bail!("the draft does not poll");
    };
    sleep(Duration::from_millis(fastrand::u64(0..SPREAD_MS)));
    let published = Instant::now();
    rig.mc.publish(pack);
    let decided = rig.decides()?;
    samples.total.push((decided - published).as_secs_f64() * 1e3);
    if let Some(timings) = rig.timings()? {
        samples.fetch.push(timings.fetch);
        samples.verify.push(timings.verify);
        samples.activate.push(timings.activate);
    }
    Ok(())
}
