//! Measures resident memory: idle in each mode, and in bundle mode with a pack of 1,000,000 data entries.

use std::{path::Path, thread::sleep, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::{
    args::Setup,
    opa::Opa,
    packs::{self, Mc},
    plot,
    process::{Memory, free_addresses},
    reloader::{Options, Reloader},
    report::{Outcome, Target, progress},
    stats::median,
    ways::{Rig, WATCH_MS, Way},
};

const ENTRIES: usize = 1_000_000;
const POLL_MS: u64 = 1_000;
const REPLACEMENTS: u64 = 3;
/// Long enough for start-up to be over and freed memory to be given back.
const SETTLE: Duration = Duration::from_secs(5);

/// One round with large packs, MiB.
struct Large {
    pack: f64,
    /// Nothing before it.
    first: Memory,
    settled: f64,
    /// In the place of the first, and so on.
    replacing_peak: f64,
    replaced_settled: f64,
    opa_peak: f64,
    activate_ms: f64,
    verify_ms: f64,
}

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let mut idle: Vec<(&'static str, Vec<Memory>)> = ["bundle", "push", "embedded", "OPA"]
        .map(|name| (name, Vec::new()))
        .into();
    let mut large = Vec::new();
    for number in 1..=setup.rounds {
        for (name, memory) in idle_round(setup)? {
            if let Some((_, samples)) = idle.iter_mut().find(|(known, _)| *known == name) {
                samples.push(memory);
            }
        }
        let round = large_round(setup)?;
        progress(&format!(
            "  round {number}: pack of {:.1} MiB; peak {:.1} MiB, then {:.1}; replaced: peak {:.1} MiB, then {:.1}",
            round.pack, round.first.peak, round.settled, round.replacing_peak, round.replaced_settled
        ));
        large.push(round);
    }
    let over = |pick: fn(&Large) -> f64| median(large.iter().map(pick));
    let pack = over(|round| round.pack);
    let (peak, replacing_peak) = (over(|round| round.first.peak), over(|round| round.replacing_peak));
    let idle: Vec<(&str, f64, f64)> = idle
        .iter()
        .map(|(name, samples)| {
            let rss = median(samples.iter().map(|memory| memory.rss));
            (*name, rss, median(samples.iter().map(|memory| memory.peak)))
        })
        .collect();
    let idle_bundle = idle.first().map_or(f64::NAN, |(_, rss, _)| *rss);
    let mut rows: Vec<(String, f64, String)> = idle
        .iter()
        .map(|(name, rss, _)| (format!("{name}, idle"), *rss, format!("{rss:.1}")))
        .collect();
    for (name, value) in [
        ("the large pack itself", pack),
        ("bundle, loading it, peak", peak),
        ("bundle, afterwards", over(|round| round.settled)),
        ("bundle, replacing it, peak", replacing_peak),
        ("bundle, after that", over(|round| round.replaced_settled)),
    ] {
        rows.push((name.to_owned(), value, format!("{value:.1}")));
    }
    let idle_json: Value = idle
        .iter()
        .map(|(name, rss, peak)| ((*name).to_owned(), json!({ "rss_mib": rss, "peak_mib": peak })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    Ok(Outcome {
        text: format!("\n  resident memory, MiB\n{}", plot::bars(&rows)),
        figures: json!({
            "idle": idle_json,
            "large": {
                "entries": ENTRIES,
                "pack_mib": pack,
                "peak_mib": peak,
                "peak_to_pack": peak / pack,
                "afterwards_mib": over(|round| round.settled),
                "replacing_peak_mib": replacing_peak,
                "replacing_peak_to_pack": replacing_peak / pack,
                "after_replacing_mib": over(|round| round.replaced_settled),
                "opa_peak_mib": over(|round| round.opa_peak),
                "verify_ms": over(|round| round.verify_ms),
                "activate_ms": over(|round| round.activate_ms),
            },
        }),
        targets: vec![
            Target::new("bundle mode, idle, resident", 15.0, idle_bundle, "MiB"),
            Target::new(
                "bundle mode, loading 1,000,000 entries, peak",
                3.0,
                peak / pack,
                "x the pack",
            ),
            Target::new(
                "bundle mode, replacing such a pack by another, peak",
                3.0,
                replacing_peak / pack,
                "x the pack",
            ),
        ],
    })
}

fn idle_round(setup: &Setup) -> anyhow::Result<Vec<(&'static str, Memory)>> {
    let folder = tempfile::tempdir()?;
    let bundle = Rig::start(setup, folder.path(), Way::Bundle, Some(POLL_MS), packs::small)?;
    let push = Rig::start(setup, folder.path(), Way::Push, Some(POLL_MS), packs::small)?;
    let (_mc, mut embedded) = embedded(setup, folder.path())?;
    embedded.wait_ready(Duration::from_millis(5))?;
    sleep(SETTLE);
    let of = |rig: &Rig| -> anyhow::Result<Memory> { rig.reloader.as_ref().context("no reloader")?.process.memory() };
    Ok(vec![
        ("bundle", of(&bundle)?),
        ("push", of(&push)?),
        ("embedded", embedded.process.memory()?),
        ("OPA", bundle.opa.process.memory()?),
    ])
}

/// A reloader without OPA. MC comes with it, because it has to stay.
pub(crate) fn embedded(setup: &Setup, folder: &Path) -> anyhow::Result<(Mc, Reloader)> {
    let folder = folder.join("embedded");
    std::fs::create_dir_all(&folder)?;
    let mc = Mc::start(&folder)?;
    mc.publish(mc.build(packs::small(1))?);
    let [opa, bundles] = free_addresses()?;
    let options = Options {
        activation: "embedded",
        pack_url: mc.url(),
        poll_ms: POLL_MS,
        watch_ms: WATCH_MS,
        opa,
        bundles,
    };
    let reloader = Reloader::start(setup, &folder, &mc.key, &options)?;
    Ok((mc, reloader))
}

fn large_round(setup: &Setup) -> anyhow::Result<Large> {
    let folder = tempfile::tempdir()?;
    let mc = Mc::start(folder.path())?;
    let first = mc.build(packs::with_entries(1, ENTRIES))?;
    let pack = first.tar.len() as f64 / f64::from(1 << 20);
    mc.publish(first);
    let [bundles] = free_addresses()?;
    let opa = Opa::start(setup, folder.path(), Some(bundles))?;
    let options = Options {
        activation: "bundle",
        pack_url: mc.url(),
        poll_ms: POLL_MS,
        watch_ms: WATCH_MS,
        opa: opa.address,
        bundles,
    };
    let mut reloader = Reloader::start(setup, folder.path(), &mc.key, &options)?;
    let timings = reloader.wait_active(1)?;
    let first = reloader.process.memory()?;
    sleep(SETTLE);
    let settled = reloader.process.memory()?.rss;
    // More than once: what is not given back adds up.
    for revision in 2..2 + REPLACEMENTS {
        mc.publish(mc.build(packs::with_entries(revision, ENTRIES))?);
        reloader.wait_active(revision)?;
    }
    let replacing_peak = reloader.process.memory()?.peak;
    sleep(SETTLE);
    Ok(Large {
        pack,
        first,
        settled,
        replacing_peak,
        replaced_settled: reloader.process.memory()?.rss,
        opa_peak: opa.process.memory()?.peak,
        activate_ms: timings.activate,
        verify_ms: timings.verify,
    })
}
