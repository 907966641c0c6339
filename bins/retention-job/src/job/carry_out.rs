//! Owns the work itself: every task, then the erasures. One rule that cannot be carried out does not keep the others
//! from it; a lost database does.

use super::prepare::Prepared;
use super::subjects;
use crate::failure;
use retention_engine::{Counted, Engine, EngineError, ErasureError, ErasureReport, Ledger};
use retention_plan::resolve::ResolvedErasure;
use retention_plan::survey::TaskSurvey;
use retention_policy::LoadedPolicy;
use retention_proof::{Outcome, RuleResult};
use retention_store::audit;
use runtime::exit::Failure;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) results: Vec<RuleResult>,
    pub(crate) erasures: ErasureReport,
    /// Rules that the database refused in the middle.
    pub(crate) refused: u32,
}

impl Work {
    /// How the run ended.
    pub(crate) fn outcome(&self) -> Outcome {
        let subjects = &self.erasures.subjects;
        let all = || self.results.iter().chain(&self.erasures.results);
        let stands = all().any(|rule| rule.blocked > 0 || rule.residue.is_some_and(|rows| rows > 0));
        if self.refused > 0 {
            Outcome::Residue
        } else if self.erasures.stopped || all().any(|rule| rule.residue.is_none()) {
            // Not everything was looked at: the next run goes on, and tells then what stands in the way.
            Outcome::Partial
        } else if stands {
            Outcome::Residue
        } else if subjects.left > 0 {
            Outcome::Partial
        } else {
            Outcome::Complete
        }
    }
}

/// Does the policy's tasks and the erasures that were asked for.
///
/// # Errors
/// The database was lost, is full, or another run has taken over. What was committed stays and is in the audit.
pub(crate) async fn everything(
    engine: &mut Engine,
    prepared: &Prepared,
    policy: &LoadedPolicy,
    ledger: Option<&mut Ledger>,
) -> Result<Work, Failure> {
    let mut work = Work::default();
    engine.warn_of_notes(&prepared.tasks).await.map_err(failure::engine)?;
    for (task, survey) in prepared.tasks.iter().zip(&prepared.surveys) {
        match engine.apply(task, &counted(survey)).await {
            Ok(result) => work.results.push(result),
            Err(error) if stops_the_run(&error) => return Err(failure::engine(error)),
            Err(error) => {
                tracing::error!(rule = task.rule, "{}", runtime::exit::chain_of(&error));
                work.refused += 1;
                let mut result = refused(task, survey);
                before_it_broke_off(engine, &mut result).await?;
                work.results.push(result);
            }
        }
    }
    once_more(engine, prepared, &mut work).await?;
    if let Some(erasure) = &prepared.erasure {
        match erasures(engine, erasure, prepared, policy, ledger).await {
            Ok(Some(report)) => work.erasures = report,
            Ok(None) => work.refused += 1,
            Err(ErasureError::Engine(error)) if !stops_the_run(&error) => {
                tracing::error!("{}", runtime::exit::chain_of(&error));
                work.refused += 1;
            }
            Err(error) => return Err(failure::erasure(error)),
        }
    }
    as_audited(engine, &mut work).await?;
    Ok(work)
}

/// So often rules whose rows others kept are tried again.
const ROUNDS: u32 = 3;

/// Rows that a rule had to leave, because others refer to them, may be free when a later rule is through.
async fn once_more(engine: &mut Engine, prepared: &Prepared, work: &mut Work) -> Result<(), Failure> {
    let mut done: Vec<bool> = work.results.iter().map(|result| result.rows > 0).collect();
    for _ in 0..ROUNDS {
        let mut now = vec![false; done.len()];
        for (at, (task, survey)) in prepared.tasks.iter().zip(&prepared.surveys).enumerate() {
            let before = &work.results[at];
            let others = done.iter().enumerate().any(|(other, done)| *done && other != at) || now.contains(&true);
            // `max_rows` is for the run, and was counted in the first round.
            if before.blocked == 0 || before.residue.is_none() || !others || task.max_rows.is_some() {
                continue;
            }
            match engine.apply(task, &counted(survey)).await {
                Ok(again) => {
                    now[at] = again.rows > 0;
                    add(&mut work.results[at], again);
                }
                Err(error) if stops_the_run(&error) => return Err(failure::engine(error)),
                Err(error) => {
                    tracing::error!(rule = task.rule, "{}", runtime::exit::chain_of(&error));
                    work.refused += 1;
                }
            }
        }
        if !now.contains(&true) {
            break;
        }
        done = now;
    }
    Ok(())
}

/// What a later round did and found.
fn add(result: &mut RuleResult, again: RuleResult) {
    result.rows += again.rows;
    result.cascaded += again.cascaded;
    result.batches += again.batches;
    result.duration_ms += again.duration_ms;
    (result.held, result.blocked, result.residue) = (again.held, again.blocked, again.residue);
    for strategy in again.strategies {
        if !result.strategies.contains(&strategy) {
            result.strategies.push(strategy);
        }
    }
}

/// Erases what was asked for; `None`: so many ask now that nobody is erased.
async fn erasures(
    engine: &mut Engine,
    erasure: &ResolvedErasure,
    prepared: &Prepared,
    policy: &LoadedPolicy,
    ledger: Option<&mut Ledger>,
) -> Result<Option<ErasureReport>, ErasureError> {
    let counted = engine.count_subjects(erasure).await?;
    let too_many = counted.map_or_else(Vec::new, |counted| {
        subjects::too_many(prepared, policy, erasure, counted)
    });
    for refused in &too_many {
        tracing::error!("no subject is erased in this run: {refused}");
    }
    if too_many.is_empty() {
        engine.erase_all(erasure, ledger).await.map(Some)
    } else {
        Ok(None)
    }
}

/// Erases these subjects and nothing else.
///
/// # Errors
/// As [`everything`].
pub(crate) async fn these(
    engine: &mut Engine,
    erasure: &ResolvedErasure,
    subjects: &[String],
    ledger: Option<&mut Ledger>,
) -> Result<Work, Failure> {
    let mut work = Work {
        erasures: engine
            .erase_subjects(erasure, subjects, ledger)
            .await
            .map_err(failure::erasure)?,
        ..Work::default()
    };
    as_audited(engine, &mut work).await?;
    Ok(work)
}

/// What is told of each rule is what the audit says. The engine counts commits as they are answered, and a crash of the
/// server takes the last of them back (`synchronous_commit = off`): it would count rows twice that it removed twice.
async fn as_audited(engine: &Engine, work: &mut Work) -> Result<(), Failure> {
    let totals = audit::totals(engine.session(), engine.run_id())
        .await
        .map_err(failure::db("cannot read the audit rows"))?;
    for result in work.results.iter_mut().chain(&mut work.erasures.results) {
        (result.rows, result.cascaded, result.batches) = (0, 0, 0);
        for total in totals.iter().filter(|total| total.rule == result.rule) {
            result.rows += total.rows;
            result.cascaded += total.cascaded;
            result.batches += total.batches;
        }
    }
    Ok(())
}

fn stops_the_run(error: &EngineError) -> bool {
    match error {
        EngineError::Rule { .. } => false,
        EngineError::Fenced { .. }
        | EngineError::Lost(_)
        | EngineError::Full(_)
        | EngineError::Holds(_)
        | EngineError::Store(_) => true,
    }
}

fn counted(survey: &TaskSurvey) -> Counted {
    Counted {
        todo: survey.todo,
        held: survey.held,
        blocked: survey.blocked,
        undated: survey.undated,
    }
}

/// What a rule did before it broke off, from its audit rows.
async fn before_it_broke_off(engine: &Engine, result: &mut RuleResult) -> Result<(), Failure> {
    let totals = audit::totals(engine.session(), engine.run_id())
        .await
        .map_err(failure::db("cannot read the audit rows"))?;
    for total in totals.into_iter().filter(|total| total.rule == result.rule) {
        result.rows += total.rows;
        result.cascaded += total.cascaded;
        result.batches += total.batches;
        result.strategies.extend(total.strategies);
    }
    Ok(())
}

/// A rule that broke off; nobody counted what is left.
fn refused(task: &retention_plan::Task, survey: &TaskSurvey) -> RuleResult {
    RuleResult {
        rule: task.rule.clone(),
        table: task.table.shown(),
        action: task.action().to_owned(),
        strategies: Vec::new(),
        cutoff: task.cutoff,
        due: survey.todo,
        rows: 0,
        cascaded: 0,
        held: survey.held,
        blocked: survey.blocked,
        undated: survey.undated,
        residue: None,
        batches: 0,
        duration_ms: 0,
    }
}
