//! Scenario file, k6 options and flags become one; the later ones win.

use crate::error::PlanError;
use crate::file::values::{HeaderFrom, HeaderSource, OneOrMany, Pairs, Span, ThresholdSpec};
use crate::file::{
    ConnectionsSpec, DataSpec, EarlyStopSpec, JudgingSpec, Order, ProtocolSpec, RequestSpec, ScenarioFile, TlsSpec, k6,
    read,
};
use crate::plan::Protocol;
use crate::settings::{EarlyStopChoice, Settings};
use load_verdict::Threshold;
use std::path::{Path, PathBuf};

pub(super) struct Merged {
    pub file: ScenarioFile,
    /// k6 scenarios with the functions that they would run.
    pub execs: Vec<(String, String)>,
    pub notes: Vec<String>,
}

pub(super) fn merge(settings: &Settings, base_dir: &Path) -> Result<Merged, PlanError> {
    let mut file = ScenarioFile::default();
    if let Some(path) = &settings.scenario_file {
        let path = base_dir.join(path);
        file = read::scenario(&path)?;
        start_paths_at(&mut file, path.parent().unwrap_or(base_dir));
    }
    let (mut execs, mut notes) = (Vec::new(), Vec::new());
    if let Some(path) = &settings.k6_options {
        let k6 = k6::read(&base_dir.join(path))?;
        if k6.file.scenarios.is_some() && has_schedule(&file) {
            return Err(PlanError::invalid(
                "the scenario file and the k6 options both say when to send: remove `rate`, `stages` and `scenarios` from one of them",
            ));
        }
        lay_over(&mut file, k6.file)?;
        (execs, notes) = (k6.execs, k6.notes);
    }
    let mut flags = flags(settings)?;
    start_paths_at(&mut flags, base_dir);
    lay_over(&mut file, flags)?;
    Ok(Merged { file, execs, notes })
}

fn has_schedule(file: &ScenarioFile) -> bool {
    file.rate.is_some() || file.stages.is_some() || file.duration.is_some() || file.scenarios.is_some()
}

/// Makes relative paths start at `folder`.
fn start_paths_at(file: &mut ScenarioFile, folder: &Path) {
    let join = |path: &mut PathBuf| *path = folder.join(&*path);
    let headers = |headers: &mut Option<Pairs<HeaderSource>>| {
        for (_, source) in headers.iter_mut().flat_map(|pairs| &mut pairs.0) {
            if let HeaderSource::From(HeaderFrom { file: Some(path), .. }) = source {
                join(path);
            }
        }
    };
    headers(&mut file.headers);
    for request in file.requests.iter_mut().flatten() {
        headers(&mut request.headers);
        request.body_file.as_mut().map(join);
    }
    if let Some(data) = &mut file.data {
        join(&mut data.file);
    }
    if let Some(tls) = &mut file.tls {
        for path in [&mut tls.ca_file, &mut tls.client_cert, &mut tls.client_key] {
            path.as_mut().map(join);
        }
    }
}

/// What the flags say, as a file would.
fn flags(settings: &Settings) -> Result<ScenarioFile, PlanError> {
    let request = RequestSpec {
        method: settings.method.clone(),
        body: settings.body.as_ref().map(|body| body.expose().to_owned()),
        body_file: settings.body_file.clone(),
        graphql: settings.graphql.clone(),
        variables: settings.variables.as_ref().map(|text| text.expose().into()),
        ..RequestSpec::default()
    };
    let wants_request = request.method.is_some()
        || request.body.is_some()
        || request.body_file.is_some()
        || request.graphql.is_some()
        || request.variables.is_some();
    let headers = headers(settings)?;
    let tags = tags(&settings.tags)?;
    let span = |duration: Option<std::time::Duration>| duration.map(Span);
    Ok(ScenarioFile {
        url: settings.url.clone(),
        rate: settings.rate,
        duration: span(settings.duration),
        warm_up: span(settings.warm_up),
        requests: wants_request.then(|| vec![request]),
        headers: (!headers.0.is_empty()).then_some(headers),
        tags: (!tags.0.is_empty()).then_some(tags),
        checks: (!settings.checks.is_empty()).then(|| settings.checks.clone()),
        data: settings.data.clone().map(|file| DataSpec {
            file,
            order: if settings.data_random {
                Order::Random
            } else {
                Order::Sequential
            },
        }),
        thresholds: thresholds(&settings.thresholds)?,
        no_thresholds: settings.no_thresholds.then_some(true),
        timeout: span(settings.timeout),
        connections: Some(ConnectionsSpec {
            initial: settings.connections,
            max: settings.max_connections,
            max_waiting: settings.max_waiting,
            protocol: settings.protocol.map(|protocol| match protocol {
                Protocol::Auto => ProtocolSpec::Auto,
                Protocol::Http1 => ProtocolSpec::Http1,
                Protocol::Http2 => ProtocolSpec::Http2,
            }),
            connect_timeout: span(settings.connect_timeout),
            no_reuse: settings.no_connection_reuse.then_some(true),
        }),
        tls: Some(TlsSpec {
            ca_file: settings.ca_file.clone(),
            client_cert: settings.client_cert.clone(),
            client_key: settings.client_key.clone(),
            insecure_skip_verify: settings.insecure_skip_verify.then_some(true),
            server_name: settings.server_name.clone(),
        }),
        judging: Some(JudgingSpec {
            confidence: settings.confidence,
            early_stop: settings.early_stop.map(|choice| match choice {
                EarlyStopChoice::Never => EarlyStopSpec::Never,
                EarlyStopChoice::Exact => EarlyStopSpec::Exact,
                EarlyStopChoice::Sequential => EarlyStopSpec::Sequential,
            }),
            alpha: settings.alpha,
            min_duration: span(settings.min_duration),
            max_lag: span(settings.max_lag),
        }),
        fail_fast: settings.fail_fast,
        threads: settings.threads,
        seed: settings.seed,
        ..ScenarioFile::default()
    })
}

fn headers(settings: &Settings) -> Result<Pairs<HeaderSource>, PlanError> {
    let mut headers: Vec<(String, HeaderSource)> = Vec::new();
    let mut add = |name: &str, source| {
        let name = name.trim();
        if headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(PlanError::invalid(format!(
                "the header {name} is given twice: keep one of them"
            )));
        }
        headers.push((name.to_owned(), source));
        Ok(())
    };
    for header in &settings.headers {
        // The text may be a secret, so the message does not show it.
        let (name, value) = header.expose().split_once(':').ok_or_else(|| {
            PlanError::invalid(
                "a --header has no colon: expected 'NAME: VALUE', such as 'Content-Type: application/json'",
            )
        })?;
        add(name, HeaderSource::Text(value.trim().to_owned().into()))?;
    }
    let mut from_elsewhere = |given: &[String], flag: &str, what: &str, make: fn(&str) -> HeaderFrom| {
        for header in given {
            let (name, place) = header
                .split_once('=')
                .filter(|(name, place)| !name.trim().is_empty() && !place.trim().is_empty())
                .ok_or_else(|| {
                    PlanError::invalid(format!(
                        "cannot use {flag} {header:?}: expected NAME={what} or 'NAME=Bearer {what}', such as Authorization={what}"
                    ))
                })?;
            let place = place.trim();
            let scheme = ["Bearer ", "Basic "]
                .into_iter()
                .find(|scheme| place.starts_with(scheme));
            let mut source = make(place[scheme.map_or(0, str::len)..].trim());
            source.prefix.push_str(scheme.unwrap_or_default());
            add(name, HeaderSource::From(source))?;
        }
        Ok::<(), PlanError>(())
    };
    from_elsewhere(&settings.headers_from_env, "--header-env", "VARIABLE", |place| {
        HeaderFrom {
            env: Some(place.to_owned()),
            file: None,
            prefix: String::new(),
        }
    })?;
    from_elsewhere(&settings.headers_from_file, "--header-file", "PATH", |place| {
        HeaderFrom {
            env: None,
            file: Some(place.into()),
            prefix: String::new(),
        }
    })?;
    Ok(Pairs(headers))
}

fn tags(given: &[String]) -> Result<Pairs<String>, PlanError> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for tag in given {
        let (name, value) = tag
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or_else(|| {
                PlanError::invalid(format!(
                    "cannot use the tag {tag:?}: expected NAME=VALUE, such as op=read"
                ))
            })?;
        let name = name.trim();
        if tags.iter().any(|(known, _)| known == name) {
            return Err(PlanError::invalid(format!(
                "the tag {name} is given twice: keep one of them"
            )));
        }
        tags.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Pairs(tags))
}

/// Flags by key, as the file has them.
fn thresholds(given: &[String]) -> Result<Option<Pairs<OneOrMany<ThresholdSpec>>>, PlanError> {
    let mut pairs: Vec<(String, OneOrMany<ThresholdSpec>)> = Vec::new();
    for flag in given {
        let threshold = Threshold::parse_flag(flag).map_err(|source| PlanError::Threshold {
            threshold: flag.clone(),
            source,
        })?;
        let spec = ThresholdSpec {
            expression: threshold.expression,
            abort_on_fail: false,
            delay_abort: std::time::Duration::ZERO,
        };
        let key = threshold.key.to_string();
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, list)) => list.0.push(spec),
            None => pairs.push((key, OneOrMany(vec![spec]))),
        }
    }
    Ok((!pairs.is_empty()).then_some(Pairs(pairs)))
}

/// `top` wins. Lists of checks are put together; headers, tags and thresholds go by name.
fn lay_over(base: &mut ScenarioFile, top: ScenarioFile) -> Result<(), PlanError> {
    schedule(base, &top)?;
    if top.requests.is_some() && base.requests.is_some() {
        return Err(PlanError::invalid(
            "the scenario file has `requests`, so --method, --body, --body-file, --graphql and --variables have nothing to apply to: change the request in the file",
        ));
    }
    if top.no_thresholds == Some(true) {
        base.thresholds = None;
    } else if top.thresholds.is_some() {
        base.no_thresholds = None;
    }
    or(&mut base.scenarios, top.scenarios);
    or(&mut base.url, top.url);
    or(&mut base.warm_up, top.warm_up);
    or(&mut base.requests, top.requests);
    or(&mut base.data, top.data);
    or(&mut base.no_thresholds, top.no_thresholds);
    or(&mut base.timeout, top.timeout);
    or(&mut base.fail_fast, top.fail_fast);
    or(&mut base.threads, top.threads);
    or(&mut base.seed, top.seed);
    by_name(&mut base.headers, top.headers, str::eq_ignore_ascii_case);
    by_name(&mut base.tags, top.tags, |a, b| a == b);
    by_name(&mut base.thresholds, top.thresholds, |a, b| a.trim() == b.trim());
    for check in top.checks.into_iter().flatten() {
        let checks = base.checks.get_or_insert_default();
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    if let Some(top) = top.connections {
        let base = base.connections.get_or_insert_default();
        or(&mut base.initial, top.initial);
        or(&mut base.max, top.max);
        or(&mut base.max_waiting, top.max_waiting);
        or(&mut base.protocol, top.protocol);
        or(&mut base.connect_timeout, top.connect_timeout);
        or(&mut base.no_reuse, top.no_reuse);
    }
    if let Some(top) = top.tls {
        let base = base.tls.get_or_insert_default();
        or(&mut base.ca_file, top.ca_file);
        or(&mut base.client_cert, top.client_cert);
        or(&mut base.client_key, top.client_key);
        or(&mut base.insecure_skip_verify, top.insecure_skip_verify);
        or(&mut base.server_name, top.server_name);
    }
    if let Some(top) = top.judging {
        let base = base.judging.get_or_insert_default();
        or(&mut base.confidence, top.confidence);
        or(&mut base.early_stop, top.early_stop);
        or(&mut base.alpha, top.alpha);
        or(&mut base.min_duration, top.min_duration);
        or(&mut base.max_lag, top.max_lag);
    }
    Ok(())
}

fn or<T>(base: &mut Option<T>, top: Option<T>) {
    if top.is_some() {
        *base = top;
    }
}

fn by_name<V>(base: &mut Option<Pairs<V>>, top: Option<Pairs<V>>, same: impl Fn(&str, &str) -> bool) {
    for (name, value) in top.into_iter().flat_map(|pairs| pairs.0) {
        let base = &mut base.get_or_insert_default().0;
        base.retain(|(known, _)| !same(known, &name));
        base.push((name, value));
    }
}

/// `--rate` and `--duration` change the one constant rate there is.
fn schedule(base: &mut ScenarioFile, top: &ScenarioFile) -> Result<(), PlanError> {
    if top.rate.is_none() && top.duration.is_none() {
        return Ok(());
    }
    let flag = if top.rate.is_some() { "--rate" } else { "--duration" };
    let ramp = || {
        PlanError::invalid(format!(
            "{flag} is given, and the rate of the scenario changes in stages: remove {flag}, or change the stages"
        ))
    };
    if base.stages.is_some() {
        return Err(ramp());
    }
    match &mut base.scenarios {
        None => {
            or(&mut base.rate, top.rate);
            or(&mut base.duration, top.duration);
        }
        Some(Pairs(scenarios)) => match scenarios.as_mut_slice() {
            [(_, one)] if one.stages.is_some() => return Err(ramp()),
            [(_, one)] => {
                or(&mut one.rate, top.rate);
                or(&mut one.duration, top.duration);
            }
            several => {
                return Err(PlanError::invalid(format!(
                    "{flag} is given, and there are {} scenarios: change the one that is meant",
                    several.len()
                )));
            }
        },
    }
    Ok(())
}
