//! Owns the proof that no answer mixes two packs in bundle mode, and the measurement of how many do in push mode.

use std::time::{Duration, Instant};

use e2e::{Lab, Mode, load::Load};
use libtest_mimic::Trial;
use mc_sim::samples;

use crate::in_both_modes;

const PACKS: u64 = 200;
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(3);

pub(crate) fn trials() -> Vec<Trial> {
    in_both_modes("two_hundred_packs_under_load", two_hundred_packs_under_load)
}

async fn two_hundred_packs_under_load(mode: Mode) {
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let options = lab.options(&[&opa]).by_hand();
    let reloader = lab.running_with(&options, &opa, samples::v1(1), 1).await;

    let url = format!("{}/v1/data/{}", opa.url(), samples::REVISIONS);
    let load = Load::start(CLIENTS, &url, PAUSE);
    let started = Instant::now();
    for revision in 2..=PACKS {
        // Policy and data change in turns, and the decision with them.
        let files = match revision % 3 {
            0 => samples::deny_by_policy(revision),
            1 => samples::deny_by_data(revision),
            _ => samples::v1(revision),
        };
        lab.publish(files);
        let outcome = reloader.refresh().await;
        assert_eq!(outcome["outcome"], "activated", "revision {revision}: {outcome}");
    }
    let took = started.elapsed();
    let tally = load.stop().await;
    eprintln!(
        "{}: {} packs in {:.1} s; {} whole answers by {} revisions, {} torn, {} undefined, {} failed, slowest {} ms",
        mode.name(),
        PACKS - 1,
        took.as_secs_f32(),
        tally.whole,
        tally.revisions.len(),
        tally.torn,
        tally.undefined,
        tally.failed,
        tally.slowest.as_millis()
    );

    assert_eq!(opa.revision().await, Some(PACKS), "the last pack decides");
    assert_eq!(opa.allows().await, Some(true));
    assert_eq!(tally.failed, 0, "no 5xx, no broken connection");
    assert!(tally.whole > PACKS, "the clients were at work: {tally:?}");
    assert!(
        tally.revisions.len() > 20,
        "the clients saw the packs change: {tally:?}"
    );
    if mode == Mode::Bundle {
        assert_eq!(tally.torn, 0, "an answer mixed two packs");
        assert_eq!(tally.undefined, 0, "an answer was undefined");
    }
}
