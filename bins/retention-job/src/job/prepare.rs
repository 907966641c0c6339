//! Owns what is known before a row is touched: the catalog, the tasks, the counts, how each leaf is taken.

use crate::failure;
use jiff::Timestamp;
use pg_session::Session;
use retention_plan::catalog::{self, Catalog, ReadError, Server};
use retention_plan::guards::{self, Clocks, GuardFacts, Tripped};
use retention_plan::holds::HoldRules;
use retention_plan::resolve::{self, Keys, ResolveError, ResolvedErasure};
use retention_plan::strategy::{LeafFacts, Wanted, choose};
use retention_plan::survey::{self, SurveyError, TaskSurvey};
use retention_plan::{Task, model::Leaf};
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
    pub(crate) notes: Vec<String>,
    pub(crate) tripped: Vec<Tripped>,
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
        None => catalog.server.now,
        Some(as_of) => {
            retention_policy::check_as_of(as_of, catalog.server.now)
                .map_err(|error| Failure::new(Exit::Usage, anyhow::Error::new(error).context("--as-of (RETENTION_AS_OF)")))?;
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
    let mut prepared = Prepared {
        as_of,
        tasks: resolved.tasks,
        surveys: Vec::new(),
        erasure: resolved.erasure,
        holds,
        notes: resolved.notes,
        tripped: Vec::new(),
        catalog,
    };
    if !question.lint {
        count(session, policy, question, &mut prepared).await?;
    }
    Ok(prepared)
}

async fn count(
    session: &Session,
    policy: &LoadedPolicy,
    question: Question,
    prepared: &mut Prepared,
) -> Result<(), Failure> {
    let ready = retention_store::inspect(session).await.map_err(failure::init)? == Layout::Ready;
    let (active, cutoffs) = if ready {
        let active = hold::structure(session).await.map_err(failure::db("cannot read the holds"))?;
        let cutoffs = progress::cutoffs(session).await.map_err(failure::db("cannot read the last cutoffs"))?;
        (active, cutoffs)
    } else {
        (hold::Structure::default(), Vec::new())
    };
    let context = survey::Context {
        session,
        catalog: &prepared.catalog,
        policy: &policy.policy,
        holds: &prepared.holds,
        active: &active,
        options: survey::Options {
            timeout: Duration::ZERO,
            cascades: question.explain,
        },
    };
    prepared.surveys = survey::survey(&context, &prepared.tasks).await.map_err(|error| {
        let exit = match &error {
            SurveyError::Db { source, .. } => failure::exit_of(source.kind),
            SurveyError::Hold { .. } => Exit::Negative,
            SurveyError::Timeout { .. } => Exit::Dependency,
        };
        Failure::new(exit, error)
    })?;
    for (task, survey) in prepared.tasks.iter_mut().zip(&prepared.surveys) {
        strategies(&prepared.catalog, policy, task, survey);
    }
    let facts: Vec<GuardFacts> = prepared
        .tasks
        .iter()
        .zip(&prepared.surveys)
        .map(|(task, survey)| GuardFacts {
            rule: task.rule.clone(),
            table: task.table.shown(),
            due: survey.todo,
            total: survey.total,
            cutoff: task.cutoff,
            last: cutoffs
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
    let clocks = Clocks {
        database: prepared.catalog.server.now,
        ours: prepared.catalog.server.our_now,
    };
    prepared.tripped = guards::check(&policy.policy.guards, prepared.as_of, clocks, &facts);
    Ok(())
}

/// Says for each leaf how it is taken; leaves that nothing is done with are left out.
fn strategies(catalog: &Catalog, policy: &LoadedPolicy, task: &mut Task, survey: &TaskSurvey) {
    let mut leaves: Vec<Leaf> = Vec::new();
    let chosen: Vec<_> = {
        let wanted = Wanted::of(task, &policy.policy);
        task.leaves
            .iter()
            .zip(&survey.leaves)
            .filter_map(|(leaf, counted)| {
                let table = catalog.tables.get(&leaf.relation.oid)?;
                let facts = LeafFacts {
                    due: counted.todo,
                    held: counted.held,
                    blocked: counted.blocked,
                    correlation: counted.correlation,
                    old_snapshot: false,
                };
                Some((leaf.clone(), choose(catalog, table, &wanted, &facts)))
            })
            .collect()
    };
    for (mut leaf, choice) in chosen {
        let Some(strategy) = choice.strategy else { continue };
        leaf.strategy = strategy;
        leaf.keyset = choice.keyset;
        leaf.upper_bound = choice.upper_bound;
        leaf.detach_concurrently = choice.detach_concurrently;
        leaves.push(leaf);
    }
    task.leaves = leaves;
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
