//! The machine, by example and by property: whatever happens in whatever order, what it promises holds.

use proptest::prelude::*;

use super::*;

fn pack(number: u8) -> Sha256Digest {
    Sha256Digest::of(&[number])
}

fn deciding(number: u8) -> Observation {
    Observation::Deciding { digest: pack(number) }
}

fn refused(number: u8) -> Observation {
    Observation::Refused {
        digest: pack(number),
        why: "no".to_owned(),
    }
}

fn away() -> Observation {
    Observation::Unreachable {
        why: "connection refused".to_owned(),
    }
}

fn steady(number: u8) -> Machine {
    let mut machine = Machine::new(1);
    machine.on(Event::Admitted(pack(number)));
    machine.on(Event::Activated(vec![(0, deciding(number))]));
    machine
}

#[test]
fn a_new_pack_is_activated_then_persisted() {
    let mut machine = Machine::new(2);
    assert!(machine.readiness().is_err());
    assert_eq!(
        machine.on(Event::Admitted(pack(1))),
        [Order::Activate {
            digest: pack(1),
            targets: vec![0, 1],
            wait: true
        }]
    );
    assert_eq!(
        machine.on(Event::Activated(vec![(0, deciding(1)), (1, deciding(1))])),
        [Order::Persist(pack(1))]
    );
    assert_eq!(machine.good(), Some(pack(1)));
    assert_eq!(machine.readiness(), Ok(()));
}

#[test]
fn one_refusal_brings_the_last_good_pack_back_everywhere() {
    let mut machine = Machine::new(2);
    machine.on(Event::Admitted(pack(1)));
    machine.on(Event::Activated(vec![(0, deciding(1)), (1, deciding(1))]));
    machine.on(Event::Admitted(pack(2)));
    assert_eq!(
        machine.on(Event::Activated(vec![(0, deciding(2)), (1, refused(2))])),
        [
            Order::Drop {
                digest: pack(2),
                why: "no".to_owned()
            },
            Order::Activate {
                digest: pack(1),
                targets: vec![0, 1],
                wait: false
            }
        ]
    );
    assert_eq!(machine.wanted(), Some(pack(1)));
    assert_eq!(
        machine.on(Event::Admitted(pack(2))),
        [],
        "the same bytes are not tried again"
    );
}

#[test]
fn a_refused_first_pack_leaves_nothing_wanted() {
    let mut machine = Machine::new(1);
    machine.on(Event::Admitted(pack(1)));
    let orders = machine.on(Event::Activated(vec![(0, refused(1))]));
    assert_eq!(orders.len(), 1);
    assert_eq!(machine.wanted(), None);
    assert!(machine.readiness().is_err());
}

#[test]
fn an_opa_that_restarts_is_repaired_and_red_meanwhile() {
    let mut machine = steady(1);
    assert_eq!(
        machine.on(Event::Watched(vec![Observation::Undecided])),
        [Order::Activate {
            digest: pack(1),
            targets: vec![0],
            wait: false
        }]
    );
    assert!(machine.readiness().unwrap_err().why.contains("undefined"));
    assert_eq!(machine.on(Event::Activated(vec![(0, deciding(1))])), []);
    assert_eq!(machine.readiness(), Ok(()));
}

#[test]
fn a_replaced_opa_voids_the_refusal_of_the_old_one() {
    let mut machine = steady(1);
    machine.on(Event::Admitted(pack(2)));
    machine.on(Event::Activated(vec![(0, refused(2))]));
    machine.on(Event::Activated(vec![(0, deciding(1))]));
    let orders = machine.on(Event::Watched(vec![Observation::Undecided]));
    assert_eq!(orders.first(), Some(&Order::Forgive));
    assert!(
        !machine.on(Event::Admitted(pack(2))).is_empty(),
        "it may be tried again now"
    );
}

#[test]
fn an_opa_that_was_away_is_seen_to_take_the_candidate_later() {
    let mut machine = Machine::new(1);
    machine.on(Event::Admitted(pack(1)));
    assert_eq!(machine.on(Event::Activated(vec![(0, away())])), []);
    assert!(machine.readiness().is_err());
    assert_eq!(machine.on(Event::Watched(vec![deciding(1)])), [Order::Persist(pack(1))]);
    assert_eq!(machine.readiness(), Ok(()));
}

#[test]
fn the_old_pack_keeps_it_ready_while_the_new_one_is_on_its_way() {
    let mut machine = steady(1);
    machine.on(Event::Admitted(pack(2)));
    assert_eq!(machine.readiness(), Ok(()));
    machine.on(Event::Activated(vec![(0, away())]));
    assert!(machine.readiness().unwrap_err().why.contains("unreachable"));
}

#[test]
fn foreign_decisions_are_overwritten() {
    let mut machine = steady(1);
    let orders = machine.on(Event::Watched(vec![Observation::Foreign {
        revision: "theirs".to_owned(),
    }]));
    assert!(matches!(orders.as_slice(), [Order::Activate { .. }]));
    assert!(machine.readiness().unwrap_err().why.contains("theirs"));
}

#[test]
fn a_saved_pack_is_used_only_when_there_is_nothing_better() {
    let mut machine = Machine::new(1);
    assert_eq!(machine.on(Event::Restored(pack(1))).len(), 1);
    let mut machine = steady(2);
    assert_eq!(machine.on(Event::Restored(pack(1))), []);
}

#[test]
fn mc_going_back_to_the_good_pack_ends_the_candidate() {
    let mut machine = steady(1);
    machine.on(Event::Admitted(pack(2)));
    machine.on(Event::Activated(vec![(0, away())]));
    assert_eq!(machine.on(Event::Admitted(pack(1))).len(), 1);
    assert_eq!(machine.wanted(), Some(pack(1)));
}

fn observation() -> impl Strategy<Value = Observation> {
    let packs = 1_u8..4;
    prop_oneof![
        Just(Observation::Unknown),
        Just(Observation::Undecided),
        Just(away()),
        Just(Observation::Foreign {
            revision: "x".to_owned()
        }),
        packs.clone().prop_map(deciding),
        packs.prop_map(refused),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1_u8..4).prop_map(|number| Event::Admitted(pack(number))),
        (1_u8..4).prop_map(|number| Event::Restored(pack(number))),
        prop::collection::vec((0_usize..3, observation()), 0..3).prop_map(Event::Activated),
        prop::collection::vec(observation(), 2..=2).prop_map(Event::Watched),
    ]
}

proptest! {
    #[test]
    fn promises_hold_after_any_events(events in prop::collection::vec(event(), 0..60)) {
        let mut machine = Machine::new(2);
        let mut admitted = Vec::new();
        for event in events {
            if let Event::Admitted(digest) | Event::Restored(digest) = &event {
                admitted.push(*digest);
            }
            let refused_before = machine.refused();
            let forgiven = matches!(&event, Event::Watched(_));
            let good_before = machine.good();
            let orders = machine.on(event.clone());
            for order in &orders {
                match order {
                    Order::Activate { digest, targets, .. } => {
                        prop_assert!(admitted.contains(digest), "only what passed every check is activated");
                        prop_assert!(forgiven || Some(*digest) != refused_before || matches!(event, Event::Restored(_)),
                            "a refused pack is not offered again");
                        prop_assert!(!targets.is_empty() && targets.iter().all(|target| *target < 2));
                    }
                    Order::Persist(digest) => {
                        prop_assert_eq!(machine.good(), Some(*digest));
                        prop_assert!(machine.targets().iter().any(|seen| seen.decides_by(*digest)),
                            "only what was seen to decide is persisted");
                    }
                    Order::Drop { digest, .. } => prop_assert_eq!(machine.refused(), Some(*digest)),
                    Order::Forgive => prop_assert!(refused_before.is_some()),
                }
            }
            // The last good pack is never forgotten.
            prop_assert!(good_before.is_none() || machine.good().is_some());
            if machine.readiness().is_ok() {
                for seen in machine.targets() {
                    let vouched = [machine.good(), machine.wanted()].into_iter().flatten().any(|digest| seen.decides_by(digest));
                    prop_assert!(vouched || matches!(seen, Observation::Refused { .. }), "ready means that everyone decides");
                }
            }
        }
    }

    /// Whatever happened before: once MC gives a pack that everybody takes, everybody is asked to take it and it is kept.
    #[test]
    fn it_always_recovers(events in prop::collection::vec(event(), 0..40)) {
        let mut machine = Machine::new(2);
        for event in events {
            machine.on(event);
        }
        machine.on(Event::Admitted(pack(9)));
        machine.on(Event::Activated(vec![(0, deciding(9)), (1, deciding(9))]));
        prop_assert_eq!(machine.good(), Some(pack(9)));
        prop_assert_eq!(machine.readiness(), Ok(()));
    }
}
