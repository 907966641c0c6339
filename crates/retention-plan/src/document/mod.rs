//! What `plan` shows, as a document: for people ([`text`]), for programs (JSON), and as a digest that `apply --plan` must
//! reach again.

mod digest;
#[cfg(test)]
mod tests;
pub mod text;

pub use digest::{DigestError, parse_digest, round_up, whole_seconds};

use crate::catalog::Catalog;
use crate::estimate::{Estimate, Shape, estimate};
use crate::guards::Tripped;
use crate::model::{Relation, Strategy, Task, TaskKind, Work};
use crate::preflight::Preflight;
use crate::resolve::ResolvedErasure;
use crate::strategy::{IN_ORDER, LeafChoice};
use crate::survey::{Cascade, Context, Explained, SubjectSurvey, SurveyError, TaskSurvey, explain};
use jiff::Timestamp;
use serde::Serialize;

/// Of a task with more partitions than this, only so many are explained.
const EXPLAINED_LEAVES: usize = 8;
/// A block, less its header.
const BLOCK_BYTES: f64 = 8168.0;

/// The database that the plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseRef {
    /// Its name.
    pub name: String,
    /// Its OID.
    pub oid: u32,
    /// The cluster's; `None`: this role may not read it.
    pub system_identifier: Option<String>,
    /// `15.18`.
    pub server_version: String,
    /// We are.
    pub user: String,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// `retention-plan/v1`
    pub format: &'static str,
    /// What `apply --plan` wants.
    pub digest: String,
    /// Ages count from here.
    pub as_of: Timestamp,
    /// SHA-256 of the policy, hex.
    pub policy_digest: String,
    /// The database.
    pub database: DatabaseRef,
    /// In the order in which they are done.
    pub tasks: Vec<TaskPlan>,
    /// Subjects that ask to be forgotten; their rows go after the tasks. `None`: rows of no table ask.
    pub erasure: Option<ErasurePlan>,
    /// Guards that stand in the way; empty: `run` would go on.
    pub guards: Vec<Tripped>,
    /// What else stands in the way, or is worth knowing.
    pub preflight: Preflight,
    /// What resolving the policy had to say.
    pub notes: Vec<String>,
    /// All tasks together.
    pub estimate: Estimate,
}

/// Subjects that ask to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasurePlan {
    /// The table with one row a subject.
    pub subject: Relation,
    /// Its column that names a subject.
    pub key: String,
    /// Requested, not held, and not completed or with rows that are left.
    pub open: u64,
    /// `open`, rounded up to two digits: what the digest knows, and the most that `apply --plan` begins.
    pub at_most: u64,
    /// All subjects; `None`: nobody asks, and they were not counted.
    pub total: Option<u64>,
    /// What becomes of their rows, in this order.
    pub tables: Vec<ErasedTable>,
}

/// One table of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasedTable {
    /// The table.
    pub table: Relation,
    /// `delete` or `anonymise`.
    pub action: &'static str,
    /// The columns that are made anonymous.
    pub columns: Vec<String>,
}

impl ErasurePlan {
    /// Of what was counted.
    pub fn new(erasure: &ResolvedErasure, counted: SubjectSurvey) -> Self {
        Self {
            subject: erasure.subject.clone(),
            key: erasure.key.name.clone(),
            open: counted.open,
            at_most: round_up(counted.open),
            total: counted.total,
            tables: erasure
                .tables
                .iter()
                .map(|table| ErasedTable {
                    table: table.template().table.clone(),
                    action: table.template().action(),
                    columns: columns(table.template()),
                })
                .collect(),
        }
    }
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskPlan {
    /// Rule or erasure.
    pub kind: TaskKind,
    /// The rule.
    pub rule: String,
    /// The table.
    pub table: Relation,
    /// `delete`, `anonymise`, `detach-partition`.
    pub action: &'static str,
    /// The columns that are made anonymous.
    pub columns: Vec<String>,
    /// Rows before this are due.
    pub cutoff: Option<Timestamp>,
    /// Rows to be done, held and blocked ones included.
    pub due: u64,
    /// `due`, rounded up to two digits: what the digest knows, and the most that `apply --plan` does.
    pub at_most: u64,
    /// Under a hold.
    pub held: u64,
    /// Others refer to them.
    pub blocked: u64,
    /// Without an age, never due.
    pub undated: u64,
    /// All rows, where they were counted.
    pub total: Option<u64>,
    /// At most so many a run.
    pub max_rows: Option<u64>,
    /// A batch, with values in place and keys left out.
    pub sql: Option<String>,
    /// Partition by partition.
    pub leaves: Vec<LeafPlan>,
    /// Rows of other tables that would go along.
    pub cascades: Vec<Cascade>,
    /// All leaves together.
    pub estimate: Estimate,
}

/// One table or partition.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeafPlan {
    /// The table.
    pub table: Relation,
    /// How; `None`: nothing is done with it now.
    pub strategy: Option<Strategy>,
    /// Why so.
    pub reason: String,
    /// Rows to be done.
    pub due: u64,
    /// Of those, under a hold.
    pub held: u64,
    /// Of those, that others refer to.
    pub blocked: u64,
    /// How PostgreSQL would find them.
    pub explain: Option<Explained>,
    /// About so much.
    pub estimate: Estimate,
}

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The database.
    pub catalog: &'a Catalog,
    /// Ages count from here; see [`whole_seconds`].
    pub as_of: Timestamp,
    /// SHA-256 of the policy, hex.
    pub policy_digest: &'a str,
    /// The tasks, with their strategies.
    pub tasks: &'a [Task],
    /// Of each task.
    pub surveys: &'a [TaskSurvey],
    /// Of each task, what [`crate::strategy::apply`] gave.
    pub choices: &'a [Vec<LeafChoice>],
    /// Subjects that ask; `None`: rows of no table ask.
    pub erasure: Option<&'a ErasurePlan>,
    /// Guards that stand in the way.
    pub tripped: &'a [Tripped],
    /// What preflight found.
    pub preflight: &'a Preflight,
    /// What resolving had to say.
    pub notes: &'a [String],
}

impl Plan {
    /// Puts a plan together; [`Plan::explain`] adds what PostgreSQL says.
    pub fn new(parts: &Parts<'_>) -> Self {
        let server = &parts.catalog.server;
        let tasks: Vec<TaskPlan> = parts
            .tasks
            .iter()
            .zip(parts.surveys)
            .enumerate()
            .map(|(at, (task, survey))| {
                let choices = parts.choices.get(at).map_or(&[][..], Vec::as_slice);
                task_plan(parts.catalog, task, survey, choices)
            })
            .collect();
        let mut plan = Self {
            format: "retention-plan/v1",
            digest: String::new(),
            as_of: parts.as_of,
            policy_digest: parts.policy_digest.to_owned(),
            database: DatabaseRef {
                name: server.database.clone(),
                oid: server.database_oid,
                system_identifier: server.system_identifier.clone(),
                server_version: server.version.clone(),
                user: server.user.clone(),
            },
            estimate: tasks.iter().fold(Estimate::default(), |sum, task| sum + task.estimate),
            tasks,
            erasure: parts.erasure.cloned(),
            guards: parts.tripped.to_vec(),
            preflight: parts.preflight.clone(),
            notes: parts.notes.to_vec(),
        };
        plan.digest = digest::of(&plan);
        plan
    }

    /// The most rows that a rule may do in the run that this plan allows.
    pub fn ceiling(&self, rule: &str) -> Option<u64> {
        self.tasks
            .iter()
            .find(|task| task.rule == rule)
            .map(|task| task.at_most)
    }

    /// Whether `run` would stop: a guard or preflight stands in the way.
    pub fn stands(&self) -> bool {
        !self.guards.is_empty() || self.preflight.refused().next().is_some()
    }

    /// The statements, and how PostgreSQL would find the rows; nothing is executed. `tasks` as given to [`Plan::new`].
    ///
    /// # Errors
    /// See [`SurveyError`].
    pub async fn explain(&mut self, context: &Context<'_>, tasks: &[Task]) -> Result<(), SurveyError> {
        for (plan, task) in self.tasks.iter_mut().zip(tasks) {
            let mut left = EXPLAINED_LEAVES;
            for leaf in &task.leaves {
                let deletes = task.work.removes();
                let held = context
                    .holds
                    .predicate(leaf.relation.oid, deletes, context.active)
                    .map_err(|source| SurveyError::Hold {
                        rule: task.rule.clone(),
                        source,
                    })?;
                if plan.sql.is_none() {
                    plan.sql = explain::statement(task, leaf, held.as_ref()).map(|sql| sql.shown());
                }
                let Some(shown) = plan.leaves.iter_mut().find(|shown| shown.table == leaf.relation) else {
                    continue;
                };
                if shown.due > 0 && left > 0 {
                    left -= 1;
                    shown.explain =
                        explain::explain(context.session, task, leaf, held.as_ref(), context.options.timeout).await?;
                }
            }
        }
        Ok(())
    }
}

/// The columns that are made anonymous.
fn columns(task: &Task) -> Vec<String> {
    match &task.work {
        Work::Anonymise { columns, .. } => columns.clone(),
        Work::Delete | Work::Detach => Vec::new(),
    }
}

fn task_plan(catalog: &Catalog, task: &Task, survey: &TaskSurvey, choices: &[LeafChoice]) -> TaskPlan {
    let leaves: Vec<LeafPlan> = survey
        .leaves
        .iter()
        .map(|counted| {
            let choice = choices.iter().find(|choice| choice.table == counted.table);
            let strategy = choice.and_then(|choice| choice.strategy);
            let shape = catalog
                .tables
                .get(&counted.table.oid)
                .zip(strategy)
                .map(|(table, strategy)| {
                    let rows = table.estimated_rows.max(counted.todo as f64);
                    Shape {
                        todo: counted
                            .todo
                            .saturating_sub(counted.held)
                            .saturating_sub(counted.blocked),
                        rows,
                        width: f64::from(table.blocks) * BLOCK_BYTES / rows.max(1.0),
                        indexes: u32::try_from(table.indexes.len()).unwrap_or(u32::MAX),
                        strategy,
                        updates: !task.work.removes(),
                        in_order: counted.correlation.is_some_and(|order| order.abs() >= IN_ORDER),
                    }
                });
            LeafPlan {
                table: counted.table.clone(),
                strategy,
                reason: choice.map_or_else(String::new, |choice| choice.reason.clone()),
                due: counted.todo,
                held: counted.held,
                blocked: counted.blocked,
                explain: None,
                estimate: shape.map_or_else(Estimate::default, |shape| estimate(&shape)),
            }
        })
        .collect();
    TaskPlan {
        kind: task.kind,
        rule: task.rule.clone(),
        table: task.table.clone(),
        action: task.action(),
        columns: columns(task),
        cutoff: task.cutoff,
        due: survey.todo,
        at_most: round_up(survey.todo),
        held: survey.held,
        blocked: survey.blocked,
        undated: survey.undated,
        total: survey.total,
        max_rows: task.max_rows,
        sql: None,
        estimate: leaves.iter().fold(Estimate::default(), |sum, leaf| sum + leaf.estimate),
        leaves,
        cascades: survey.cascades.clone(),
    }
}
