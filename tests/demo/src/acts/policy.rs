//! policy-reloader: from the pack that MC publishes to the decision. The prologue, and the first two acts.

mod failures;
mod opa;
mod refusals;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mc_sim::{Endpoint, PACK_ID, Sim, SimConfig, samples};
use pack_verify::sign::{KeyKind, Signer};

use crate::asker::{Asker, Watcher};
use crate::ledger::Promise;
use crate::ports::Port;
use crate::reloader::{Decides, POLL, Reloader, Timings};
use crate::stage::{Kept, Stage};
use crate::text::{plural, shorten};
use crate::timeline::Timeline;

const LOADED: Promise = Promise {
    id: "pack_loaded",
    text: "A signed pack is verified, and decides",
};
const ANSWERED: Promise = Promise {
    id: "decision_answered",
    text: "Its rules answer a question",
};
const CHANGED: Promise = Promise {
    id: "decision_changed",
    text: "A new pack changes the decision",
};
const WHOLE: Promise = Promise {
    id: "decisions_whole",
    text: "No decision was missing or mixed two packs",
};

const FIRST: &[Promise] = &[LOADED, ANSWERED];
const SECOND: &[Promise] = &[CHANGED, WHOLE];

/// The acts that build on each other, and the one with OPA that stands alone.
pub(super) async fn play(stage: &mut Stage) {
    prologue(stage);
    let first = stage.next_act();
    if let Err(error) = embedded(stage).await {
        let promised = [FIRST, SECOND, refusals::PROMISES, failures::MC, failures::KILLED];
        stage.broke_off(first, &promised, &error);
    }
    let first = stage.next_act();
    if let Err(error) = opa::play(stage).await {
        stage.broke_off(first, &[opa::PROMISES], &error);
    }
}

fn prologue(stage: &mut Stage) {
    let tell = &mut stage.tell;
    tell.title("A signed policy pack becomes a decision");
    tell.gap();
    tell.paragraph(
        "A policy pack holds rules (Rego) and data: who may do what with whose data. MC, the place where policies are \
         made, signs and publishes it. Your services ask for decisions. policy-reloader stands between the two: it makes \
         every decision follow MC within seconds, and nothing forged, old or broken ever decides.",
    );
    let palette = tell.palette();
    let (boxed, name) = (palette.dim("│"), palette.bold("policy-reloader"));
    let (top, bottom) = (palette.dim("┌─────────────────┐"), palette.dim("└─────────────────┘"));
    let (pack, ask) = (palette.dim("── signed pack ──▶"), palette.dim("◀── may I? ──"));
    tell.picture(&[
        format!("                          {top}"),
        format!(
            "  {}  {pack}  {boxed} {name} {boxed}  {ask}  your services",
            palette.bold("MC")
        ),
        format!("                          {boxed}   verifies it   {boxed}"),
        format!("                          {bottom}"),
    ]);
    tell.paragraph(
        "What you see is real: the program as you would run it, real signatures, real sockets. Only MC is simulated. To \
         keep this short, MC is asked for news every 500 ms; the program's own default is 15 s.",
    );
}

/// The parts of the first five acts.
struct Embedded {
    sim: Sim,
    mc: Signer,
    reloader: Reloader,
    asker: Asker,
    watcher: Watcher,
}

async fn embedded(stage: &mut Stage) -> Result<()> {
    let mut parts = first_pack(stage).await?;
    new_pack(stage, &mut parts).await?;
    refusals::play(stage, &mut parts).await?;
    failures::mc_fails(stage, &mut parts).await?;
    failures::reloader_dies(stage, &mut parts).await
}

/// MC with a key and with revision 1 published; the public key as a file.
fn start_mc(stage: &Stage) -> Result<(Sim, Signer, PathBuf, String)> {
    let mc = Signer::generate(KeyKind::EcdsaP256).context("making MC's key")?;
    let key = stage.folder().join("mc.pub");
    std::fs::write(&key, mc.public_key_pem()).with_context(|| format!("writing {}", key.display()))?;
    let sim = Sim::start(SimConfig::default()).context("starting the simulated MC")?;
    let digest = sim.publish_signed(PACK_ID, samples::v1(1), &mc)?;
    Ok((sim, mc, key, digest.to_string()))
}

async fn first_pack(stage: &mut Stage) -> Result<Embedded> {
    stage.act(
        "A signed pack comes to decide",
        "MC publishes revision 1. The reloader is told one thing only: MC's public key. In embedded mode it answers \
         decisions itself, in OPA's own protocol, so nothing else has to run.",
        FIRST,
    );
    let (sim, mc, key, digest) = start_mc(stage)?;
    stage.tell.step(&format!(
        "MC signs revision 1 and serves it at {}",
        sim.pack_url(PACK_ID)
    ));
    stage.tell.step("policy-reloader starts");
    let port = Port::free()?;
    let started = Instant::now();
    let engine = Decides::Reloader(port.address());
    let mut reloader = Reloader::start(stage, "reloader", &sim.pack_url(PACK_ID), &key, engine)?;
    let asker = Asker::new(stage.http.clone(), &port.url())?;
    let (active, _) = reloader.until_active(&digest).await?;
    let (answer, decided) = asker.first().await?;
    stage.tell.gap();
    stage.tell.facts(&[
        (
            "pack",
            format!(
                "{}, revision {}",
                active.id.as_deref().unwrap_or("?"),
                number(active.revision)
            ),
        ),
        ("digest", active.digest.clone()),
        ("signed by", active.signer.clone()),
        (
            "checked",
            format!(
                "{}; archive, revision, expiry, rules, golden decisions",
                active.signature.passed().join(", ")
            ),
        ),
    ]);
    stage.tell.gap();
    ensure!(
        active.revision == Some(1),
        "expected revision 1, found {:?}",
        active.revision
    );
    let fingerprint = mc.fingerprint().to_string();
    ensure!(
        active.signer.contains(&fingerprint),
        "expected the signer to be MC's key {fingerprint}, found {}",
        active.signer
    );
    stage.kept(LOADED, Kept::after(decided - started, "from its start"));

    let other: serde_json::Value = serde_json::from_str(samples::INPUT_DENIED).context("the second input")?;
    stage.tell.gap();
    stage
        .tell
        .step("A service asks: may Acme's support agent read a customer's record in staging?");
    let input = asker.input();
    stage.tell.facts(&[
        ("POST", format!("{}/v1/data/{}", port.url(), samples::DECISION)),
        ("subject", spaced(&input["subject"])),
        ("resource", spaced(&input["resource"])),
        ("action", spaced(&input["input_action"])),
    ]);
    let sent = Instant::now();
    let answer_again = asker.ask().await?;
    let took = sent.elapsed();
    ensure!(
        answer_again == answer,
        "the same question got two answers: {answer:?} and {answer_again:?}"
    );
    stage.tell.facts(&[("answer  ", answer.in_words())]);
    let denied = asker.ask_about(&other).await?;
    stage.tell.step("And the agent of another company?");
    stage.tell.facts(&[("answer  ", denied.in_words())]);
    stage.tell.gap();
    answer.expect(true, 1)?;
    denied.expect(false, 1)?;
    stage.kept(ANSWERED, Kept::after(took, "one question"));
    let watcher = Watcher::start(asker.clone());
    Ok(Embedded {
        sim,
        mc,
        reloader,
        asker,
        watcher,
    })
}

async fn new_pack(stage: &mut Stage, parts: &mut Embedded) -> Result<()> {
    stage.act(
        "MC publishes a new pack",
        "Revision 2 no longer permits staging. From here on the same question is asked hundreds of times a second.",
        SECOND,
    );
    let Embedded {
        sim,
        mc,
        reloader,
        watcher,
        ..
    } = parts;
    // The watcher has to have seen the old decision, or it could not see the change.
    watcher.until(0, true, 1).await?;
    stage.tell.step("MC signs and publishes revision 2");
    let published = Instant::now();
    let digest = sim.publish_signed(PACK_ID, samples::deny_by_policy(2), mc)?;
    let changed = watcher.until(0, false, 2).await?;
    let (active, timings) = reloader.until_active(&digest.to_string()).await?;
    let answer = parts.asker.ask().await?;
    let took = changed - published;
    stage.tell.facts(&[
        ("before", "allowed".to_owned()),
        ("now", answer.in_words()),
        (
            "decided by",
            format!("revision {}, {}", number(active.revision), shorten(&active.digest, 24)),
        ),
    ]);
    stage.tell.gap();
    show_timeline(stage, &parts.sim, published, timings);
    stage.tell.gap();
    answer.expect(false, 2)?;
    stage.kept(
        CHANGED,
        Kept::after(took, format!("polls every {} ms", POLL.as_millis())),
    );
    let seen = parts.watcher.since(0);
    let whole = seen.expect(&[(true, 1), (false, 2)]);
    stage.judge(WHOLE, whole.map(|()| Kept::noting(plural(seen.asked, "decision"))));
    Ok(())
}

/// Where the time went between publishing and the new decision.
fn show_timeline(stage: &mut Stage, sim: &Sim, published: Instant, timings: Option<Timings>) {
    let asked = sim.requests().iter().find_map(|request| {
        (request.endpoint == Endpoint::Pack && request.status == Some(200) && request.at >= published)
            .then(|| request.at - published)
    });
    let [fetch, verify, activate] = timings.map_or([Duration::ZERO; 3], Timings::stages);
    stage.tell.timeline(
        &Timeline::default()
            .wait("waiting for the next poll", asked.unwrap_or_default())
            .work("fetch pack and signature", fetch)
            .work("verify, unpack, compile", verify)
            .work("activate", activate),
    );
}

/// JSON with room between its parts, so that it can be wrapped.
fn spaced(value: &serde_json::Value) -> String {
    value.to_string().replace("\",\"", "\", \"").replace("],\"", "], \"")
}

fn number(revision: Option<u64>) -> String {
    revision.map_or_else(|| "?".to_owned(), |revision| revision.to_string())
}
