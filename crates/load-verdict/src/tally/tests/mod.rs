//! The tally against a slow model that keeps every sample.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::needless_for_each)]

mod dumps;
mod model;
mod records;
mod rejudging;
mod windows;

use super::{RequestSpec, Tags, Tally, TallySpec};
use crate::{Outcome, Sample, Threshold};
use std::{sync::Arc, time::Duration};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn thresholds(flags: &[&str]) -> Vec<Threshold> {
    flags.iter().map(|flag| Threshold::parse_flag(flag).unwrap()).collect()
}

/// Two scenarios, two requests, two checks; 60 s after a warm-up of 5 s.
fn spec(flags: &[&str]) -> Arc<TallySpec> {
    Arc::new(TallySpec {
        scenarios: vec![
            tags(&[("scenario", "day")]),
            tags(&[("scenario", "night"), ("dark", "yes")]),
        ],
        requests: vec![
            RequestSpec {
                tags: tags(&[("name", "read"), ("op", "read")]),
                checks: 0b11,
            },
            RequestSpec {
                tags: tags(&[("name", "write"), ("op", "write")]),
                checks: 0b01,
            },
        ],
        checks: vec!["status==200".to_owned(), "no_graphql_errors".to_owned()],
        thresholds: thresholds(flags),
        planned: vec![100, 200, 300, 400],
        counted: Duration::from_mins(1),
        warm_up: Duration::from_secs(5),
        timeout: Duration::from_secs(30),
    })
}

/// A good answer after 100 ms, due in the counted part.
fn sample() -> Sample {
    Sample {
        request: 0,
        scenario: 0,
        due_ns: 5 * SECOND,
        warm_up: false,
        lag_ns: 0,
        queue_ns: 0,
        connect_ns: 0,
        tls_ns: 0,
        first_byte_ns: 100 * MS,
        receive_ns: 0,
        sent_bytes: 100,
        received_bytes: 1000,
        status: 200,
        outcome: Outcome::Ok,
        checks_made: 0b11,
        checks_failed: 0,
    }
}

/// Every kind of sample, by the seed.
fn random_samples(seed: u64, count: usize) -> Vec<Sample> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|_| {
            let outcome = if random.u8(..) < 200 {
                Outcome::Ok
            } else {
                Outcome::ALL[random.usize(..11)]
            };
            let request = random.u16(..2);
            let made = if request == 0 { 0b11 } else { 0b01 };
            let mut below = |bits: u32| random.u64(..=1 << bits);
            let (lag_ns, queue_ns, connect_ns, tls_ns, first_byte_ns, receive_ns) =
                (below(20), below(24), below(22), below(23), below(30), below(26));
            Sample {
                request,
                scenario: random.u16(..2),
                due_ns: random.u64(..65 * SECOND),
                warm_up: false,
                lag_ns,
                queue_ns,
                connect_ns,
                tls_ns,
                first_byte_ns,
                receive_ns,
                sent_bytes: random.u64(..1000),
                received_bytes: random.u64(..100_000),
                status: match outcome {
                    Outcome::Ok | Outcome::CheckFailed => 200 + random.u16(..2) * 102,
                    Outcome::HttpError => [404, 500, 503][random.usize(..3)],
                    _ => 0,
                },
                outcome,
                checks_made: made,
                checks_failed: match outcome {
                    Outcome::Ok => 0,
                    Outcome::CheckFailed => 1,
                    _ => made,
                },
            }
        })
        .map(|sample| Sample {
            warm_up: sample.due_ns < 5 * SECOND,
            ..sample
        })
        .collect()
}

fn tally(spec: &Arc<TallySpec>, samples: &[Sample]) -> Tally {
    let mut tally = Tally::new(Arc::clone(spec));
    samples.iter().for_each(|sample| tally.record(sample));
    tally
}
