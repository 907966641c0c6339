//! k6's `options` as JSON (what a script exports, or what `k6 inspect` prints), turned into our own types.
//!
//! What would change where load goes or how much of it, and cannot be done here, is refused. What has no meaning here is
//! accepted and said. Names follow <https://grafana.com/docs/k6/latest/using-k6/k6-options/reference/>.

use super::k6_types::Scenario;
use super::values::{HeaderSource, OneOrMany, Pairs, Span, ThresholdSpec};
use super::{ConnectionsSpec, ScenarioFile, ScenarioSpec, StageSpec, TlsSpec, read};
use crate::{error::PlanError, text::nearest};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// What k6's options say.
#[derive(Debug, Default)]
pub(crate) struct K6 {
    pub file: ScenarioFile,
    /// Names of scenarios with the name of the function they would run.
    pub execs: Vec<(String, String)>,
    pub notes: Vec<String>,
}

/// Options that are taken over.
const USED: [&str; 6] = [
    "scenarios",
    "thresholds",
    "tags",
    "userAgent",
    "insecureSkipTLSVerify",
    "noConnectionReuse",
];

/// Options that cannot be followed, and must not be ignored.
const REFUSED: [(&str, &str); 11] = [
    ("vus", CLOSED),
    ("duration", CLOSED),
    ("iterations", CLOSED),
    ("stages", CLOSED),
    (
        "hosts",
        "names are looked up as they are: give the address as --url and the name as --header 'Host: NAME'",
    ),
    (
        "tlsAuth",
        "give the client certificate as files: --client-cert and --client-key",
    ),
    (
        "executionSegment",
        "give each load-gate its own part of the rate, and put the results together with `load-gate merge`",
    ),
    (
        "executionSegmentSequence",
        "give each load-gate its own part of the rate, and put the results together with `load-gate merge`",
    ),
    ("rps", "the rate is the scenario's: there is no second limit"),
    ("localIPs", "connections come from the address that the system chooses"),
    (
        "blacklistIPs",
        "no address is blocked: load goes to the host of the url, and nowhere else",
    ),
];

const CLOSED: &str = "users that wait for each other's answers ask a slow server less, which hides how slow it is: write a \
                      scenario with the executor constant-arrival-rate or ramping-arrival-rate";

/// Options that have no meaning here, and why.
const NOTED: [(&str, &str); 32] = [
    ("batch", "requests are not batched"),
    ("batchPerHost", "requests are not batched"),
    ("blockHostnames", "load goes to the host of the url and nowhere else"),
    ("cloud", "there is no cloud"),
    ("collectors", "see --result and the other outputs"),
    ("consoleOutput", "there is no script"),
    ("discardResponseBodies", "bodies are only kept while a check reads them"),
    ("dns", "names are looked up once, before the run"),
    ("ext", "there is no cloud"),
    ("httpDebug", "see --log-level"),
    ("linger", "the run ends when it is over"),
    (
        "maxRedirects",
        "redirects are never followed: a 3xx is an answer, so check the status",
    ),
    ("maxVUs", "it was computed by k6"),
    ("metricSamplesBufferSize", "samples are not buffered"),
    ("minIterationDuration", "an iteration is one request"),
    ("noCookiesReset", "no cookies are kept"),
    ("noSetup", "there is no script"),
    ("noSummary", "see --output"),
    ("noTeardown", "there is no script"),
    ("noUsageReport", "no usage is reported"),
    ("noVUConnectionReuse", "connections are shared by all requests"),
    ("paused", "the run starts at once"),
    ("profilingEnabled", "there is no script"),
    ("setupTimeout", "there is no script"),
    ("summaryTimeUnit", "times are milliseconds"),
    ("summaryTrendStats", "every aggregate is in the result"),
    ("systemTags", "every tag is kept"),
    ("teardownTimeout", "there is no script"),
    ("throw", "there is no script"),
    ("tlsCipherSuites", "the TLS library chooses"),
    ("tlsVersion", "TLS 1.2 and 1.3 are spoken"),
    ("totalDuration", "it was computed by k6"),
];

/// The options that are taken over, in the order of writing; all others in `rest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with `scenarios` and `thresholds`")]
struct Options {
    scenarios: Option<Pairs<Value>>,
    thresholds: Option<Pairs<OneOrMany<ThresholdSpec>>>,
    tags: Option<Pairs<String>>,
    user_agent: Option<String>,
    #[serde(rename = "insecureSkipTLSVerify")]
    insecure_skip_tls_verify: Option<bool>,
    no_connection_reuse: Option<bool>,
    #[serde(flatten)]
    rest: Pairs<Value>,
}

pub(crate) fn read(path: &Path) -> Result<K6, PlanError> {
    let options: Options = read::k6_options(path)?;
    let mut k6 = K6::default();
    for (name, value) in options.rest.0 {
        if is_nothing(&value) {
            known(path, &name)?;
        } else {
            other(path, &name, &mut k6.notes)?;
        }
    }
    let file = &mut k6.file;
    file.thresholds = options.thresholds;
    file.tags = options.tags;
    if let Some(agent) = options.user_agent.filter(|agent| !agent.is_empty()) {
        let header = ("User-Agent".to_owned(), HeaderSource::Text(agent.into()));
        file.headers = Some(Pairs(vec![header]));
    }
    file.tls = options.insecure_skip_tls_verify.map(|skip| TlsSpec {
        insecure_skip_verify: Some(skip),
        ..TlsSpec::default()
    });
    file.connections = options.no_connection_reuse.map(|no_reuse| ConnectionsSpec {
        no_reuse: Some(no_reuse),
        ..ConnectionsSpec::default()
    });
    if let Some(written) = options.scenarios {
        scenarios(path, written, &mut k6)?;
    }
    Ok(k6)
}

/// `null`, and what `k6 inspect` prints for "not given".
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(members) => members.values().all(is_nothing),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Number(_) | Value::Bool(true) => false,
    }
}

fn other(path: &Path, name: &str, notes: &mut Vec<String>) -> Result<(), PlanError> {
    if let Some((_, why)) = REFUSED.iter().find(|(known, _)| *known == name) {
        return Err(PlanError::Syntax {
            whereabouts: format!("{}: {name}", path.display()),
            message: format!("k6's option `{name}` is not supported: {why}"),
        });
    }
    if let Some((_, why)) = NOTED.iter().find(|(known, _)| *known == name) {
        notes.push(format!("k6's option `{name}` has no meaning here: {why}"));
        return Ok(());
    }
    known(path, name)
}

/// Whether k6 has such an option.
fn known(path: &Path, name: &str) -> Result<(), PlanError> {
    let all = || {
        let refused = REFUSED.iter().map(|(name, _)| *name);
        let noted = NOTED.iter().map(|(name, _)| *name);
        USED.into_iter().chain(refused).chain(noted)
    };
    if all().any(|known| known == name) {
        return Ok(());
    }
    let help = match nearest(name, all()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "expected options such as `scenarios` and `thresholds`".to_owned(),
    };
    Err(PlanError::Syntax {
        whereabouts: path.display().to_string(),
        message: format!("k6 has no option `{name}`: {help}"),
    })
}

fn scenarios(path: &Path, written: Pairs<Value>, k6: &mut K6) -> Result<(), PlanError> {
    let mut scenarios = Vec::with_capacity(written.0.len());
    let (mut initial, mut max) = (0, Some(0_usize));
    for (name, value) in written.0 {
        let at = format!("scenarios.{name}");
        let refuse = |message: String| PlanError::Syntax {
            whereabouts: format!("{}: {at}", path.display()),
            message,
        };
        let ramping = match value.get("executor").and_then(Value::as_str) {
            Some("constant-arrival-rate") => false,
            Some("ramping-arrival-rate") => true,
            Some("externally-controlled") => return Err(refuse("the executor externally-controlled is not supported: the schedule is fixed before the run; use constant-arrival-rate or ramping-arrival-rate".to_owned())),
            Some(closed @ ("shared-iterations" | "per-vu-iterations" | "constant-vus" | "ramping-vus")) => {
                return Err(refuse(format!("the executor {closed} is not supported: {CLOSED}")));
            }
            Some(unknown) => {
                return Err(refuse(format!(
                    "k6 has no executor {unknown:?}: expected constant-arrival-rate or ramping-arrival-rate"
                )));
            }
            None => return Err(refuse("no `executor`: expected constant-arrival-rate or ramping-arrival-rate".to_owned())),
        };
        let scenario: Scenario = read::value(path, &at, value)?;
        let (allowed, forbidden) = if ramping {
            (
                "`stages` and `startRate`",
                scenario.rate.map(|_| "rate").or(scenario.duration.map(|_| "duration")),
            )
        } else {
            let stages = scenario.stages.as_ref().map(|_| "stages");
            (
                "`rate` and `duration`",
                stages.or(scenario.start_rate.map(|_| "startRate")),
            )
        };
        if let Some(forbidden) = forbidden {
            return Err(refuse(format!(
                "this executor has no `{forbidden}`: expected {allowed}"
            )));
        }
        initial += scenario.pre_allocated_vus.unwrap_or(0);
        max = max.zip(scenario.max_vus).map(|(max, more)| max + more);
        say(&name, &scenario, &mut k6.notes);
        if let Some(exec) = scenario.exec.clone() {
            k6.execs.push((name.clone(), exec));
        }
        scenarios.push((name, ours(scenario)));
    }
    if initial > 0 {
        let connections = k6.file.connections.get_or_insert_with(ConnectionsSpec::default);
        connections.initial = Some(initial);
        if let Some(max) = max {
            connections.max = Some(max.max(initial));
            k6.notes.push(
                "k6's `maxVUs` is the largest number of connections here: a request that finds none free waits, and its wait counts"
                    .to_owned(),
            );
        }
    }
    k6.file.scenarios = Some(Pairs(scenarios));
    Ok(())
}

fn say(name: &str, scenario: &Scenario, notes: &mut Vec<String>) {
    if scenario.graceful_stop.is_some() {
        notes.push(format!(
            "`gracefulStop` of the scenario {name} has no meaning here: requests that are under way at the end have until their --timeout"
        ));
    }
    if scenario.env.as_ref().is_some_and(|env| !env.0.is_empty()) {
        notes.push(format!(
            "`env` of the scenario {name} has no meaning here: there is no script"
        ));
    }
    if scenario.options.as_ref().is_some_and(|options| !is_nothing(options)) {
        notes.push(format!(
            "`options` of the scenario {name} has no meaning here: there is no browser"
        ));
    }
}

fn ours(scenario: Scenario) -> ScenarioSpec {
    let stages = scenario.stages.map(|stages| {
        let stages = stages.into_iter().map(|stage| StageSpec {
            duration: Span(stage.duration.0),
            target: stage.target,
        });
        stages.collect()
    });
    ScenarioSpec {
        rate: scenario.rate,
        duration: scenario.duration.map(|span| Span(span.0)),
        start_rate: scenario.start_rate,
        stages,
        time_unit: scenario.time_unit.map(|span| Span(span.0)),
        start: scenario.start_time.map(|span| Span(span.0)),
        requests: None,
        tags: scenario.tags,
    }
}
