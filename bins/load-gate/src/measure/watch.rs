//! What is known of a run while it goes on: figures of the generator itself, and what follows from them.

use super::{IN_TIME_NS, LITTLE};
use crate::samples::SampleFile;
use load_engine::{Gauges, Usage};
use load_plan::Plan;
use load_report::render::Progress;
use load_verdict::{
    Judgement, Sample,
    judge::{self, JudgeOptions, Progress as Standing, Stop, Validity, ValidityInput, ValidityLimits},
    tally::Tally,
    threshold::{Aggregation, Metric, Operator},
};
use std::time::{Duration, Instant};

pub(super) struct Watch {
    options: JudgeOptions,
    limits: ValidityLimits,
    warm_up: Duration,
    total: Duration,
    /// Counted requests that were taken up in time.
    in_time: u64,
    /// For the rate of late.
    before: (Instant, u64),
    seen: u64,
}

impl Watch {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            options: options(plan),
            limits: limits(plan),
            warm_up: plan.schedule.warm_up(),
            total: plan.schedule.warm_up() + plan.schedule.duration(),
            in_time: 0,
            before: (Instant::now(), 0),
            seen: 0,
        }
    }

    /// Takes samples, and leaves the vector empty.
    pub(super) fn record(
        &mut self,
        samples: &mut Vec<Sample>,
        tally: &mut Tally,
        file: &mut Option<SampleFile>,
    ) -> anyhow::Result<()> {
        for sample in samples.iter() {
            tally.record(sample);
            if !sample.warm_up && sample.lag_ns <= IN_TIME_NS {
                self.in_time += 1;
            }
            if let Some(file) = file {
                file.write(sample)?;
            }
        }
        self.seen += samples.len() as u64;
        samples.clear();
        Ok(())
    }

    /// Whether the run may end now.
    pub(super) fn early_stop(&self, tally: &Tally, elapsed: Duration, in_flight: u64) -> Option<Stop> {
        let counted = elapsed.checked_sub(self.warm_up)?;
        let validity = self.validity(tally, &Usage::default());
        judge::early_stop(
            &tally.evidence(),
            &self.options,
            &Standing {
                elapsed: counted,
                valid_so_far: validity.problems.is_empty(),
                pending: in_flight,
            },
        )
    }

    /// What the run comes to.
    pub(super) fn judge(&self, tally: &Tally, usage: &Usage, stop: Option<Stop>, interrupted: bool) -> Judgement {
        judge::judge(
            &tally.evidence(),
            &tally.totals(interrupted),
            self.validity(tally, usage),
            &self.options,
            stop,
        )
    }

    fn validity(&self, tally: &Tally, usage: &Usage) -> Validity {
        judge::validity(ValidityInput {
            lag_p50_ms: tally.lag(0.5),
            lag_p99_ms: tally.lag(0.99),
            scheduled: tally.scheduled(),
            sent: self.in_time,
            cpu_wait: usage.cpu_wait,
            throttled: usage.throttled,
            busiest_thread: usage.busiest_thread,
            limits: self.limits,
        })
    }

    pub(super) fn progress(&mut self, tally: &Tally, elapsed: Duration, gauges: &Gauges) -> Progress {
        let live = tally.live();
        let (then, seen) = std::mem::replace(&mut self.before, (Instant::now(), self.seen));
        let counting = live.scheduled > 0;
        Progress {
            elapsed_s: elapsed.min(self.total).as_secs_f64(),
            total_s: self.total.as_secs_f64(),
            warm_up: elapsed < self.warm_up,
            rate: (self.seen - seen) as f64 / then.elapsed().as_secs_f64().max(1e-3),
            requests: live.scheduled,
            failed: live.scheduled - live.succeeded,
            in_flight: gauges.in_flight,
            p50_ms: live.p50_ms,
            p95_ms: live.p95_ms,
            p99_ms: live.p99_ms,
            lag_p99_ms: counting.then(|| tally.lag(0.99)),
            verdict: counting.then(|| {
                // As if the schedule ended here: that it has not is no reason to call it undecided.
                let mut totals = tally.totals(false);
                totals.completed = 1.0;
                let validity = self.validity(tally, &Usage::default());
                judge::judge(&tally.evidence(), &totals, validity, &self.options, None).verdict
            }),
        }
    }
}

fn options(plan: &Plan) -> JudgeOptions {
    JudgeOptions {
        confidence: plan.judging.confidence,
        stop_rule: plan.judging.early_stop,
        min_duration: plan.judging.min_duration,
    }
}

/// The user's limit of the send lag, or what is little against the smallest latency limit that is asked for.
fn limits(plan: &Plan) -> ValidityLimits {
    let default = ValidityLimits::default();
    let smallest = plan
        .thresholds
        .iter()
        .filter(|threshold| {
            matches!(
                threshold.key.metric,
                Metric::HttpReqDuration | Metric::IterationDuration | Metric::HttpReqWaiting
            ) && matches!(threshold.operator, Operator::Less | Operator::LessOrEqual)
                && !matches!(threshold.aggregation, Aggregation::Min)
        })
        .map(|threshold| threshold.limit)
        .reduce(f64::min);
    let lag_ms = match plan.judging.max_lag {
        Some(limit) => limit.as_secs_f64() * 1e3,
        None => smallest.map_or(default.lag_ms, |limit| (limit * LITTLE).max(default.lag_ms)),
    };
    ValidityLimits { lag_ms, ..default }
}
