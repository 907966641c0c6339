//! What must not stop decisions: an MC that fails, and a reloader that is killed.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mc_sim::{Fault, PACK_ID, samples};

use super::Embedded;
use super::refusals::expect_reason;
use crate::ledger::Promise;
use crate::stage::{Kept, Stage};
use crate::text::{plural, short_digests};

const BUSY: Promise = Promise {
    id: "mc_503_survived",
    text: "MC answers 503: decisions go on",
};
const RESET: Promise = Promise {
    id: "mc_reset_survived",
    text: "MC cuts connections: decisions go on",
};
const DOWN: Promise = Promise {
    id: "mc_down_survived",
    text: "MC is gone: decisions go on",
};
const BACK: Promise = Promise {
    id: "mc_back",
    text: "MC is back: its next pack decides",
};
const RESTORED: Promise = Promise {
    id: "restored_without_mc",
    text: "Killed and started again without MC, it decides",
};
const REMEMBERED: Promise = Promise {
    id: "revision_remembered",
    text: "It still knows which revision it had",
};

pub(super) const MC: &[Promise] = &[BUSY, RESET, DOWN, BACK];
pub(super) const KILLED: &[Promise] = &[RESTORED, REMEMBERED];

/// Polls that have to fail before we believe that something was survived.
const FAILED_POLLS: usize = 2;

pub(super) async fn mc_fails(stage: &mut Stage, parts: &mut Embedded) -> Result<()> {
    stage.act(
        "MC fails",
        "The last good pack keeps deciding, however MC fails. The question is still asked all the time.",
        MC,
    );
    stage.tell.step("MC answers every request with 503");
    parts.sim.set_fault(Fault::Status {
        code: 503,
        retry_after: None,
    });
    survive(stage, parts, BUSY).await;
    parts.sim.clear_faults();

    stage.tell.step("MC resets every connection");
    parts.sim.set_fault(Fault::Reset { at: None });
    survive(stage, parts, RESET).await;
    parts.sim.clear_faults();

    stage.tell.step("MC is switched off");
    parts.sim.stop();
    survive(stage, parts, DOWN).await;

    stage
        .tell
        .step("MC comes back, with revision 3, which permits staging again");
    let mark = parts.watcher.mark();
    let digest = parts.sim.publish_signed(PACK_ID, samples::v1(3), &parts.mc)?;
    let back = Instant::now();
    parts.sim.restart()?;
    let decided = parts.watcher.until(mark, true, 3).await?;
    parts.reloader.until_active(&digest.to_string()).await?;
    parts.watcher.since(mark).expect(&[(false, 2), (true, 3)])?;
    stage.kept(BACK, Kept::after(decided - back, "from MC's return"));
    Ok(())
}

/// Waits until polls have failed, and looks at what was decided meanwhile.
async fn survive(stage: &mut Stage, parts: &mut Embedded, promise: Promise) {
    let mark = parts.watcher.mark();
    let failed = parts.reloader.until_failed(FAILED_POLLS).await;
    let seen = parts.watcher.since(mark);
    let judged = match failed {
        Ok(message) => {
            stage.tell.aside(&message);
            let words = plural(seen.asked, "decision");
            seen.expect(&[(false, 2)]).map(|()| Kept::noting(words))
        }
        Err(error) => Err(error),
    };
    stage.judge(promise, judged);
    stage.tell.gap();
}

pub(super) async fn reloader_dies(stage: &mut Stage, parts: &mut Embedded) -> Result<()> {
    stage.act(
        "The reloader itself is killed, while MC is down",
        "The worst moment: nobody to ask, and nothing in memory. With --state-dir the last good pack lies on the disk; it \
         is verified again before it decides.",
        KILLED,
    );
    let Embedded {
        sim,
        mc,
        reloader,
        asker,
        ..
    } = parts;
    // A pack decides a moment before it is on the disk; it is there when the poll that brought it has ended. The poll
    // before that one failed, because MC was off.
    reloader
        .until("the poll that brought revision 3 ends", |status| {
            let poll = status.last_poll.as_ref()?;
            matches!(poll.outcome.as_str(), "activated" | "unchanged").then_some(())
        })
        .await?;
    sim.stop();
    let pid = reloader.pid();
    stage.tell.step(&format!("MC is switched off, and: kill -9 {pid}"));
    reloader.kill()?;
    ensure!(
        asker.ask().await.is_err(),
        "somebody answers although the reloader was killed"
    );
    stage.tell.step("policy-reloader starts again, with the same command");
    let started = Instant::now();
    reloader.start_again()?;
    let (answer, decided) = asker.first().await?;
    let (active, last_poll) = reloader
        .until("the restored pack decides", |status| {
            Some((status.active.clone()?, status.last_poll.clone()?))
        })
        .await?;
    stage.tell.facts(&[
        ("decision", answer.in_words()),
        (
            "decided by",
            format!(
                "revision {}, from the disk, signed by {}",
                super::number(active.revision),
                short_digests(&active.signer)
            ),
        ),
        ("MC", last_poll.message.clone().unwrap_or(last_poll.outcome.clone())),
    ]);
    stage.tell.gap();
    ensure!(
        last_poll.outcome == "failed",
        "MC was not down: the last poll was {}",
        last_poll.outcome
    );
    answer.expect(true, 3).context("after the restart")?;
    stage.kept(RESTORED, Kept::after(decided - started, "from its start"));

    stage.tell.gap();
    stage
        .tell
        .step("MC comes back, but with revision 1: a rollback that a restart must not make possible");
    let published = Instant::now();
    let digest = sim.publish_signed(PACK_ID, samples::v1(1), mc)?;
    sim.restart()?;
    let refusal = reloader.until_refused(&digest.to_string()).await?;
    let took = published.elapsed();
    stage.tell.aside(&refusal.message);
    expect_reason(&refusal.reason, "revision_lower")?;
    asker.ask().await?.expect(true, 3)?;
    stage.kept(REMEMBERED, Kept::after(took, refusal.reason));
    Ok(())
}
