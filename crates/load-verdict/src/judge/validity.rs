//! Whether the generator did what it was asked to. If not, its figures say more about itself than about the target.

use super::{Validity, ValidityInput};
use crate::stats::numbers::{count, figure, percent};

/// Compares what the generator knows of itself with what is allowed.
pub fn validity(input: ValidityInput) -> Validity {
    let ValidityInput {
        lag_p50_ms,
        lag_p99_ms,
        scheduled,
        sent,
        cpu_wait,
        throttled,
        busiest_thread,
        limits,
    } = input;
    let mut problems = Vec::new();
    let over = |value: f64, limit: f64| value.is_nan() || value > limit;
    if over(lag_p99_ms, limits.lag_ms) {
        problems.push(format!(
            "requests were sent late by the generator itself: 1 % of them {} ms or more after they were due, at most {} ms are \
             allowed (median {} ms); give it more CPU or a lower rate",
            figure(lag_p99_ms),
            figure(limits.lag_ms),
            figure(lag_p50_ms)
        ));
    }
    if scheduled > 0 && over(limits.sent, sent as f64 / scheduled as f64) {
        problems.push(format!(
            "the generator sent only {} of {} requests in time ({}), at least {} are needed; give it more CPU or a lower rate",
            count(sent),
            count(scheduled),
            percent(sent as f64 / scheduled as f64),
            percent(limits.sent)
        ));
    }
    let mut share = |value: Option<f64>, limit: f64, what: &str, advice: &str| {
        if let Some(value) = value.filter(|&value| over(value, limit)) {
            problems.push(format!(
                "{what} {}, at most {} is allowed; {advice}",
                percent(value),
                percent(limit)
            ));
        }
    };
    share(
        cpu_wait,
        limits.cpu_wait,
        "the generator waited for a processor during this part of its running time:",
        "run it on a machine that is less busy",
    );
    share(
        throttled,
        limits.throttled,
        "the generator was held back by its CPU limit (cgroup) during this part of the time:",
        "raise the container's CPU limit",
    );
    share(
        busiest_thread,
        limits.busiest_thread,
        "the busiest thread of the generator used this part of a core:",
        "use more threads or a lower rate",
    );
    Validity {
        lag_p50_ms,
        lag_p99_ms,
        lag_limit_ms: limits.lag_ms,
        scheduled,
        sent,
        cpu_wait,
        throttled,
        busiest_thread,
        problems,
    }
}
