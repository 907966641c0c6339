//! Owns the reloader's violent end in the middle of its work: what it wrote is whole, and the next one carries on.

use std::time::Duration;

use e2e::{Lab, Mode, Reloader};
use libtest_mimic::Trial;
use mc_sim::{Fault, samples};

use crate::in_both_modes;

const ROUNDS: u64 = 10;

pub(crate) fn trials() -> Vec<Trial> {
    in_both_modes("reloader_killed_in_the_middle", reloader_killed_in_the_middle)
}

/// Publishes, and kills at a moment that moves from round to round: from before the request to well after the end.
async fn reloader_killed_in_the_middle(mode: Mode) {
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let state = lab.path("state");
    let options = lab
        .options(&[&opa])
        .state(state.clone())
        .poll(Duration::from_millis(20))
        .watch(Duration::from_millis(20));
    lab.publish(samples::v1(1));
    let mut reloader = Reloader::start(&options).await;
    opa.decides_by(1).await;

    let mut revision = 1;
    for round in 0..ROUNDS {
        // Several packs in a row, so that there is always one on its way; the request takes a while, so that the moment
        // of the kill falls into fetch, verification, activation or saving.
        lab.sim.clear_requests();
        revision += 1;
        lab.publish(samples::v1(revision));
        let asked = lab.sim.wait_until(e2e::LIMIT, |requests| {
            requests.iter().any(|request| request.status == Some(200))
        });
        assert!(asked.await);
        // The one place where time itself is the subject: a kill at another moment in each round.
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
        reloader.daemon.kill();

        let saved = std::fs::read(state.join("state.json")).unwrap();
        let saved: serde_json::Value = serde_json::from_slice(&saved).expect("state.json is whole");
        let digest = saved["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let pack = std::fs::read(state.join("packs").join(format!("{digest}.tar"))).expect("the saved pack is there");
        assert_eq!(
            pack_verify::Sha256Digest::of(&pack).hex(),
            digest,
            "the saved pack is whole"
        );

        // MC is slow this time, so that the new life begins with what was saved or waits.
        lab.sim.set_fault(Fault::Latency { ms: 50 }.times(1));
        reloader = Reloader::start(&options).await;
        opa.decides_by(revision).await;
        reloader.ready().await;
    }
    assert!(reloader.refusals("revision_lower").await < 0.5);
    lab.publish(samples::deny_by_policy(revision + 1));
    opa.decides_by(revision + 1).await;
    assert_eq!(opa.allows().await, Some(false));
}
