//! load-gate: a release is let through or stopped, by the load that it carries and by the evidence that MC has.

mod evidence;
mod load;

use std::time::Duration;

use mc_sim::{Sim, SimConfig};

use crate::gate::Ended;
use crate::stage::Stage;

/// The acts. They do not build on each other.
pub(super) async fn play(stage: &mut Stage) {
    prologue(stage);
    for act in [Act::Load, Act::Evidence] {
        let first = stage.next_act();
        let (played, promises) = match act {
            Act::Load => (load::play(stage).await, load::PROMISES),
            Act::Evidence => (evidence::play(stage).await, evidence::PROMISES),
        };
        if let Err(error) = played {
            stage.broke_off(first, &[promises], &error);
        }
    }
}

enum Act {
    Load,
    Evidence,
}

fn prologue(stage: &mut Stage) {
    let tell = &mut stage.tell;
    tell.title("A release is let through, or stopped");
    tell.gap();
    tell.paragraph(
        "A canary or a pull request goes on or is stopped by one exit code. load-gate gives it: it sends load at exact times \
         and judges the latency, or it asks MC whether the evidence of the release is good. 0 is given for a proven pass and \
         for nothing else.",
    );
    let palette = tell.palette();
    let (boxed, name) = (palette.dim("│"), palette.bold("load-gate"));
    let (top, bottom) = (palette.dim("┌─────────────┐"), palette.dim("└─────────────┘"));
    let (load, ask) = (palette.dim("◀── load, on time ──"), palette.dim("── evidenceOk? ──▶"));
    tell.picture(&[
        format!("                                 {top}"),
        format!(
            "  {}  {load}  {boxed}  {name}  {boxed}  {ask}  {}",
            palette.bold("service"),
            palette.bold("MC")
        ),
        format!("                                 {bottom}"),
        format!(
            "                                  exit code: {} pass, {} fail, {} no verdict",
            palette.green(0),
            palette.red(1),
            palette.yellow(3)
        ),
    ]);
}

/// A server of GraphQL, and MC, in one.
fn start() -> anyhow::Result<Sim> {
    Sim::start(SimConfig::default())
}

/// Says what a run came to, and why.
fn tell(stage: &mut Stage, ended: &Ended, more: &[(&str, String)]) {
    let mut facts = vec![("verdict", ended.verdict())];
    facts.extend(more.iter().cloned());
    stage.tell.facts(&facts);
    for reason in ended.reasons().iter().take(3) {
        stage.tell.aside(reason);
    }
    stage.tell.gap();
}

/// `0.4 s`.
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
