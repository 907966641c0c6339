//! Owns `once`: one reconciliation against a real OPA, and an exit code that says what it came to.

use std::time::Duration;

use e2e::{Lab, Mode, Opa, Options, Reloader};
use libtest_mimic::Trial;
use mc_sim::samples;
use serde_json::Value;

use crate::in_both_modes;

pub(crate) fn trials() -> Vec<Trial> {
    in_both_modes("once_and_its_exit_codes", once_and_its_exit_codes)
}

/// Runs `once`; gives the exit code and its line on stdout.
async fn once(options: &Options) -> (Option<i32>, Value) {
    let mut daemon = Reloader::once(options);
    let code = daemon.wait(Duration::from_mins(1)).await.code();
    let line = daemon
        .log()
        .lines()
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["outcome"].is_string());
    (code, line.unwrap_or_default())
}

async fn once_and_its_exit_codes(mode: Mode) {
    let lab = Lab::new(mode);
    let mut opa = lab.opa().await;
    let options = lab.options(&[&opa]).state(lab.path("state"));

    lab.publish(samples::deny_by_data(5));
    let (code, line) = once(&options).await;
    assert_eq!((code, line["outcome"].as_str()), (Some(0), Some("activated")), "{line}");
    assert_eq!(opa.revision().await, Some(5));
    assert_eq!(opa.allows().await, Some(false));

    lab.publish(samples::v1(4));
    let (code, line) = once(&options).await;
    assert_eq!(
        (code, line["reason"].as_str()),
        (Some(1), Some("revision_lower")),
        "{line}"
    );
    assert_eq!(opa.revision().await, Some(5));

    lab.sim.stop();
    let (code, line) = once(&options).await;
    assert_eq!((code, line["outcome"].as_str()), (Some(4), Some("failed")), "{line}");
    assert_eq!(opa.revision().await, Some(5));
    lab.sim.restart().unwrap();

    lab.publish(samples::v1(6));
    opa.kill();
    let (code, _) = once(&options).await;
    assert_eq!(code, Some(4), "no OPA, no activation");
    opa.restart().await;
    decided_at_last(&lab, &opa, &options).await;
}

async fn decided_at_last(lab: &Lab, opa: &Opa, options: &Options) {
    let (code, line) = once(options).await;
    assert_eq!(code, Some(0), "{line}");
    assert_eq!(opa.revision().await, Some(6), "{:?}", lab.sim.requests().counts());
    assert_eq!(opa.allows().await, Some(true));
}
