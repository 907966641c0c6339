//! Load: a healthy service passes; a slow one, one that answers errors with 200, and one that is not there do not.

use anyhow::{Context as _, Result, ensure};
use mc_sim::{Fault, Sim};
use serde_json::Value;

use super::{seconds, start, tell};
use crate::gate::{self, Ended};
use crate::ledger::Promise;
use crate::ports::Port;
use crate::stage::{Kept, Stage};
use crate::text::plural;

const PASSED: Promise = Promise {
    id: "gate_passed",
    text: "A healthy service passes",
};
const STOPPED: Promise = Promise {
    id: "gate_slow_stopped",
    text: "A slow one fails, as soon as that is certain",
};
const ERRORS: Promise = Promise {
    id: "gate_hidden_errors_failed",
    text: "Errors that come with status 200 fail it",
};
const NOBODY: Promise = Promise {
    id: "gate_nobody_failed",
    text: "A service that is not there fails at once",
};
const TOO_FEW: Promise = Promise {
    id: "gate_too_few_refused",
    text: "A question that so few requests cannot answer is refused",
};

pub(super) const PROMISES: &[Promise] = &[PASSED, STOPPED, ERRORS, NOBODY, TOO_FEW];

/// The run of the README, in short: 400 requests instead of 15,000.
const RATE: &str = "100";
const DURATION: &str = "4s";
const PLANNED: u64 = 400;
/// Words of the command up to the address.
const ADDRESS: usize = 3;
/// How often a run is made again when something else on this machine disturbed it, and it says so.
const TRIES: usize = 3;

pub(super) async fn play(stage: &mut Stage) -> Result<()> {
    stage.act(
        "Load, sent on time and judged",
        "The run that many know from k6, only shorter: so many requests a second, however slow the answers are; 95 of 100 \
         within 350 ms, 99 of 100 checks passed.",
        PROMISES,
    );
    let service = start()?;
    healthy(stage, &service).await?;
    slow(stage, &service).await?;
    hidden_errors(stage, &service).await?;
    drop(service);
    nobody(stage).await?;
    too_few(stage).await
}

/// How much of the command line is told.
#[derive(Clone, Copy)]
enum Told {
    Whole,
    AsBefore,
}

/// Runs the gate against a service. A run that cannot be trusted says INVALID and is made again, as a person would.
/// Only the first command line is told whole.
async fn attempt(stage: &mut Stage, url: &str, told: Told) -> Result<(Ended, Value)> {
    let file = stage.folder().join("result.json");
    let path = file.to_string_lossy().into_owned();
    let args = [
        "run",
        "--url",
        url,
        "--graphql",
        "{ __typename }",
        "--rate",
        RATE,
        "--duration",
        DURATION,
        "--threshold",
        "http_req_duration=p(95)<350",
        "--threshold",
        "checks=rate>0.99",
        "--check",
        "status==200",
    ];
    let mut tries = 0;
    loop {
        tries += 1;
        let (shown, as_before) = args.split_at(match told {
            Told::Whole => args.len(),
            Told::AsBefore => ADDRESS,
        });
        let ended = gate::run(stage, shown, as_before, &["--result", &path]).await?;
        if ended.said["verdict"] == "INVALID" && tries < TRIES {
            tell(stage, &ended, &[]);
            stage.tell.step("It says that this run cannot be trusted. Again:");
            continue;
        }
        ensure!(
            ended.said.is_object(),
            "expected a result, found exit code {} and the error: {}",
            ended.code,
            ended.error.as_deref().unwrap_or("none")
        );
        let text = std::fs::read(&file).with_context(|| format!("reading {path}"))?;
        return Ok((
            ended,
            serde_json::from_slice(&text).with_context(|| format!("reading {path}"))?,
        ));
    }
}

async fn healthy(stage: &mut Stage, service: &Sim) -> Result<()> {
    stage.tell.step("A healthy service");
    let (ended, result) = attempt(stage, &service.graphql_url(), Told::Whole).await?;
    let received = service.requests().len() as u64;
    tell(
        stage,
        &ended,
        &[
            (
                "requests",
                format!("{} due, {} arrived at the service", ended.said["scheduled"], received),
            ),
            ("p95", milliseconds(&ended.said["p95_ms"])),
            (
                "sent late",
                format!(
                    "{} (median)",
                    milliseconds(&result["judgement"]["validity"]["lag_p50_ms"])
                ),
            ),
        ],
    );
    ended.expect(0, "PASS")?;
    ensure!(
        ended.said["scheduled"] == PLANNED && received >= PLANNED,
        "expected {PLANNED} requests, found {} due and {received} at the service",
        ended.said["scheduled"]
    );
    ensure!(
        ended.said["failed"] == 0,
        "expected no failed request, found {}",
        ended.said["failed"]
    );
    stage.kept(PASSED, Kept::after(ended.took, "400 requests"));
    stage.tell.gap();
    Ok(())
}

/// `1.2 ms`.
fn milliseconds(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "infinite".to_owned(), |ms| format!("{ms:.2} ms"))
}

async fn slow(stage: &mut Stage, service: &Sim) -> Result<()> {
    stage.tell.step("Now it takes 600 ms for each answer");
    service.set_fault(Fault::Latency { ms: 600 });
    let (ended, result) = attempt(stage, &service.graphql_url(), Told::AsBefore).await?;
    service.clear_faults();
    tell(
        stage,
        &ended,
        &[("ended after", format!("{} of 4 s", seconds(ended.took)))],
    );
    ended.expect(1, "FAIL")?;
    let (stop, completed) = (&result["judgement"]["stop"]["kind"], &result["judgement"]["completed"]);
    ensure!(
        stop == "decided" && completed.as_f64().is_some_and(|completed| completed < 0.9),
        "expected it to stop before the end because the verdict was certain, found stop {stop} after {completed} of the run"
    );
    stage.kept(STOPPED, Kept::after(ended.took, "the rest could not change it"));
    stage.tell.gap();
    Ok(())
}

async fn hidden_errors(stage: &mut Stage, service: &Sim) -> Result<()> {
    stage
        .tell
        .step("Fast again, but every answer is a GraphQL error, with status 200. A check of the status sees nothing");
    service.set_fault(Fault::GraphqlErrors {
        message: None,
        code: None,
        with_data: false,
    });
    let (ended, result) = attempt(stage, &service.graphql_url(), Told::AsBefore).await?;
    service.clear_faults();
    let statuses = &result["summary"]["statuses"];
    let (all, good) = (
        statuses.as_object().map_or(0, serde_json::Map::len),
        statuses["200"].as_u64().unwrap_or_default(),
    );
    let answers = plural(usize::try_from(good).unwrap_or_default(), "answer");
    tell(stage, &ended, &[("answered", format!("{answers} with status 200"))]);
    ended.expect(1, "FAIL")?;
    ensure!(
        all == 1 && good > 0,
        "expected answers with status 200 only, found {statuses}"
    );
    stage.kept(ERRORS, Kept::after(ended.took, format!("{answers} with 200")));
    stage.tell.gap();
    Ok(())
}

async fn nobody(stage: &mut Stage) -> Result<()> {
    stage.tell.step("Nobody listens at the address");
    let port = Port::free()?;
    let (ended, result) = attempt(stage, &format!("{}/graphql", port.url()), Told::AsBefore).await?;
    tell(stage, &ended, &[]);
    ended.expect(1, "FAIL")?;
    let stop = &result["judgement"]["stop"]["kind"];
    ensure!(
        stop == "no_success",
        "expected it to stop because nothing can succeed, found {stop}"
    );
    stage.kept(NOBODY, Kept::after(ended.took, ""));
    stage.tell.gap();
    Ok(())
}

async fn too_few(stage: &mut Stage) -> Result<()> {
    stage
        .tell
        .step("And a question that the run could not answer: p(99) of 100 requests");
    let port = Port::free()?;
    let args = [
        "run",
        "--url",
        &port.url(),
        "--rate",
        "50",
        "--duration",
        "2s",
        "--threshold",
        "http_req_duration=p(99)<350",
    ];
    let ended = gate::run(stage, &args, &[], &[]).await?;
    let error = ended.error.clone().unwrap_or_default();
    stage.tell.facts(&[("exit code", ended.code.to_string())]);
    stage.tell.aside(&error);
    stage.tell.gap();
    ensure!(
        ended.code == 2 && error.contains("299"),
        "expected exit code 2 and the number of requests that are needed (299), found {}: {error}",
        ended.code
    );
    stage.kept(TOO_FEW, Kept::after(ended.took, "before anything is sent"));
    Ok(())
}
