//! `run`, `apply` and `erase`: everything that changes rows.

use crate::args::{ApplyArgs, EraseArgs, RunArgs};
use crate::job::carry_out::{self, Work};
use crate::job::close::{self, Did, Notary};
use crate::job::prepare::{self, Prepared, Question};
use crate::job::receipt_dir;
use crate::progress::Show;
use crate::setup::{self, PATIENCE};
use crate::summary::{Erasures, ReceiptRef, Summary};
use crate::{failure, keys, metrics, policy, push};
use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use pg_session::Session;
use retention_engine::{Engine, Options, Parts, RunContext, Throttle};
use retention_plan::document::parse_digest;
use retention_plan::preflight::Severity;
use retention_policy::LoadedPolicy;
use retention_proof::receipt::Unapplied;
use retention_store::erasure;
use retention_store::run::{self, NewRun, RunKind};
use runtime::Shutdown;
use runtime::exit::{Exit, Failure, ResultExt as _};
use std::time::{Duration, Instant};

/// How long after its moment a plan may be applied.
const PLAN_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// What is to be done.
#[derive(Debug, Clone)]
enum Order {
    /// The policy, unless a guard stands against it.
    Run,
    /// The policy as this plan showed it.
    Apply(String),
    /// These subjects.
    Erase(Vec<String>),
}

impl Order {
    fn kind(&self) -> RunKind {
        match self {
            Self::Erase(_) => RunKind::Erase,
            Self::Run | Self::Apply(_) => RunKind::Run,
        }
    }
}

/// Plan, apply, verify, receipt.
pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    setup::block_on(&args.report.log, |shutdown| carry_out(args, Order::Run, shutdown))
}

/// Does what a plan showed.
pub(crate) fn apply(args: &ApplyArgs) -> Result<Exit, Failure> {
    let order = Order::Apply(args.plan.clone());
    setup::block_on(&args.run.report.log, |shutdown| carry_out(&args.run, order, shutdown))
}

/// Erases subjects now.
pub(crate) fn erase(args: &EraseArgs) -> Result<Exit, Failure> {
    let mut subjects: Vec<String> = args.subject.iter().map(|key| key.expose().to_owned()).collect();
    if let Some(path) = setup::path(args.subjects_file.as_ref()) {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read --subjects-file {}", path.display()))
            .exit(Exit::Usage)?;
        subjects.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    subjects.sort();
    subjects.dedup();
    if subjects.is_empty() || subjects.iter().any(String::is_empty) {
        return Err(Failure::usage(
            "erase needs the key of at least one subject, and an empty key is none",
        ));
    }
    setup::block_on(&args.run.report.log, |shutdown| {
        carry_out(&args.run, Order::Erase(subjects), shutdown)
    })
}

/// Whatever the end is, it is pushed: a run that is refused every night must not look like one that did not begin.
async fn carry_out(args: &RunArgs, order: Order, shutdown: Shutdown) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let push = push::target(&args.report, order.kind().as_str())?;
    // It is large, and lives as long as the run.
    let mut open = None;
    let ended = Box::pin(whole(args, order, shutdown, begun, &mut open)).await;
    let (text, succeeded) = match &ended {
        Ok((_, summary)) => (metrics::text(summary, Timestamp::now()), metrics::succeeded(summary)),
        Err(failure) => (metrics::of_failure(failure.exit, begun.elapsed(), open), false),
    };
    push::send(push, text, succeeded).await;
    let (exit, summary) = ended?;
    runtime::output::either(args.report.output.output.resolve(), &summary, Summary::describe)
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(exit)
}

/// `open` becomes the number of open erasures where a guard refuses the run: they wait, and nobody else says so.
async fn whole(
    args: &RunArgs,
    order: Order,
    shutdown: Shutdown,
    begun: Instant,
    open: &mut Option<u64>,
) -> Result<(Exit, Summary), Failure> {
    let policy = policy::load(&args.policy)?;
    let signing = keys::signing(&args.keys)?;
    let statement_keys = keys::statements(&args.keys).await?;
    let ledger_place = keys::ledger_place(&args.keys).await?;
    if signing.is_none() {
        tracing::warn!("receipts of this run are not signed: RETENTION_SIGNING_KEY_FILE is not set");
    }
    let target = setup::target(&args.database).await?;
    let mut session_options =
        setup::session_options("retention-job", args.limits.lock_timeout, args.database.connect_retry);
    let session = target.connect(&session_options).await.map_err(failure::target)?;
    let catalog = prepare::catalog(&session, &policy).await?;
    prepare::writable(&catalog.server)?;
    let question = Question {
        as_of: moment(args, &order)?,
        explain: false,
        lint: matches!(order, Order::Erase(_)),
        strict: args.policy.strict,
    };
    // Everything that the policy alone can be wrong in is told before our own schema is made.
    let mut prepared = prepare::prepare(&session, catalog, &policy, &statement_keys, question).await?;
    let erasure = match (&order, &prepared.erasure) {
        (Order::Erase(_), None) => {
            return Err(Failure::usage(
                "the policy has no `erasure`: it does not say where subjects are and what becomes of their rows",
            ));
        }
        (_, erasure) => erasure.clone(),
    };
    let order = match (order, &erasure) {
        (Order::Erase(subjects), Some(erasure)) => Order::Erase(canonical(&session, erasure, &subjects).await?),
        (order, _) => order,
    };
    prepared
        .findings
        .extend(keys::ledger_warning(&args.keys, &session).await);
    for finding in prepared
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note)
    {
        tracing::warn!(code = finding.code, "{finding}");
    }
    if let Err(refused) = approve(&order, &mut prepared) {
        *open = waiting(&session, erasure.as_ref(), &prepared).await;
        return Err(refused);
    }
    // Also when the connection is lost and opened again.
    session_options.silent_parameters = prepared.silent_parameters;
    retention_store::ensure(&session).await.map_err(failure::init)?;
    let kind = order.kind();
    let new = NewRun {
        kind,
        as_of: prepared.as_of,
        policy_digest: &policy.digest,
        tool_version: env!("CARGO_PKG_VERSION"),
    };
    let run = run::begin(&session, &new, PATIENCE).await.map_err(failure::run)?;
    let notary = Notary {
        server: &prepared.catalog.server.clone(),
        policy: &policy,
        key: signing.as_ref(),
        fence: run.fence,
    };
    for killed in run::unfinished(&session, &run).await.map_err(failure::run)? {
        tracing::warn!(
            run_id = killed.run_id,
            "an earlier run was killed; its receipt is written from its audit rows"
        );
        notary.close_interrupted(&session, &killed).await?;
    }
    let position = erasure::ledger(&session)
        .await
        .map_err(failure::db("cannot read the ledger's position"))?;
    let mut ledger = keys::ledger(ledger_place, &session, position.as_ref()).await?;
    let (progress, watched) = tokio::sync::watch::channel(retention_engine::Progress::default());
    let show = Show::start(args.report.progress, watched);
    let parts = Parts {
        target,
        session_options,
        work: session,
        context: RunContext {
            run_id: run.run_id.clone(),
            fence: run.fence,
            policy_digest: policy.digest.clone(),
        },
        options: options(args, begun),
        holds: prepared.holds.clone(),
        progress,
        shutdown,
    };
    let mut engine = Engine::new(parts).await.map_err(failure::engine)?;
    let done = match (&order, &erasure) {
        (Order::Erase(subjects), Some(erasure)) => {
            carry_out::these(&mut engine, erasure, subjects, ledger.as_mut()).await
        }
        _ => carry_out::everything(&mut engine, &prepared, &policy, ledger.as_mut()).await,
    };
    show.end().await;
    let work = match done {
        Ok(work) => work,
        Err(mut failure) => {
            let session = engine.into_session();
            if let Err(error) = notary.close_failed(&session, &run.run_id).await {
                tracing::debug!(
                    "the next run writes the receipt: {}",
                    runtime::exit::chain(&error.error)
                );
            }
            // 2 says that nothing was touched, which nobody knows any more.
            if failure.exit == Exit::Usage {
                failure.exit = Exit::Dependency;
            }
            return Err(failure);
        }
    };
    let outcome = work.outcome();
    let session = engine.into_session();
    let did = Did {
        kind,
        outcome,
        rules: work.results.iter().chain(&work.erasures.results).cloned().collect(),
        erasures: &work.erasures.subjects,
        unapplied: unapplied(&policy),
    };
    let receipt = notary.close(&session, &run, &prepared, did).await?;
    let unfinished = unfinished(&session, erasure.as_ref(), &work).await;
    let held = kind == RunKind::Erase && work.erasures.subjects.held > 0;
    let mut exit = close::exit(outcome, held);
    if let Err(error) = copy(args, &session).await {
        tracing::error!("{}", runtime::exit::chain(&error.error));
        exit = error.exit;
    }
    let summary = summary(&run, kind, &policy, work, unfinished, receipt, outcome, exit, begun);
    Ok((exit, summary))
}

/// How many erasures are open now. The run is over, and keeps its result if that cannot be said.
async fn unfinished(
    session: &Session,
    erasure: Option<&retention_plan::resolve::ResolvedErasure>,
    work: &Work,
) -> Option<u64> {
    let report = &work.erasures;
    // Subjects that a restored backup brought back ask nowhere but in the ledger.
    let least = if report.from_ledger > 0 {
        report.subjects.held + report.subjects.left
    } else {
        0
    };
    match retention_plan::survey::unfinished(session, erasure).await {
        Ok(open) => Some(open.max(least)),
        Err(error) => {
            tracing::warn!("open erasures are not counted: {}", runtime::exit::chain_of(&error));
            None
        }
    }
}

/// How many erasures wait behind a guard. Without our schema, which only a run makes, there are no other requests than
/// those that the plan counted.
async fn waiting(
    session: &Session,
    erasure: Option<&retention_plan::resolve::ResolvedErasure>,
    prepared: &Prepared,
) -> Option<u64> {
    let counted = retention_plan::survey::unfinished(session, erasure).await;
    let planned = || Some(prepared.plan.as_ref()?.erasure.as_ref()?.open);
    counted.ok().or_else(planned)
}

/// Subjects' keys as PostgreSQL prints them. The message names no key.
async fn canonical(
    session: &Session,
    erasure: &retention_plan::resolve::ResolvedErasure,
    subjects: &[String],
) -> Result<Vec<String>, Failure> {
    retention_engine::canonical_keys(session, erasure, subjects)
        .await
        .map_err(|error| {
            let exit = failure::exit_of(error.kind);
            let error = anyhow::Error::new(error).context(format!(
                "a subject's key is no {}, which {}.{} is; nothing was touched",
                erasure.key.type_name,
                erasure.subject.shown(),
                erasure.key.name
            ));
            Failure::new(exit, error)
        })
}

/// A guard stops a run until somebody has looked at the plan; who has looked gives its digest, and gets exactly that plan.
fn approve(order: &Order, prepared: &mut Prepared) -> Result<(), Failure> {
    let Some(plan) = &prepared.plan else { return Ok(()) };
    match order {
        Order::Erase(_) => Ok(()),
        Order::Run if plan.guards.is_empty() => Ok(()),
        Order::Run => {
            let mut text = "refused, and nothing was touched".to_owned();
            for tripped in &plan.guards {
                text.push_str("\n  ");
                text.push_str(&tripped.message);
            }
            Err(Failure::new(Exit::Negative, anyhow::Error::msg(text)))
        }
        Order::Apply(digest) if plan.digest == *digest => {
            for task in &mut prepared.tasks {
                // No more than was looked at, whatever came in between.
                let most = plan.ceiling(&task.rule);
                task.max_rows = match (task.max_rows, most) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            prepared.subjects_allowed = plan.erasure.as_ref().map(|erasure| erasure.at_most);
            Ok(())
        }
        Order::Apply(digest) => Err(Failure::new(
            Exit::Negative,
            anyhow::anyhow!(
                "the plan {digest} is not what would be done now (that is {}): rows, policy or tables have changed since; \
                 look at `retention-job plan` again. Nothing was touched",
                plan.digest
            ),
        )),
    }
}

/// The moment of the plan that is to be applied; a plan is good for a day.
fn moment(args: &RunArgs, order: &Order) -> Result<Option<Timestamp>, Failure> {
    let Order::Apply(digest) = order else {
        return Ok(args.policy.as_of);
    };
    if args.policy.as_of.is_some() {
        return Err(Failure::usage(
            "--as-of and --plan exclude each other: the plan has its moment",
        ));
    }
    let as_of = parse_digest(digest).context("--plan").exit(Exit::Usage)?;
    if Timestamp::now().duration_since(as_of) > PLAN_LIFETIME {
        return Err(Failure::new(
            Exit::Negative,
            anyhow::anyhow!("the plan is of {as_of}, more than a day old; look at `retention-job plan` again"),
        ));
    }
    Ok(Some(as_of))
}

async fn copy(args: &RunArgs, session: &Session) -> Result<(), Failure> {
    if let Some(folder) = setup::path(args.keys.receipt_dir.as_ref()) {
        receipt_dir::fill(session, &folder).await?;
    }
    Ok(())
}

fn options(args: &RunArgs, begun: Instant) -> Options {
    let limits = &args.limits;
    let unlimited = |limit: Duration| if limit.is_zero() { Duration::MAX } else { limit };
    Options {
        batch_target: limits.batch_target,
        lock_timeout: limits.lock_timeout,
        max_rows: limits.max_rows,
        deadline: limits.max_duration.map(|longest| begun + longest),
        throttle: Throttle {
            max_lag: unlimited(limits.max_replica_lag),
            max_lag_bytes: match limits.max_replica_lag_mib {
                0 => u64::MAX,
                mib => mib.saturating_mul(1 << 20),
            },
            max_active: limits.max_active_sessions,
            watch_slots: limits.max_replica_lag_mib > 0,
            nice_ratio: limits.nice_ratio,
            patience: unlimited(limits.max_pause),
        },
        ..Options::default()
    }
}

fn unapplied(policy: &LoadedPolicy) -> Vec<Unapplied> {
    let labels = !policy.policy.legal_hold_labels.is_empty();
    if labels && policy.policy.rules.iter().all(|rule| rule.labels_column.is_none()) {
        return vec![Unapplied {
            what: "legal_hold_labels".to_owned(),
            why: "no rule has a labels_column".to_owned(),
        }];
    }
    Vec::new()
}

#[expect(clippy::too_many_arguments, reason = "it only puts them side by side")]
fn summary(
    run: &retention_store::Run,
    kind: RunKind,
    policy: &LoadedPolicy,
    work: Work,
    unfinished: Option<u64>,
    receipt: ReceiptRef,
    outcome: retention_proof::Outcome,
    exit: Exit,
    begun: Instant,
) -> Summary {
    let subjects = &work.erasures.subjects;
    let erasures = Erasures {
        subjects: subjects.asked,
        completed: subjects.completed,
        open: subjects.held + subjects.left,
        unfinished,
        from_ledger: work.erasures.from_ledger,
    };
    Summary {
        tool: env!("CARGO_PKG_NAME"),
        run_id: run.run_id.clone(),
        kind: kind.as_str(),
        outcome,
        exit_code: exit.code(),
        as_of: run.as_of,
        policy_digest: policy.digest.clone(),
        rules: work.results.into_iter().chain(work.erasures.results).collect(),
        erasures,
        receipt: Some(receipt),
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
