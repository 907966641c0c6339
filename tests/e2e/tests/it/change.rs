//! Owns the main promise: what MC publishes decides, soon.

use e2e::{LIMIT, Lab, Mode, eventually};
use libtest_mimic::Trial;
use mc_sim::samples;

use crate::in_both_modes;

pub(crate) fn trials() -> Vec<Trial> {
    in_both_modes("a_new_pack_changes_the_decision", a_new_pack_changes_the_decision)
}

async fn a_new_pack_changes_the_decision(mode: Mode) {
    let lab = Lab::new(mode);
    let (opa, reloader) = lab.running(samples::v1(1), 1).await;
    assert_eq!(opa.allows().await, Some(true));

    for (revision, files, allowed) in [
        (2, samples::deny_by_policy(2), false),
        (3, samples::v1(3), true),
        (4, samples::deny_by_data(4), false),
    ] {
        let digest = lab.publish(files);
        let ((), took) = eventually("the decision changes", async || {
            (opa.allows().await == Some(allowed)).then_some(())
        })
        .await;
        assert!(took < LIMIT);
        eprintln!("{}: publish to changed decision: {} ms", mode.name(), took.as_millis());
        let status = reloader
            .status_until("the status names the new pack", |status| {
                (status["active"]["digest"] == digest.to_string()).then(|| status.clone())
            })
            .await;
        assert_eq!(status["active"]["revision"], revision);
        assert_eq!(status["state"], "steady");
        assert_eq!(opa.revision().await, Some(revision));
    }
    assert!(reloader.daemon.log().has(&["policy pack activated", "activate_ms"]));
}
