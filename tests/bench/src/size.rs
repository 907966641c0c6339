//! Measures the static binary's size and how long it takes from its start to the first decision.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::json;

use crate::{
    args::Setup,
    memory::embedded,
    opa::Opa,
    packs::{self, Mc},
    process::free_addresses,
    reloader::{Options, Reloader},
    report::{Outcome, Target},
    stats::median,
    ways::{NEVER_MS, WATCH_MS},
};

/// How often `/readyz` is asked.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) fn run(setup: &Setup) -> anyhow::Result<Outcome> {
    let bytes = std::fs::metadata(&setup.reloader)
        .context("looking at the release binary")?
        .len();
    let mib = bytes as f64 / f64::from(1 << 20);
    let folder = tempfile::tempdir()?;
    let (mut listening, mut alone, mut push) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setup.rounds {
        let (_mc, mut reloader) = embedded(setup, folder.path())?;
        listening.push((reloader.listening - reloader.started).as_secs_f64() * 1e3);
        alone.push(reloader.wait_ready(PAUSE)?);
        push.push(until_ready_by_push(setup, folder.path())?);
    }
    let (listening, alone, push) = (median(listening), median(alone), median(push));
    Ok(Outcome {
        figures: json!({
            "bytes": bytes,
            "mib": mib,
            "admin_port_open_ms": listening,
            "ready_embedded_ms": alone,
            "ready_push_ms": push,
        }),
        text: format!(
            "\n  binary: {mib:.1} MiB; from start to the admin port {listening:.0} ms, to ready {alone:.0} ms (embedded), \
             {push:.0} ms (push to a running OPA)\n"
        ),
        targets: vec![Target::new("static binary", 15.0, mib, "MiB")],
    })
}

fn until_ready_by_push(setup: &Setup, folder: &Path) -> anyhow::Result<f64> {
    let mc = Mc::start(folder)?;
    mc.publish(mc.build(packs::small(1))?);
    let opa = Opa::start(setup, folder, None)?;
    let [bundles] = free_addresses()?;
    let options = Options {
        activation: "push",
        pack_url: mc.url(),
        poll_ms: NEVER_MS,
        watch_ms: WATCH_MS,
        opa: opa.address,
        bundles,
    };
    Reloader::start(setup, folder, &mc.key, &options)?.wait_ready(PAUSE)
}
