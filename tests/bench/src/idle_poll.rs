//! Measures what a poll costs when nothing changed: requests, by MC's own record, and processor time.
//!
//! Two reloaders run side by side, alike but for the poll interval: one polls, the other never does. The difference of
//! their processor time, divided by the number of polls that MC counted, is the cost of a poll. Polling fast keeps the
//! connection to MC alive; polling slowly (as by default, every 15 s) opens one for each poll, so both are measured.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::ensure;
use mc_sim::Endpoint;
use serde_json::json;

use crate::{
    args::Setup,
    packs,
    report::{Outcome, Target, progress},
    stats::median,
    ways::{NEVER_MS, Rig, Way},
};

/// Kept connections: many polls in a short time.
const FAST_MS: u64 = 20;
/// Longer than the client keeps a connection.
const SLOW_MS: u64 = 5_000;

struct Cost {
    polls: u64,
    not_modified: u64,
    requests: u64,
    cpu_ms: f64,
}

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let start = |name: &str, poll_ms| -> anyhow::Result<Rig> {
        let folder: &Path = &folder.path().join(name);
        Rig::start(setup, folder, Way::Bundle, Some(poll_ms), packs::small)
    };
    let silent = start("silent", NEVER_MS)?;
    let mut costs = Vec::new();
    {
        let fast = start("fast", FAST_MS)?;
        for _ in 0..setup.rounds {
            costs.push(measure(&fast, &silent, Duration::from_secs(setup.pick(8, 3)))?);
        }
    }
    let slow = start("slow", SLOW_MS)?;
    let new_connection = measure(&slow, &silent, Duration::from_secs(setup.pick(90, 12)))?;

    let per_poll = |cost: &Cost| cost.cpu_ms / cost.polls as f64;
    let kept = median(costs.iter().map(per_poll));
    let (polls, not_modified, requests) = costs.iter().chain([&new_connection]).fold((0, 0, 0), |sum, cost| {
        (sum.0 + cost.polls, sum.1 + cost.not_modified, sum.2 + cost.requests)
    });
    ensure!(polls > 0, "no polls were seen");
    let requests_a_poll = requests as f64 / polls as f64;
    let text = format!(
        "\n  {polls} polls: {requests} requests, {not_modified} of them 304\n  \
         processor time a poll: {kept:.3} ms on a kept connection, {:.3} ms on a new one ({} polls)\n",
        per_poll(&new_connection),
        new_connection.polls
    );
    Ok(Outcome {
        figures: json!({
            "polls": polls,
            "requests": requests,
            "not_modified": not_modified,
            "cpu_ms_a_poll_kept_connection": kept,
            "cpu_ms_a_poll_kept_connection_rounds": costs.iter().map(per_poll).collect::<Vec<_>>(),
            "cpu_ms_a_poll_new_connection": per_poll(&new_connection),
            "polls_on_new_connections": new_connection.polls,
        }),
        text,
        targets: vec![
            Target::new("requests a poll, all of them 304", 1.0, requests_a_poll, "requests"),
            Target::new("processor time of an unchanged poll, kept connection", 1.0, kept, "ms"),
            Target::new(
                "processor time of an unchanged poll, new connection",
                1.0,
                per_poll(&new_connection),
                "ms",
            ),
        ],
    })
}

fn measure(polling: &Rig, silent: &Rig, length: Duration) -> anyhow::Result<Cost> {
    let read = |rig: &Rig| -> anyhow::Result<f64> {
        let reloader = rig.reloader.as_ref();
        reloader.map_or(Ok(0.0), |reloader| reloader.process.cpu_ms())
    };
    polling.mc.sim.clear_requests();
    let (before, before_silent, started) = (read(polling)?, read(silent)?, Instant::now());
    sleep(length);
    let (after, after_silent) = (read(polling)?, read(silent)?);
    let requests = polling.mc.sim.requests();
    let cost = Cost {
        // A poll begins with one request for the pack; whatever else it asks for is over the target.
        polls: requests.answered(Endpoint::Pack),
        not_modified: requests.count(Endpoint::Pack, 304),
        requests: requests.answered(Endpoint::Pack) + requests.answered(Endpoint::Attestation),
        cpu_ms: (after - before) - (after_silent - before_silent),
    };
    ensure!(
        cost.not_modified == cost.polls,
        "{} of {} polls of an unchanged pack were answered by something else than 304",
        cost.polls - cost.not_modified,
        cost.polls
    );
    progress(&format!(
        "  {} polls in {:.1} s: {:.1} ms of processor time, and {:.1} ms without polls",
        cost.polls,
        started.elapsed().as_secs_f64(),
        after - before,
        after_silent - before_silent
    ));
    Ok(cost)
}
