//! Shards, orders, dumps: the same samples make the same tally, however they come.

use super::{random_samples, sample, spec, tally, thresholds};
use crate::{
    Outcome, Sample,
    tally::{DumpError, Tally, TallyDump, TallySpec},
};
use proptest::prelude::*;
use std::sync::Arc;

const FLAGS: &[&str] = &[
    "http_req_duration=p(95)<350",
    "http_req_duration{op:read}=p(95)<350",
    "http_req_waiting{status:200}=avg<10",
    "http_req_failed=rate<0.01",
    "checks{check:status==200}=rate>0.99",
    "vus=value<10",
];

fn dump(tally: &Tally) -> TallyDump {
    tally.dump().unwrap()
}

fn through_json(dump: &TallyDump) -> TallyDump {
    serde_json::from_str(&serde_json::to_string(dump).unwrap()).unwrap()
}

/// Everything that verdicts and figures are made of, as text.
fn all_of(tally: &Tally) -> String {
    let evidence: Vec<String> = tally
        .evidence()
        .iter()
        .map(|evidence| format!("{evidence:?}"))
        .collect();
    format!(
        "{evidence:?} {:?} {:?} {:?}",
        tally.summary(0.95),
        tally.totals(true),
        tally.live()
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn shards_are_the_whole_and_order_is_nothing(seed: u64, count in 0usize..300, shards in 1usize..6) {
        let spec = spec(FLAGS);
        let mut samples = random_samples(seed, count);
        let whole = tally(&spec, &samples);
        fastrand::Rng::with_seed(seed).shuffle(&mut samples);
        let mut merged = Tally::new(Arc::clone(&spec));
        for shard in 0..shards {
            let part: Vec<Sample> = samples.iter().skip(shard).step_by(shards).copied().collect();
            merged.merge(&tally(&spec, &part)).unwrap();
        }
        prop_assert_eq!(dump(&merged), dump(&whole));
        prop_assert_eq!(all_of(&merged), all_of(&whole));
    }

    #[test]
    fn a_dump_comes_back_whole(seed: u64, count in 0usize..300) {
        let mut tally = tally(&spec(FLAGS), &random_samples(seed, count));
        [3, 7, 5].into_iter().for_each(|connections| tally.connection_gauge(connections));
        let saved = dump(&tally);
        let back = Tally::from_dump(&through_json(&saved)).unwrap();
        prop_assert_eq!(dump(&back), saved);
        prop_assert_eq!(all_of(&back), all_of(&tally));
    }

    #[test]
    fn pods_add_up(seed: u64, count in 0usize..200) {
        let spec = spec(FLAGS);
        let (first, second) = (random_samples(seed, count), random_samples(seed ^ 1, count / 2));
        // From two documents, so the plans are equal and not the same object.
        let mut merged = Tally::from_dump(&dump(&tally(&spec, &first))).unwrap();
        merged.merge_pod(&Tally::from_dump(&dump(&tally(&spec, &second))).unwrap()).unwrap();
        let doubled = TallySpec { planned: spec.planned.iter().map(|planned| planned * 2).collect(), ..TallySpec::clone(&spec) };
        let together: Vec<Sample> = first.into_iter().chain(second).collect();
        prop_assert_eq!(dump(&merged), dump(&tally(&Arc::new(doubled), &together)));
    }

    // A changed number is noticed, or harmless: never a panic.
    #[test]
    fn a_changed_dump_does_not_panic(seed: u64, which in any::<prop::sample::Index>(), to in prop_oneof![Just(0u64), 0..100u64, Just(u64::MAX), any::<u64>()]) {
        let tally = tally(&spec(FLAGS), &random_samples(seed, 60));
        let mut document = serde_json::to_value(dump(&tally)).unwrap();
        let mut numbers = Vec::new();
        collect(&mut document, &mut numbers);
        let at = which.index(numbers.len());
        *numbers[at] = serde_json::Value::from(to);
        drop(numbers);
        if let Ok(changed) = serde_json::from_value::<TallyDump>(document)
            && let Ok(back) = Tally::from_dump(&changed)
        {
            prop_assert_eq!(back.scheduled(), tally.scheduled());
            prop_assert!(!all_of(&back).is_empty());
        }
    }
}

fn collect<'a>(value: &'a mut serde_json::Value, numbers: &mut Vec<&'a mut serde_json::Value>) {
    match value {
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| collect(item, numbers)),
        serde_json::Value::Object(items) => items.values_mut().for_each(|item| collect(item, numbers)),
        number if number.is_number() => numbers.push(number),
        _ => {}
    }
}

#[test]
fn different_plans_do_not_merge() {
    let mut one = tally(&spec(FLAGS), &[]);
    let other = tally(&spec(&FLAGS[1..]), &[]);
    assert_eq!(one.merge(&other).unwrap_err().what, "the thresholds");
    let mut longer = TallySpec::clone(&spec(FLAGS));
    longer.counted += longer.counted;
    let error = one.merge_pod(&tally(&Arc::new(longer), &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "these are figures of different plans: the lengths of the schedules differ; only runs of the same plan can be merged"
    );
}

#[test]
fn damaged_dumps_say_what_is_wrong() {
    let good = dump(&tally(
        &spec(FLAGS),
        &[
            sample(),
            Sample {
                outcome: Outcome::Reset,
                status: 0,
                ..sample()
            },
        ],
    ));
    let error = |change: &dyn Fn(&mut TallyDump)| {
        let mut changed = good.clone();
        change(&mut changed);
        Tally::from_dump(&changed).unwrap_err().to_string()
    };
    assert_eq!(
        error(&|dump| dump.version = 2),
        "the saved figures have version 2, expected 1: use the load-gate that wrote them, or a later one"
    );
    assert_eq!(
        error(&|dump| *dump.outcomes.get_mut("reset").unwrap() = 0),
        "the saved figures are damaged: 1 requests by outcome, 2 by time, 2 by latency; 1 right answers, 1 latencies"
    );
    assert_eq!(
        error(&|dump| dump.thresholds[0].bad = 0),
        "the saved figures are damaged: the counts of the threshold `http_req_duration=p(95)<350` do not add up"
    );
    assert_eq!(
        error(&|dump| dump.thresholds[0].metric = "http_req_duratoin".to_owned()),
        "a saved threshold cannot be read"
    );
    assert_eq!(
        error(&|dump| dump.planned.clear()),
        "the saved figures are damaged: 0 numbers of planned requests for 4 kinds of requests"
    );
    assert_eq!(
        error(&|dump| dump.cells[0].scheduled = 1),
        "the saved figures are damaged: cell 0 does not fit"
    );
    assert!(error(&|dump| dump.series.truncate(3)).starts_with("the saved figures are damaged: 3 metrics"));
}

// Sums that do not fit into 64 bits: no panic, and no sum that comes out right because it wrapped around.
#[test]
fn batches_that_overflow_are_refused() {
    let good = dump(&tally(&spec(FLAGS), &[sample()]));
    let requests = good.series[0].requests;
    let bad = good.thresholds[0].bad;
    assert_eq!(good.thresholds[0].metric, good.series[0].metric);
    assert!(good.thresholds[0].batches.len() > 1, "{:?}", good.thresholds[0].batches);
    for huge in [[u64::MAX, bad], [u64::MAX, u64::MAX]] {
        let mut changed = good.clone();
        let batches = &mut changed.thresholds[0].batches;
        batches.fill([0, 0]);
        batches[0] = huge;
        batches[1] = [requests, bad].map(|count| count + 1);
        if huge[1] == bad {
            batches[1][1] = 0;
        }
        let sum = |part: usize| batches.iter().fold(0_u64, |sum, batch| sum.wrapping_add(batch[part]));
        assert_eq!((sum(0), sum(1)), (requests, bad), "right but for the overflow");
        assert_eq!(
            Tally::from_dump(&changed).unwrap_err().to_string(),
            "the saved figures are damaged: the counts of the threshold `http_req_duration=p(95)<350` do not add up"
        );
    }
}

#[test]
fn a_result_of_another_plan_cannot_stand_in() {
    let saved = dump(&tally(&spec(FLAGS), &[sample()]));
    let mut swapped = saved.clone();
    swapped.series.swap(0, 1);
    assert!(matches!(Tally::from_dump(&swapped), Err(DumpError::Damaged { .. })));
    let mut other = saved;
    other.thresholds.truncate(1);
    assert!(matches!(Tally::from_dump(&other), Err(DumpError::Damaged { .. })));
    assert_eq!(thresholds(FLAGS).len(), FLAGS.len());
}

#[test]
fn the_schema_names_the_parts() {
    let schema = serde_json::to_value(schemars::schema_for!(TallyDump)).unwrap();
    for part in ["series", "thresholds", "cells", "planned"] {
        assert!(schema["properties"][part].is_object(), "{part}");
    }
}
