//! Connections, time limits, TLS, judging: defaults and ranges.

use crate::error::PlanError;
use crate::file::values::Span;
use crate::file::{EarlyStopSpec, ProtocolSpec, ScenarioFile};
use crate::plan::{Connections, Judging, Protocol, Tls};
use load_verdict::judge::StopRule;
use std::{path::Path, time::Duration};

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_hours(1);
const MAX_CONNECTIONS: usize = 1_000;
const MOST_CONNECTIONS: usize = 100_000;
const MAX_WAITING: usize = 100_000;
const MOST_WAITING: usize = 10_000_000;
const MAX_THREADS: usize = 256;

fn within(what: &str, span: Option<Span>, default: Duration) -> Result<Duration, PlanError> {
    let value = span.map_or(default, |span| span.0);
    if value.is_zero() || value > LONGEST {
        return Err(PlanError::invalid(format!(
            "the {what} is {}: expected more than 0 and at most 1h",
            crate::duration::show(value)
        )));
    }
    Ok(value)
}

pub(super) fn timeout(file: &ScenarioFile) -> Result<Duration, PlanError> {
    within("timeout (--timeout)", file.timeout, TIMEOUT)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are positive and the results are clamped"
)]
pub(super) fn connections(file: &ScenarioFile, peak_rate: f64) -> Result<Connections, PlanError> {
    let spec = file.connections.clone().unwrap_or_default();
    let count = |what: &str, value: Option<usize>, most: usize| match value {
        Some(0) => Err(PlanError::invalid(format!("{what} is 0: expected at least 1"))),
        Some(value) if value > most => Err(PlanError::invalid(format!(
            "{what} is {value}: expected at most {most}"
        ))),
        value => Ok(value),
    };
    let max = count(
        "the largest number of connections (--max-connections)",
        spec.max,
        MOST_CONNECTIONS,
    )?;
    let initial = count(
        "the number of connections (--connections)",
        spec.initial,
        MOST_CONNECTIONS,
    )?;
    if let (Some(initial), Some(max)) = (initial, max)
        && initial > max
    {
        return Err(PlanError::invalid(format!(
            "{initial} connections are opened before the first request (--connections), and {max} is the most (--max-connections): raise the second"
        )));
    }
    let max = max.unwrap_or_else(|| MAX_CONNECTIONS.max(initial.unwrap_or(0)));
    // Enough for answers within 20 ms; more are opened when they are needed.
    let usual = ((peak_rate * 0.02).ceil() as usize).clamp(2, 64);
    let max_waiting = count(
        "the largest number of waiting requests (max_waiting)",
        spec.max_waiting,
        MOST_WAITING,
    )?;
    let timeout = timeout(file)?;
    // Every request that could still be answered in time, up to a bound on memory.
    let useful = (peak_rate * timeout.as_secs_f64()).ceil() as usize;
    Ok(Connections {
        initial: initial.unwrap_or(usual.min(max)),
        max,
        max_waiting: max_waiting.unwrap_or(useful.clamp(1_000, MAX_WAITING)),
        protocol: match spec.protocol {
            None | Some(ProtocolSpec::Auto) => Protocol::Auto,
            Some(ProtocolSpec::Http1) => Protocol::Http1,
            Some(ProtocolSpec::Http2) => Protocol::Http2,
        },
        connect_timeout: within(
            "connect timeout (--connect-timeout)",
            spec.connect_timeout,
            CONNECT_TIMEOUT,
        )?,
        no_reuse: spec.no_reuse.unwrap_or(false),
        fail_fast: file.fail_fast.unwrap_or(true),
    })
}

pub(super) fn tls(file: &ScenarioFile) -> Result<Tls, PlanError> {
    let spec = file.tls.clone().unwrap_or_default();
    match (&spec.client_cert, &spec.client_key) {
        (Some(_), None) => {
            return Err(PlanError::invalid(
                "there is a client certificate without its key: give --client-key too",
            ));
        }
        (None, Some(_)) => {
            return Err(PlanError::invalid(
                "there is a client key without its certificate: give --client-cert too",
            ));
        }
        _ => {}
    }
    for (what, path) in [
        ("file of authorities", &spec.ca_file),
        ("client certificate", &spec.client_cert),
        ("client key", &spec.client_key),
    ] {
        if let Some(path) = path {
            readable(what, path)?;
        }
    }
    Ok(Tls {
        ca_file: spec.ca_file,
        client_cert: spec.client_cert,
        client_key: spec.client_key,
        insecure_skip_verify: spec.insecure_skip_verify.unwrap_or(false),
        server_name: spec.server_name,
    })
}

/// Reading it whole is the engine's; that it is there can be said now.
fn readable(what: &'static str, path: &Path) -> Result<(), PlanError> {
    match std::fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(PlanError::File {
            what,
            path: path.to_owned(),
            source,
        }),
    }
}

pub(super) fn threads(file: &ScenarioFile) -> Result<Option<usize>, PlanError> {
    match file.threads {
        Some(threads) if threads == 0 || threads > MAX_THREADS => Err(PlanError::invalid(format!(
            "the number of threads (--threads) is {threads}: expected 1 to {MAX_THREADS}"
        ))),
        threads => Ok(threads),
    }
}

pub(super) fn judging(file: &ScenarioFile, length: Duration) -> Result<Judging, PlanError> {
    let spec = file.judging.clone().unwrap_or_default();
    let confidence = spec.confidence.unwrap_or(0.95);
    if !(confidence > 0.5 && confidence < 1.0) {
        return Err(PlanError::invalid(format!(
            "the confidence (--confidence) is {confidence}: expected a share between 0.5 and 1, such as 0.95"
        )));
    }
    let alpha = spec.alpha.unwrap_or(0.01);
    if !(alpha > 0.0 && alpha < 0.5) {
        return Err(PlanError::invalid(format!(
            "the error rate of the early stop (--alpha) is {alpha}: expected a share over 0 and below 0.5, such as 0.01"
        )));
    }
    let sequential = spec.early_stop == Some(EarlyStopSpec::Sequential);
    if spec.alpha.is_some() && !sequential {
        return Err(PlanError::invalid(
            "an error rate (--alpha) is given, and only a sequential early stop has one: add --early-stop sequential",
        ));
    }
    let min_duration = spec.min_duration.map_or(Duration::ZERO, |span| span.0);
    if min_duration > length {
        return Err(PlanError::invalid(format!(
            "the minimum duration (--min-duration) is {}, and the run takes {}: lower the first",
            crate::duration::show(min_duration),
            crate::duration::show(length)
        )));
    }
    let max_lag = spec.max_lag.map(|span| span.0);
    if max_lag.is_some_and(|lag| lag.is_zero()) {
        return Err(PlanError::invalid(
            "the largest send lag (--max-lag) is 0, which no machine keeps: expected a duration such as 10ms",
        ));
    }
    Ok(Judging {
        confidence,
        early_stop: match spec.early_stop {
            Some(EarlyStopSpec::Never) => StopRule::Never,
            None | Some(EarlyStopSpec::Exact) => StopRule::Exact,
            Some(EarlyStopSpec::Sequential) => StopRule::Sequential { alpha },
        },
        min_duration,
        max_lag,
    })
}
