//! A load run from its plan to its judged result.
//!
//! ```text
//! load_engine (threads) --samples, every 0.1 s--> Tally --> judge --> ResultDoc
//!                                             \--> --samples file, progress, early stop
//! ```

mod environment;
mod spec;
mod watch;

use crate::samples::SampleFile;
use anyhow::Context;
use load_engine::{Finished, Running, SetupError, Usage};
use load_plan::Plan;
use load_report::{ResultDoc, SCHEMA, Tool, render::Progress};
use load_verdict::{Judgement, Sample, judge::Stop, tally::Tally};
use runtime::{
    Shutdown,
    exit::{Exit, Failure, ResultExt},
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use watch::Watch;

/// How often samples are taken from the sending threads.
const TICK: Duration = Duration::from_millis(100);
/// How often it is asked whether the run may end before its time.
const ASK: Duration = Duration::from_millis(500);
/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);
/// While the target is waited for.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// A request that was taken up later than this was not sent in time.
const IN_TIME_NS: u64 = 1_000_000_000;
/// A generator's lateness is little against a limit when it is below this part of it.
const LITTLE: f64 = 0.05;

/// What is to be measured.
pub(crate) struct Order {
    pub(crate) plan: Arc<Plan>,
    /// Where every request is written.
    pub(crate) samples: Option<PathBuf>,
    /// How long the target may take to be reachable.
    pub(crate) wait_ready: Duration,
}

/// Carries the plan out and judges it. `tell` is called about once a second.
///
/// # Errors
/// What is asked for cannot be done (exit 2), or the system does not give what it takes (exit 4). A target that does not
/// answer is no error: it is a result.
pub(crate) async fn measure(
    order: Order,
    shutdown: &Shutdown,
    mut tell: impl FnMut(&Progress),
) -> Result<ResultDoc, Failure> {
    let plan = order.plan;
    let mut file = match &order.samples {
        Some(path) => Some(SampleFile::create(path, &plan).exit(Exit::Usage)?),
        None => None,
    };
    let mut tally = Tally::new(Arc::new(spec::of(&plan)));
    let mut watch = Watch::new(&plan);
    let started = start(&plan, order.wait_ready, shutdown).await?;
    let started_at = clock();
    let (over, stop) = match started {
        Started::Running(running) => {
            let (over, stop) = follow(running, &plan, &mut tally, &mut watch, &mut file, shutdown, &mut tell).await?;
            if stop.is_some() {
                tally.set_elapsed(over.sent.saturating_sub(plan.schedule.warm_up()));
            }
            (over, stop)
        }
        Started::Not(stop) => (Over::default(), Some(stop)),
    };
    if let Some(file) = file {
        file.finish().exit(Exit::Dependency)?;
    }
    let partial = matches!(stop, Some(Stop::Interrupted));
    let run = Run {
        judgement: watch.judge(&tally, &over.usage, stop, partial),
        started_at,
        finished_at: clock(),
        partial,
        threads: over.threads,
    };
    for (outcome, cause) in &over.causes {
        tracing::warn!(outcome = outcome.as_str(), "first of its kind: {cause}");
    }
    let doc = document(run, &tally, &plan)?;
    warn_of_redirects(&doc);
    Ok(doc)
}

/// They count as answers, as in k6, and are not followed: a service that sends everybody to a login page must not look
/// healthy without a word.
fn warn_of_redirects(doc: &ResultDoc) {
    let redirects: u64 = doc.summary.statuses.range(300..400).map(|(_, count)| count).sum();
    if redirects > 0 {
        tracing::warn!(
            redirects,
            "responses were redirects, which are not followed and count as answers; a check such as --check status==200 makes \
             them failures"
        );
    }
}

/// The time of day; the only place of a run where it is read.
fn clock() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

enum Started {
    Running(Running),
    /// Nothing was sent: the target cannot be reached, or a signal came while it was waited for.
    Not(Stop),
}

/// Starts the engine, waiting for the target as long as the user allows.
async fn start(plan: &Arc<Plan>, wait_ready: Duration, shutdown: &Shutdown) -> Result<Started, Failure> {
    let deadline = Instant::now() + wait_ready;
    loop {
        let plan = Arc::clone(plan);
        let result = tokio::task::spawn_blocking(move || load_engine::start(&plan))
            .await
            .context("the load generator did not start")
            .exit(Exit::Dependency)?;
        let error = match result {
            Ok(running) => return Ok(Started::Running(running)),
            Err(error) => error,
        };
        match error {
            SetupError::Unreachable { ref source, .. } => {
                let cause = runtime::exit::chain_of(source);
                if shutdown.is_draining() {
                    return Ok(Started::Not(Stop::Interrupted));
                }
                if Instant::now() >= deadline {
                    return Ok(Started::Not(Stop::NoSuccess { cause }));
                }
                tracing::info!(cause, "the target cannot be reached yet");
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN) => {}
                    () = shutdown.recv() => {}
                }
            }
            SetupError::Tls(_) | SetupError::Plan(_) => return Err(Failure::new(Exit::Usage, error)),
            SetupError::System(_) => return Err(Failure::new(Exit::Dependency, error)),
        }
    }
}

/// What is left of a run when it is over.
#[derive(Default)]
struct Over {
    usage: Usage,
    causes: std::collections::BTreeMap<load_verdict::Outcome, String>,
    /// Time from the start of the schedule to when sending ended.
    sent: Duration,
    threads: usize,
}

/// Takes samples until the run is over, and ends it early when that is asked for or right.
async fn follow(
    running: Running,
    plan: &Plan,
    tally: &mut Tally,
    watch: &mut Watch,
    file: &mut Option<SampleFile>,
    shutdown: &Shutdown,
    tell: &mut impl FnMut(&Progress),
) -> Result<(Over, Option<Stop>), Failure> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut stop = None;
    let mut sent = None;
    let mut asked = Instant::now();
    let mut told = Instant::now();
    let threads = running.threads();
    let mut crowded = false;
    while !running.is_finished() {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = shutdown.recv(), if stop.is_none() => {
                stop = Some(Stop::Interrupted);
            }
        }
        running.take(&mut samples);
        watch.record(&mut samples, tally, file).exit(Exit::Dependency)?;
        let gauges = running.gauges();
        tally.connection_gauge(usize::try_from(gauges.connections).unwrap_or(usize::MAX));
        let most = plan.connections.max as u64;
        if !crowded && gauges.waiting > 0 && gauges.connections >= most {
            crowded = true;
            tracing::warn!(
                "requests wait because all {most} connections that are allowed are in use, and their wait counts; raise \
                 --max-connections if the service takes more"
            );
        }
        if stop.is_none() && plan.connections.fail_fast {
            stop = running.hopeless().map(|(_, cause)| Stop::NoSuccess { cause });
        }
        if stop.is_none() && asked.elapsed() >= ASK {
            asked = Instant::now();
            stop = watch.early_stop(tally, running.elapsed(), gauges.in_flight);
        }
        if stop.is_some() && sent.is_none() {
            sent = Some(running.elapsed());
            running.stop();
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            tell(&watch.progress(tally, running.elapsed(), &gauges));
        }
    }
    let elapsed = running.elapsed();
    let (finished, rest) = tokio::task::spawn_blocking(move || {
        let finished = running.join(&mut samples);
        (finished, samples)
    })
    .await
    .context("the load generator broke down")
    .exit(Exit::Dependency)?;
    let Finished { usage, causes, .. } = finished
        .context("the load generator lost its timer")
        .exit(Exit::Dependency)?;
    let mut rest = rest;
    watch.record(&mut rest, tally, file).exit(Exit::Dependency)?;
    Ok((
        Over {
            usage,
            causes,
            sent: sent.unwrap_or(elapsed),
            threads,
        },
        stop,
    ))
}

struct Run {
    judgement: Judgement,
    started_at: jiff::Timestamp,
    finished_at: jiff::Timestamp,
    partial: bool,
    threads: usize,
}

fn document(run: Run, tally: &Tally, plan: &Plan) -> Result<ResultDoc, Failure> {
    let dump = tally
        .dump()
        .context("cannot write the histograms down")
        .exit(Exit::Dependency)?;
    let info = runtime::build_info!();
    Ok(ResultDoc {
        schema: SCHEMA.to_owned(),
        tool: Tool {
            name: info.name.to_owned(),
            version: info.version.to_owned(),
        },
        subject: plan.subject(),
        started_at: run.started_at,
        finished_at: run.finished_at,
        config: plan.redacted(),
        environment: environment::gather(run.threads),
        exit_code: crate::exit_code::native(run.judgement.verdict),
        judgement: run.judgement,
        summary: tally.summary(plan.judging.confidence),
        tally: serde_json::to_value(dump)
            .context("cannot write the histograms down")
            .exit(Exit::Dependency)?,
        partial: run.partial,
    })
}
