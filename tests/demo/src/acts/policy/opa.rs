//! The same with a real Open Policy Agent, in bundle mode, where there is one on this machine.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mc_sim::{PACK_ID, samples};

use crate::asker::{Asker, Watcher};
use crate::ledger::Promise;
use crate::opa::{self, Opa};
use crate::ports::Port;
use crate::reloader::{Decides, Reloader};
use crate::stage::{Kept, Stage};
use crate::text::plural;

const FOLLOWS: Promise = Promise {
    id: "opa_loaded",
    text: "A real OPA decides by the signed pack",
};
const CHANGED: Promise = Promise {
    id: "opa_decision_changed",
    text: "A new pack changes OPA's decision",
};
const WHOLE: Promise = Promise {
    id: "opa_decisions_whole",
    text: "None of OPA's decisions was missing or mixed",
};
const RESTARTED: Promise = Promise {
    id: "opa_restart_survived",
    text: "Killed and started again, OPA decides rightly",
};

pub(super) const PROMISES: &[Promise] = &[FOLLOWS, CHANGED, WHOLE, RESTARTED];

pub(super) async fn play(stage: &mut Stage) -> Result<()> {
    stage.act(
        "The same with a real Open Policy Agent",
        "In bundle mode OPA fetches what was verified from the reloader, by long polling. Rules and data change in one \
         step, so no answer can mix two packs.",
        PROMISES,
    );
    let program = match opa::find() {
        Ok(program) => program,
        Err(missing) => {
            stage.not_shown(
                PROMISES,
                "there is no `opa` here. `make tools` gets it; then run `make demo` again.",
            );
            stage.tell.aside(&format!(
                "{missing}: looked on PATH and in .tools/bin. `make tools` gets it."
            ));
            return Ok(());
        }
    };
    let version = opa::version(&program)?;
    let (sim, mc, key, digest) = super::start_mc(stage)?;
    let bundles = Port::free()?;
    stage.tell.step(&format!(
        "OPA {version} starts, with the configuration that the reloader writes for it"
    ));
    let mut opa = Opa::start(stage, &program, &bundles.url())?;
    opa.until_alive(&stage.http).await?;
    stage
        .tell
        .step("policy-reloader starts, and finds out by itself that OPA polls it");
    let engine = Decides::Opa {
        opa: opa.port().address(),
        bundles: bundles.address(),
    };
    let started = Instant::now();
    let mut reloader = Reloader::start(stage, "reloader-with-opa", &sim.pack_url(PACK_ID), &key, engine)?;
    let asker = Asker::new(stage.http.clone(), &opa.port().url())?;
    reloader.until_active(&digest).await?;
    let (answer, decided) = asker.first().await?;
    let activation = reloader
        .until("the mode is known", |status| Some(status.activation.clone()))
        .await?;
    ensure!(activation == "bundle", "expected the mode bundle, found {activation}");
    answer.expect(true, 1)?;
    stage.kept(FOLLOWS, Kept::after(decided - started, "from the reloader's start"));
    stage.tell.gap();

    let watcher = Watcher::start(asker.clone());
    watcher.until(0, true, 1).await?;
    stage
        .tell
        .step("MC publishes revision 2, which no longer permits staging");
    let published = Instant::now();
    let digest = sim.publish_signed(PACK_ID, samples::deny_by_policy(2), &mc)?;
    let changed = watcher.until(0, false, 2).await?;
    let (_, timings) = reloader.until_active(&digest.to_string()).await?;
    let seen = watcher.since(0);
    stage.tell.gap();
    super::show_timeline(stage, &sim, published, timings);
    stage.tell.gap();
    stage.kept(CHANGED, Kept::after(changed - published, format!("OPA {version}")));
    let whole = seen.expect(&[(true, 1), (false, 2)]);
    stage.judge(WHOLE, whole.map(|()| Kept::noting(plural(seen.asked, "decision"))));
    stage.tell.gap();

    stage.tell.step(&format!(
        "kill -9 {}: OPA is gone, and starts again with an empty memory",
        opa.pid()
    ));
    opa.kill()?;
    ensure!(asker.ask().await.is_err(), "somebody answers although OPA was killed");
    let started = Instant::now();
    opa.start_again()?;
    let (answer, decided) = asker.first().await?;
    answer
        .expect(false, 2)
        .context("the first decision after the restart")?;
    stage.kept(
        RESTARTED,
        Kept::after(decided - started, "first answer, from OPA's start"),
    );
    Ok(())
}
