//! Owns the cost of nothing new: one conditional request a poll.

use e2e::{Lab, Mode};
use libtest_mimic::Trial;
use mc_sim::{Endpoint, samples};

use crate::in_both_modes;

const POLLS: usize = 5;

pub(crate) fn trials() -> Vec<Trial> {
    in_both_modes("an_unchanged_pack_costs_one_304", an_unchanged_pack_costs_one_304)
}

async fn an_unchanged_pack_costs_one_304(mode: Mode) {
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let options = lab.options(&[&opa]).by_hand();
    let reloader = lab.running_with(&options, &opa, samples::v1(1), 1).await;
    let first = lab.sim.requests();
    assert_eq!(
        (
            first.count(Endpoint::Pack, 200),
            first.count(Endpoint::Attestation, 200)
        ),
        (1, 1)
    );
    assert_eq!(first.len(), 2, "one pack, one attestation: {first:?}");
    let untouched = opa.everything().await;

    lab.sim.clear_requests();
    for _ in 0..POLLS {
        assert_eq!(reloader.refresh().await["outcome"], "unchanged");
    }
    let requests = lab.sim.requests();
    assert_eq!(requests.len(), POLLS, "{requests:?}");
    for request in requests.iter() {
        assert_eq!((request.endpoint, request.status), (Endpoint::Pack, Some(304)));
        assert!(request.if_none_match.is_some(), "{request:?}");
    }
    assert_eq!(opa.everything().await, untouched);
}
