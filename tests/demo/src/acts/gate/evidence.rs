//! Evidence: MC's own word decides, and nothing that merely looks like it.

use anyhow::{Result, ensure};
use mc_sim::{Evidence, Fault};

use super::{start, tell};
use crate::gate;
use crate::ledger::Promise;
use crate::stage::{Kept, Stage};

const GOOD: Promise = Promise {
    id: "evidence_ok",
    text: "Good evidence lets the release through",
};
const BAD: Promise = Promise {
    id: "evidence_bad",
    text: "Bad evidence stops it, with MC's reasons",
};
const LOGIN: Promise = Promise {
    id: "evidence_login_page",
    text: "A login page with status 200 never passes",
};
const EMPTY: Promise = Promise {
    id: "evidence_empty_id",
    text: "An empty release id never passes",
};

pub(super) const PROMISES: &[Promise] = &[GOOD, BAD, LOGIN, EMPTY];

pub(super) async fn play(stage: &mut Stage) -> Result<()> {
    stage.act(
        "MC's evidence",
        "MC has been told what was measured of each release. In an Argo analysis this command is a Job: Argo's own web metric \
         takes a login page for a success, and promotes.",
        PROMISES,
    );
    let mc = start()?;
    mc.publish_evidence(Evidence::good("checkout", "r-41"));
    mc.publish_evidence(Evidence::bad("checkout", "r-42"));
    let url = mc.url();

    stage.tell.step("Release r-41 is within its budgets");
    let ended = ask(stage, &url, "r-41").await?;
    ended.expect(0, "PASS")?;
    stage.kept(GOOD, Kept::after(ended.took, ""));
    stage.tell.gap();

    stage.tell.step("Release r-42 is too slow, and fails too often");
    let ended = ask(stage, &url, "r-42").await?;
    ended.expect(1, "FAIL")?;
    let reasons = ended.reasons().join("; ");
    ensure!(
        reasons.contains("p95 900 ms is over the budget of 350 ms"),
        "expected MC's reason, found {reasons}"
    );
    stage.kept(BAD, Kept::after(ended.took, ""));
    stage.tell.gap();

    stage
        .tell
        .step("Somebody puts a login page before MC: HTML, with status 200");
    mc.set_fault(Fault::Html);
    let ended = ask(stage, &url, "r-41").await?;
    mc.clear_faults();
    ensure!(
        ended.code == 3 && ended.said["ok"].is_null(),
        "expected no verdict (exit code 3), found {}",
        ended.verdict()
    );
    stage.kept(LOGIN, Kept::after(ended.took, "exit code 3"));
    stage.tell.gap();

    stage
        .tell
        .step("The label with the release id is missing, which Argo makes an empty text of");
    let asked = mc.requests().len();
    let ended = ask(stage, &url, "").await?;
    stage.tell.aside(ended.error.as_deref().unwrap_or_default());
    stage.tell.gap();
    ensure!(
        ended.code == 2 && mc.requests().len() == asked,
        "expected exit code 2 and no question to MC, found {}",
        ended.verdict()
    );
    stage.kept(EMPTY, Kept::after(ended.took, "MC is not even asked"));
    Ok(())
}

async fn ask(stage: &mut Stage, url: &str, release: &str) -> Result<gate::Ended> {
    let args = [
        "evidence",
        "--mc-url",
        url,
        "--service",
        "checkout",
        "--release-id",
        release,
        "--deadline",
        "0",
    ];
    let ended = gate::run(stage, &args, &[], &[]).await?;
    if ended.error.is_none() {
        tell(stage, &ended, &[]);
    }
    Ok(ended)
}
