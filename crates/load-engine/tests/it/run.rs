//! A plan, carried out against a target.

use load_engine::Finished;
use load_plan::{Plan, Settings};
use load_target::{Target, TargetConfig};
use load_verdict::{Outcome, Sample};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// A GraphQL request at a constant rate, with whatever the test changes.
pub(crate) fn plan(target: &Target, rate: f64, length: Duration, change: impl FnOnce(&mut Settings)) -> Plan {
    let mut settings = Settings {
        url: Some(target.url()),
        graphql: Some("{ __typename }".to_owned()),
        rate: Some(rate),
        duration: Some(length),
        no_thresholds: true,
        threads: Some(1),
        ..Settings::default()
    };
    change(&mut settings);
    Plan::build(&settings, Path::new("")).expect("a plan")
}

/// Carries it out; asks to stop after `stop`, if that is given.
pub(crate) fn carry_out(plan: Plan, stop: Option<Duration>) -> (Vec<Sample>, Finished) {
    let running = load_engine::start(&Arc::new(plan)).expect("it starts");
    let mut samples = Vec::new();
    let began = Instant::now();
    while !running.is_finished() {
        std::thread::sleep(Duration::from_millis(5));
        let mut some = Vec::new();
        running.take(&mut some);
        samples.append(&mut some);
        if stop.is_some_and(|stop| began.elapsed() >= stop) {
            running.stop();
        }
    }
    let finished = running.join(&mut samples).expect("it ends");
    samples.sort_by_key(|sample| sample.due_ns);
    (samples, finished)
}

pub(crate) fn target(change: impl FnOnce(&mut TargetConfig)) -> Target {
    let mut config = TargetConfig::default();
    change(&mut config);
    Target::start(config).expect("a target")
}

pub(crate) fn count(samples: &[Sample], outcome: Outcome) -> usize {
    samples.iter().filter(|sample| sample.outcome == outcome).count()
}
