//! Owns the end by signal: OPA goes on deciding, and the second signal does not wait.

use std::{
    os::unix::process::ExitStatusExt as _,
    time::{Duration, Instant},
};

use e2e::{Lab, Mode, reloader::POLL};
use libtest_mimic::Trial;
use mc_sim::samples;

use crate::{in_both_modes, with_opa};

/// SIGTERM's number; a shell says 128 more.
const SIGTERM: i32 = 15;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = in_both_modes("sigterm_leaves_opa_deciding", sigterm_leaves_opa_deciding);
    trials.push(with_opa(
        "the_second_sigterm_does_not_wait",
        the_second_sigterm_does_not_wait,
    ));
    trials
}

async fn sigterm_leaves_opa_deciding(mode: Mode) {
    let lab = Lab::new(mode);
    let (opa, mut reloader) = lab.running(samples::deny_by_data(1), 1).await;
    let signalled = Instant::now();
    reloader.daemon.signal("TERM");
    let status = reloader.daemon.wait(Duration::from_secs(30)).await;
    eprintln!(
        "{}: ended {} ms after SIGTERM",
        mode.name(),
        signalled.elapsed().as_millis()
    );
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(opa.revision().await, Some(1));
    assert_eq!(opa.allows().await, Some(false));
}

async fn the_second_sigterm_does_not_wait() {
    let lab = Lab::new(Mode::Push);
    let (opa, mut reloader) = lab.running(samples::v1(1), 1).await;
    // OPA hangs, and with it what the first signal lets end in peace.
    opa.freeze();
    let count = async || {
        reloader
            .metric("policy_reloader_polls_total{outcome=\"unchanged\"}")
            .await
    };
    let mut last = (count().await, Instant::now());
    e2e::eventually("the reloader waits for OPA, and does nothing else", async || {
        let now = count().await;
        if (now - last.0).abs() > 0.5 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > POLL * 5).then_some(())
    })
    .await;
    reloader.daemon.signal("TERM");
    e2e::eventually("the first signal is heard", async || {
        reloader.daemon.log().has(&["SIGTERM"]).then_some(())
    })
    .await;
    assert_eq!(reloader.daemon.ended(), None, "it waits for what is under way");
    let second = Instant::now();
    reloader.daemon.signal("TERM");
    let status = reloader.daemon.wait(Duration::from_secs(10)).await;
    eprintln!("ended {} ms after the second SIGTERM", second.elapsed().as_millis());
    assert!(
        status.code() == Some(128 + SIGTERM) || status.signal() == Some(SIGTERM),
        "{status}"
    );
    opa.thaw();
    opa.decides_by(1).await;
}
