//! Results for tests, made as a run makes them: by recording samples.

use load_report::{Environment, ResultDoc, SCHEMA, Tool};
use load_verdict::{
    Outcome, Sample, Threshold,
    judge::{self, ValidityInput},
    tally::{RequestSpec, Tally, TallySpec},
};
use std::{sync::Arc, time::Duration};

/// How the requests of a made-up run went: evenly mixed over its minute.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Latencies and how many requests had them; `None` is a 500.
    pub(crate) groups: Vec<(u64, Option<f64>)>,
    /// How many were planned.
    pub(crate) planned: u64,
    /// Thresholds of the run.
    pub(crate) thresholds: Vec<&'static str>,
}

impl Shape {
    /// All the same.
    pub(crate) fn plain(count: u64, ms: f64) -> Self {
        Self::of(vec![(count, Some(ms))])
    }

    /// Two kinds.
    pub(crate) fn two(count: u64, ms: f64, others: u64, other_ms: f64) -> Self {
        Self::of(vec![(count, Some(ms)), (others, Some(other_ms))])
    }

    /// Some of them failed.
    pub(crate) fn failing(count: u64, ms: f64, failed: u64) -> Self {
        Self::of(vec![(count, Some(ms)), (failed, None)])
    }

    fn of(groups: Vec<(u64, Option<f64>)>) -> Self {
        Self {
            planned: groups.iter().map(|(count, _)| count).sum(),
            groups,
            thresholds: vec!["http_req_duration=p(95)<350"],
        }
    }
}

/// A run of that shape, judged.
pub(crate) fn run(shape: &Shape) -> (ResultDoc, Tally) {
    let counted = Duration::from_mins(1);
    let thresholds = shape.thresholds.iter().map(|flag| Threshold::parse_flag(flag).unwrap());
    let spec = TallySpec {
        scenarios: vec![vec![("scenario".to_owned(), "default".to_owned())]],
        requests: vec![RequestSpec::default()],
        thresholds: thresholds.collect(),
        planned: vec![shape.planned],
        counted,
        timeout: Duration::from_secs(30),
        ..TallySpec::default()
    };
    let mut tally = Tally::new(Arc::new(spec));
    for sample in samples(shape, counted) {
        tally.record(&sample);
    }
    let totals = tally.totals(false);
    let validity = judge::validity(ValidityInput {
        lag_p50_ms: 0.03,
        lag_p99_ms: 0.2,
        scheduled: totals.scheduled,
        sent: totals.scheduled,
        ..ValidityInput::default()
    });
    let judgement = judge::judge(
        &tally.evidence(),
        &totals,
        validity,
        &super::rejudge::options(0.95),
        None,
    );
    let started_at: jiff::Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
    let doc = ResultDoc {
        schema: SCHEMA.to_owned(),
        tool: Tool {
            name: "load-gate".to_owned(),
            version: "0.1.0".to_owned(),
        },
        subject: "POST https://cos.example.com/graphql at 50/s for 1m".to_owned(),
        started_at,
        finished_at: started_at + counted,
        config: serde_json::json!({"rate": 50, "url": "https://cos.example.com/graphql"}),
        environment: Environment::of_this_build(),
        exit_code: crate::exit_code::native(judgement.verdict),
        judgement,
        summary: tally.summary(0.95),
        tally: serde_json::to_value(tally.dump().unwrap()).unwrap(),
        partial: false,
    };
    (doc, tally)
}

/// Each group spread evenly over the schedule, in the order of being due.
fn samples(shape: &Shape, counted: Duration) -> Vec<Sample> {
    let whole = u64::try_from(counted.as_nanos()).unwrap();
    let sent: u64 = shape.groups.iter().map(|(count, _)| count).sum();
    let covered = u64::try_from(u128::from(whole) * u128::from(sent) / u128::from(shape.planned.max(1))).unwrap();
    let mut samples: Vec<Sample> = shape
        .groups
        .iter()
        .flat_map(|&(count, ms)| (0..count).map(move |at| sample(covered / count * at, ms)))
        .collect();
    samples.sort_by_key(|sample| sample.due_ns);
    samples
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and positive"
)]
fn sample(due_ns: u64, ms: Option<f64>) -> Sample {
    Sample {
        request: 0,
        scenario: 0,
        due_ns,
        warm_up: false,
        lag_ns: 30_000,
        queue_ns: 0,
        connect_ns: 0,
        tls_ns: 0,
        first_byte_ns: (ms.unwrap_or(2.0) * 1e6) as u64 - 30_000,
        receive_ns: 0,
        sent_bytes: 100,
        received_bytes: 200,
        status: if ms.is_some() { 200 } else { 500 },
        outcome: if ms.is_some() { Outcome::Ok } else { Outcome::HttpError },
        checks_made: 0,
        checks_failed: 0,
    }
}
