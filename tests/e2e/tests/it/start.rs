//! Owns the beginning: MC away, OPA away, both; and what a reloader with a state folder knows after a restart.

use std::time::Duration;

use e2e::{Lab, Mode, Opa, Reloader, load::Load};
use libtest_mimic::Trial;
use mc_sim::samples;

use crate::in_both_modes;

pub(crate) fn trials() -> Vec<Trial> {
    [
        in_both_modes("mc_down_at_start", mc_down_at_start),
        in_both_modes("pack_not_built_at_start", pack_not_built_at_start),
        in_both_modes("opa_down_at_start", opa_down_at_start),
        in_both_modes("both_down_at_start", both_down_at_start),
        in_both_modes("restored_while_mc_is_down", restored_while_mc_is_down),
        in_both_modes("reloader_restarted_under_load", reloader_restarted_under_load),
        in_both_modes("rollback_refused_after_a_restart", rollback_refused_after_a_restart),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn mc_down_at_start(mode: Mode) {
    let lab = Lab::new(mode);
    lab.publish(samples::v1(1));
    lab.sim.stop();
    let opa = lab.opa().await;
    let reloader = Reloader::start(&lab.options(&[&opa])).await;
    let status = reloader
        .status_until("it says that MC is away", |status| {
            (status["last_poll"]["outcome"] == "failed").then(|| status.clone())
        })
        .await;
    assert_eq!(status["state"], "starting");
    assert!(
        status["last_poll"]["message"]
            .as_str()
            .unwrap()
            .contains("cannot reach MC")
    );
    assert!(reloader.poll_failures("unreachable").await >= 1.0);
    assert!(
        reloader
            .not_ready()
            .await
            .contains("no policy pack has been accepted yet")
    );
    assert_eq!(opa.allows().await, None, "nothing decides yet");

    lab.sim.restart().unwrap();
    let took = opa.decides_by(1).await;
    eprintln!("{}: decides {} ms after MC came", mode.name(), took.as_millis());
    reloader.ready().await;
}

async fn pack_not_built_at_start(mode: Mode) {
    let lab = Lab::new(mode);
    lab.sim.announce(mc_sim::PACK_ID);
    let opa = lab.opa().await;
    let reloader = Reloader::start(&lab.options(&[&opa])).await;
    reloader
        .status_until("it says that MC has not built the pack", |status| {
            let message = status["last_poll"]["message"].as_str()?;
            message.contains("not built the pack yet").then_some(())
        })
        .await;
    assert!(!reloader.is_ready().await);
    lab.publish(samples::v1(1));
    opa.decides_by(1).await;
    reloader.ready().await;
}

async fn opa_down_at_start(mode: Mode) {
    let lab = Lab::new(mode);
    lab.publish(samples::v1(1));
    let mut opa = Opa::stopped(lab.opa_options());
    let reloader = Reloader::start(&lab.options(&[&opa])).await;
    waits_for(&reloader, &opa).await;
    opa.restart().await;
    let took = opa.decides_by(1).await;
    eprintln!("{}: decides {} ms after OPA came", mode.name(), took.as_millis());
    reloader.ready().await;
    assert_eq!(reloader.status().await["activation"], mode.name());
}

async fn both_down_at_start(mode: Mode) {
    let lab = Lab::new(mode);
    lab.publish(samples::v1(1));
    lab.sim.stop();
    let mut opa = Opa::stopped(lab.opa_options());
    let reloader = Reloader::start(&lab.options(&[&opa])).await;
    waits_for(&reloader, &opa).await;
    opa.restart().await;
    reloader
        .status_until("it says that MC is away", |status| {
            (status["last_poll"]["outcome"] == "failed").then_some(())
        })
        .await;
    assert!(!reloader.is_ready().await);
    lab.sim.restart().unwrap();
    opa.decides_by(1).await;
    reloader.ready().await;
}

/// It says, where probes and people look, that OPA is what it waits for.
async fn waits_for(reloader: &Reloader, opa: &Opa) {
    e2e::eventually("readiness names the OPA that is away", async || {
        let answer = reloader.readyz().await;
        (answer.status == 503 && answer.text.contains(&opa.url())).then_some(())
    })
    .await;
    let status = reloader.status().await;
    assert_eq!(status["state"], "starting");
    let reason = status["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(&opa.url()), "/status says what it waits for: {status}");
}

async fn restored_while_mc_is_down(mode: Mode) {
    let lab = Lab::new(mode);
    let mut opa = lab.opa().await;
    let options = lab.options(&[&opa]).state(lab.path("state"));
    let mut reloader = lab.running_with(&options, &opa, samples::deny_by_data(5), 5).await;
    stop(&mut reloader).await;
    lab.sim.stop();
    opa.kill();
    opa.restart().await;
    assert_eq!(opa.allows().await, None, "it has forgotten everything");

    let reloader = Reloader::start(&options).await;
    let took = opa.decides_by(5).await;
    eprintln!("{}: the saved pack decides after {} ms", mode.name(), took.as_millis());
    assert_eq!(opa.allows().await, Some(false));
    reloader.ready().await;
    assert_eq!(reloader.status().await["active"]["revision"], 5);

    // An OPA that forgets again is repaired while MC is still away.
    opa.kill();
    reloader.not_ready().await;
    opa.restart().await;
    opa.decides_by(5).await;

    lab.publish(samples::v1(6));
    lab.sim.restart().unwrap();
    opa.decides_by(6).await;
}

async fn rollback_refused_after_a_restart(mode: Mode) {
    let lab = Lab::new(mode);
    let mut opa = lab.opa().await;
    let options = lab.options(&[&opa]).state(lab.path("state"));
    let mut reloader = lab.running_with(&options, &opa, samples::v1(5), 5).await;
    stop(&mut reloader).await;
    // The worst moment: OPA has forgotten too, and MC offers nothing but an old pack.
    opa.kill();
    opa.restart().await;
    lab.publish(samples::deny_by_data(4));
    let reloader = Reloader::start(&options).await;
    reloader
        .status_until("the old pack is refused", |status| {
            (status["last_refusal"]["reason"] == "revision_lower").then_some(())
        })
        .await;
    opa.decides_by(5).await;
    assert_eq!(opa.allows().await, Some(true));
    reloader.ready().await;
    assert!((reloader.refusals("revision_lower").await - 1.0).abs() < 0.1);
}

/// A reloader that is replaced, with and without a memory, disturbs no decision.
async fn reloader_restarted_under_load(mode: Mode) {
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let remembers = lab.options(&[&opa]).state(lab.path("state"));
    let forgets = lab.options(&[&opa]);
    let mut reloader = lab.running_with(&remembers, &opa, samples::v1(1), 1).await;
    let url = format!("{}/v1/data/{}", opa.url(), samples::REVISIONS);
    let load = Load::start(2, &url, Duration::from_millis(2));
    for options in [&remembers, &forgets, &remembers, &forgets] {
        reloader.daemon.kill();
        reloader = Reloader::start(options).await;
        reloader.ready().await;
        reloader
            .status_until("the new reloader has polled", |status| {
                (status["last_poll"]["outcome"] == "unchanged").then_some(())
            })
            .await;
        assert_eq!(reloader.status().await["active"]["revision"], 1);
    }
    let tally = load.stop().await;
    assert_eq!((tally.failed, tally.undefined, tally.torn), (0, 0, 0), "{tally:?}");
    assert!(tally.whole > 50 && tally.revisions.len() == 1, "{tally:?}");
    lab.publish(samples::deny_by_data(2));
    opa.decides_by(2).await;
}

async fn stop(reloader: &mut Reloader) {
    reloader.daemon.signal("TERM");
    let status = reloader.daemon.wait(Duration::from_secs(30)).await;
    assert_eq!(status.code(), Some(0));
}
