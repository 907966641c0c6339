//! Owns what is known before a row is touched: the catalog, the tasks, the counts, how each leaf is taken.

use super::subjects;
use crate::failure;
use jiff::Timestamp;
use pg_session::Session;
use retention_plan::Task;
use retention_plan::catalog::{self, Catalog, ReadError, Server};
use retention_plan::document::{ErasurePlan, Parts, Plan, whole_seconds};
use retention_plan::guards::{self, Clocks, GuardFacts};
use retention_plan::holds::HoldRules;
use retention_plan::preflight::{self, Finding, Preflight, Severity, Subject};
use retention_plan::resolve::{self, Keys, ResolveError, ResolvedErasure};
use retention_plan::strategy::{self, LeafChoice};
use retention_plan::survey::{self, SurveyError, TaskSurvey};
use retention_policy::LoadedPolicy;
use retention_store::{Layout, hold, progress};
use runtime::exit::{Exit, Failure};
use std::time::Duration;

/// What is asked of the preparation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    /// Ages count from here; `None`: now, by the database's clock.
    pub(crate) as_of: Option<Timestamp>,
    /// For people: cascades.
    pub(crate) explain: bool,
    /// Only the catalog and the policy: nothing is counted.
    pub(crate) lint: bool,
    /// Columns that nobody classified refuse the run.
    pub(crate) strict: bool,
}

/// Everything that is known before a row is touched.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) catalog: Catalog,
    pub(crate) as_of: Timestamp,
    pub(crate) tasks: Vec<Task>,
    pub(crate) surveys: Vec<TaskSurvey>,
    pub(crate) erasure: Option<ResolvedErasure>,
    pub(crate) holds: HoldRules,
    pub(crate) findings: Vec<Finding>,
    pub(crate) notes: Vec<String>,
    /// Sessions that send the HMAC key or keys of subjects must keep them out of the server's log.
    pub(crate) silent_parameters: bool,
    /// `None`: nothing was counted.
    pub(crate) plan: Option<Plan>,
    /// Who has looked at the plan allows so many subjects to be erased; `None`: as many as the guards do.
    pub(crate) subjects_allowed: Option<u64>,
}

/// Reads the catalog as far as the policy goes.
///
/// # Errors
/// The server is too old, or cannot be asked.
pub(crate) async fn catalog(session: &Session, policy: &LoadedPolicy) -> Result<Catalog, Failure> {
    let names = resolve::table_names(&policy.policy);
    catalog::read(session, &names, Timestamp::now())
        .await
        .map_err(|error| match error {
            ReadError::TooOld { .. } => Failure::new(Exit::Usage, error),
            ReadError::Db(error) => failure::db("cannot read the catalog")(error),
        })
}

/// Refuses a server that cannot be written to.
///
/// # Errors
/// A standby, or a session that may only read.
pub(crate) fn writable(server: &Server) -> Result<(), Failure> {
    if server.in_recovery {
        return Err(Failure::usage(
            "the server is a standby: it can only be read; point DATABASE_URL at the primary",
        ));
    }
    if server.read_only {
        return Err(Failure::usage(
            "sessions of this role or database are read-only (default_transaction_read_only); rows cannot be deleted",
        ));
    }
    Ok(())
}

/// Holds the policy against the catalog, counts, and chooses how each leaf is taken.
///
/// # Errors
/// The policy does not fit the database (all mistakes at once), or the database cannot be asked.
pub(crate) async fn prepare(
    session: &Session,
    catalog: Catalog,
    policy: &LoadedPolicy,
    keys: &Keys,
    question: Question,
) -> Result<Prepared, Failure> {
    let as_of = match question.as_of {
        // A digest keeps seconds, and the plan of a digest must be this one.
        None => whole_seconds(catalog.server.now),
        Some(as_of) => {
            retention_policy::check_as_of(as_of, catalog.server.now).map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    anyhow::Error::new(error).context("--as-of (RETENTION_AS_OF)"),
                )
            })?;
            as_of
        }
    };
    let resolved = resolve::resolve(&policy.policy, &catalog, as_of, keys).map_err(|errors| misfit(&errors))?;
    let wrong = resolve::check_values(session, &resolved.probes)
        .await
        .map_err(failure::db("cannot try the policy's values"))?;
    if !wrong.is_empty() {
        return Err(misfit(&wrong));
    }
    let holds = HoldRules::new(&catalog, &policy.policy);
    let known = Known::read(session).await?;
    let preflight = examine(
        session,
        &catalog,
        policy,
        &resolved.tasks,
        &holds,
        &known,
        question.strict,
    )
    .await?;
    let mut erasure = resolved.erasure;
    if let Some(erasure) = &mut erasure {
        erasure.choose_strategies(&catalog, &policy.policy);
    }
    let mut prepared = Prepared {
        as_of,
        tasks: resolved.tasks,
        surveys: Vec::new(),
        erasure,
        holds,
        findings: Vec::new(),
        notes: Vec::new(),
        silent_parameters: preflight.silence_parameters,
        plan: None,
        subjects_allowed: None,
        catalog,
    };
    if !question.lint {
        count(
            session,
            policy,
            question,
            &known,
            &preflight,
            &resolved.notes,
            &mut prepared,
        )
        .await?;
    }
    prepared.findings = preflight.findings;
    prepared.notes = resolved.notes;
    Ok(prepared)
}

/// What our own tables know already; nothing, where they are not made yet.
struct Known {
    active: hold::Structure,
    cutoffs: Vec<progress::LastCutoff>,
}

impl Known {
    async fn read(session: &Session) -> Result<Self, Failure> {
        let ready = retention_store::inspect(session).await.map_err(failure::init)? == Layout::Ready;
        if !ready {
            return Ok(Self {
                active: hold::Structure::default(),
                cutoffs: Vec::new(),
            });
        }
        Ok(Self {
            active: hold::structure(session)
                .await
                .map_err(failure::db("cannot read the holds"))?,
            cutoffs: progress::cutoffs(session)
                .await
                .map_err(failure::db("cannot read the last cutoffs"))?,
        })
    }
}

/// Preflight: what refuses the run is told all at once; the rest is logged.
async fn examine(
    session: &Session,
    catalog: &Catalog,
    policy: &LoadedPolicy,
    tasks: &[Task],
    holds: &HoldRules,
    known: &Known,
    strict: bool,
) -> Result<Preflight, Failure> {
    let facts = preflight::gather(session, catalog, holds)
        .await
        .map_err(failure::db("cannot look at the server's state"))?;
    let subject = Subject {
        catalog,
        policy: &policy.policy,
        tasks,
        holds,
        active: &known.active,
        strict,
    };
    let mut preflight = preflight::judge(&subject, &facts);
    for finding in &mut preflight.findings {
        // Who is going to write has asked `writable` before; others may plan on a standby, to spare the primary.
        if matches!(finding.code, "standby" | "read-only") {
            finding.severity = Severity::Warning;
        }
    }
    let refused: Vec<String> = preflight.refused().map(ToString::to_string).collect();
    if !refused.is_empty() {
        return Err(Failure::usage(format!(
            "preflight refuses the run; nothing was touched\n  {}",
            refused.join("\n  ")
        )));
    }
    if preflight.silence_parameters {
        session
            .batch("SET log_parameter_max_length = 0")
            .await
            .map_err(failure::db(
                "cannot keep keys out of the server's log (log_parameter_max_length)",
            ))?;
    }
    Ok(preflight)
}

async fn count(
    session: &Session,
    policy: &LoadedPolicy,
    question: Question,
    known: &Known,
    preflight: &Preflight,
    notes: &[String],
    prepared: &mut Prepared,
) -> Result<(), Failure> {
    let context = survey::Context {
        session,
        catalog: &prepared.catalog,
        policy: &policy.policy,
        holds: &prepared.holds,
        active: &known.active,
        options: survey::Options {
            timeout: Duration::ZERO,
            cascades: question.explain,
        },
    };
    prepared.surveys = survey::survey(&context, &prepared.tasks).await.map_err(counting)?;
    let choices: Vec<Vec<LeafChoice>> = prepared
        .tasks
        .iter_mut()
        .zip(&prepared.surveys)
        .map(|(task, survey)| strategy::apply(&prepared.catalog, &policy.policy, task, survey, preflight.old_snapshot))
        .collect();
    let mut facts: Vec<GuardFacts> = prepared
        .tasks
        .iter()
        .zip(&prepared.surveys)
        .map(|(task, survey)| GuardFacts {
            of: guards::Counted::Rows,
            rule: task.rule.clone(),
            table: task.table.shown(),
            due: survey.todo,
            total: survey.total,
            cutoff: task.cutoff,
            last: known
                .cutoffs
                .iter()
                .find(|last| last.rule == task.rule && last.table_name == task.table.shown())
                .map(|last| guards::LastCutoff {
                    cutoff: last.cutoff,
                    as_of: last.as_of,
                }),
            max_fraction: policy
                .policy
                .rules
                .iter()
                .find(|rule| rule.name == task.rule)
                .and_then(|rule| rule.max_fraction),
        })
        .collect();
    let asking = match &prepared.erasure {
        Some(erasure) => survey::subjects(session, &prepared.holds, &known.active, erasure)
            .await
            .map_err(counting)?
            .map(|counted| (erasure, counted)),
        None => None,
    };
    facts.extend(subjects::facts(policy, asking));
    let erasure = asking.map(|(erasure, counted)| ErasurePlan::new(erasure, counted));
    let clocks = Clocks {
        database: prepared.catalog.server.now,
        ours: prepared.catalog.server.our_now,
    };
    let tripped = guards::check(&policy.policy.guards, prepared.as_of, clocks, &facts);
    let mut plan = Plan::new(&Parts {
        catalog: &prepared.catalog,
        as_of: prepared.as_of,
        policy_digest: &policy.digest,
        tasks: &prepared.tasks,
        surveys: &prepared.surveys,
        choices: &choices,
        erasure: erasure.as_ref(),
        tripped: &tripped,
        preflight,
        notes,
    });
    if question.explain {
        plan.explain(&context, &prepared.tasks).await.map_err(counting)?;
    }
    prepared.plan = Some(plan);
    Ok(())
}

fn counting(error: SurveyError) -> Failure {
    let exit = match &error {
        SurveyError::Db { source, .. } => failure::exit_of(source.kind),
        SurveyError::Hold { .. } => Exit::Negative,
        SurveyError::Timeout { .. } => Exit::Dependency,
    };
    Failure::new(exit, error)
}

fn misfit(errors: &[ResolveError]) -> Failure {
    let mut text = format!(
        "the policy does not fit the database; nothing was touched ({} {})",
        errors.len(),
        if errors.len() == 1 { "mistake" } else { "mistakes" }
    );
    for error in errors {
        text.push_str("\n  ");
        text.push_str(&error.to_string());
    }
    Failure::usage(text)
}
