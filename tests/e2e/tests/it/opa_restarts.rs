//! Owns OPA's violent end: an OPA that forgot everything decides again within one poll.

use std::time::{Duration, Instant};

use e2e::{Lab, Mode, Opa, Reloader, eventually, reloader::POLL};
use libtest_mimic::Trial;
use mc_sim::samples;

use crate::in_both_modes;

/// For noticing (the watch), one repair, and a busy machine. A repair that becomes rarer from round to round takes longer.
const MARGIN: Duration = Duration::from_secs(2);

pub(crate) fn trials() -> Vec<Trial> {
    in_both_modes("opa_killed_five_times", opa_killed_five_times)
}

async fn opa_killed_five_times(mode: Mode) {
    let lab = Lab::new(mode);
    let (mut opa, mut reloader) = lab.running(samples::v1(1), 1).await;
    let pid = reloader.daemon.pid();
    for round in 1..=5 {
        opa.kill();
        let reasons = reloader.not_ready().await;
        assert!(
            reasons.contains(&opa.url()),
            "the reason names the OPA that is away: {reasons}"
        );
        assert_eq!(reloader.status().await["state"], "degraded");

        opa.restart().await;
        let back = Instant::now();
        never_ready_while_undefined(&opa, &reloader).await;
        opa.decides_by_within(POLL + MARGIN, 1).await;
        eprintln!(
            "{}: round {round}: decides again {} ms after OPA answered",
            mode.name(),
            back.elapsed().as_millis()
        );
        assert_eq!(opa.allows().await, Some(true));
        reloader.ready().await;
        assert_eq!(reloader.status().await["state"], "steady");
    }
    assert_eq!(reloader.daemon.ended(), None, "the reloader was not restarted");
    assert_eq!(reloader.daemon.pid(), pid);

    // It was no empty show of life: the next pack comes through.
    lab.publish(samples::deny_by_data(2));
    opa.decides_by(2).await;
    assert_eq!(opa.allows().await, Some(false));
}

/// Between its start and the repair OPA answers 200 without a result. Nobody may be sent there.
async fn never_ready_while_undefined(opa: &Opa, reloader: &Reloader) {
    eventually("OPA decides again", async || {
        let before = opa.allows().await;
        let ready = reloader.is_ready().await;
        let after = opa.allows().await;
        assert!(
            !ready || before.is_some() || after.is_some(),
            "ready, and yet the answer is undefined"
        );
        after.map(drop)
    })
    .await;
}
