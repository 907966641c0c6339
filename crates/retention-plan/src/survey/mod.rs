//! Counts, without changing anything: what is due, held, blocked, undated; how it would be found; what would go along.
//!
//! Every count is one statement in a read-only transaction of its own. A snapshot over all of them would be a consistent
//! picture, but on a large table it would be the old snapshot that keeps VACUUM and pruning from their work.
//!
//! | module | owns |
//! |---|---|
//! | `sql` | the statements |
//! | `cascade` | rows that foreign keys take along |
//! | `subjects` | how many subjects ask to be forgotten |
//! | [`explain`] | how PostgreSQL would find the rows |

mod cascade;
pub mod explain;
mod sql;
mod subjects;

pub use cascade::Cascade;
pub use explain::Explained;
pub use subjects::{SubjectSurvey, subjects, unfinished};

use crate::catalog::{Catalog, Table};
use crate::holds::{HoldError, HoldRules};
use crate::model::{Relation, Task, Work};
use crate::strategy::{Wanted, index_finds};
use pg_session::{DbError, Kind, Session, Sql};
use retention_policy::Policy;
use retention_store::hold::Structure;
use serde::Serialize;
use std::time::Duration;
use tokio_postgres::Row;

/// Why something could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// It took longer than allowed.
    #[error(
        "rule {rule}: the rows of {table} could not be counted within {} s; allow more time, or add an index that begins \
         with the age column", limit.as_secs()
    )]
    Timeout {
        /// The rule.
        rule: String,
        /// `schema.table`.
        table: String,
        /// The limit.
        limit: Duration,
    },
    /// It is not known which rows are held.
    #[error("rule {rule}")]
    Hold {
        /// The rule.
        rule: String,
        /// Why.
        #[source]
        source: HoldError,
    },
    /// The database.
    #[error("rule {rule}: the rows of {table} cannot be counted")]
    Db {
        /// The rule.
        rule: String,
        /// `schema.table`.
        table: String,
        /// What it said.
        #[source]
        source: DbError,
    },
}

/// How to count.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// For each statement; zero: none.
    pub timeout: Duration,
    /// Whether rows of other tables that would go along are counted (`plan` shows them; `run` needs them not).
    pub cascades: bool,
}

/// What was counted of one leaf.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeafSurvey {
    /// The table or partition.
    pub table: Relation,
    /// Due, and for anonymising not anonymous yet; held and blocked rows are among them.
    pub todo: u64,
    /// Of those, under a hold.
    pub held: u64,
    /// Of those, not held, but others refer to them.
    pub blocked: u64,
    /// Without an age.
    pub undated: u64,
    /// All rows, where they were counted.
    pub total: Option<u64>,
    /// `pg_stats.correlation` of the age column: how far the heap is in its order, -1 to 1.
    pub correlation: Option<f64>,
}

/// What was counted of one task: sums over its leaves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSurvey {
    /// See [`LeafSurvey::todo`].
    pub todo: u64,
    /// See [`LeafSurvey::held`].
    pub held: u64,
    /// See [`LeafSurvey::blocked`].
    pub blocked: u64,
    /// See [`LeafSurvey::undated`].
    pub undated: u64,
    /// All rows, if a guard needed them.
    pub total: Option<u64>,
    /// In the order of the task's leaves.
    pub leaves: Vec<LeafSurvey>,
    /// What would go along.
    pub cascades: Vec<Cascade>,
}

impl TaskSurvey {
    /// Rows that can be done: neither held nor blocked.
    pub fn free(&self) -> u64 {
        self.todo.saturating_sub(self.held).saturating_sub(self.blocked)
    }
}

/// What counting needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The database.
    pub session: &'a Session,
    /// Its picture.
    pub catalog: &'a Catalog,
    /// The policy.
    pub policy: &'a Policy,
    /// For held rows.
    pub holds: &'a HoldRules,
    /// Which columns have holds now.
    pub active: &'a Structure,
    /// How.
    pub options: Options,
}

/// Counts the rows of every task, in their order.
///
/// # Errors
/// See [`SurveyError`].
pub async fn survey(context: &Context<'_>, tasks: &[Task]) -> Result<Vec<TaskSurvey>, SurveyError> {
    let mut surveys = Vec::with_capacity(tasks.len());
    for task in tasks {
        surveys.push(one(context, task).await?);
    }
    Ok(surveys)
}

/// Counts the rows of one task.
///
/// # Errors
/// See [`SurveyError`].
pub async fn one(context: &Context<'_>, task: &Task) -> Result<TaskSurvey, SurveyError> {
    let counting = Counting { context, task };
    let mut leaves = Vec::with_capacity(task.leaves.len());
    for leaf in &task.leaves {
        if let Some(table) = context.catalog.tables.get(&leaf.relation.oid) {
            leaves.push(counting.leaf(table).await?);
        }
    }
    let sum = |count: fn(&LeafSurvey) -> u64| leaves.iter().map(count).sum::<u64>();
    let mut survey = TaskSurvey {
        todo: sum(|leaf| leaf.todo),
        held: sum(|leaf| leaf.held),
        blocked: sum(|leaf| leaf.blocked),
        undated: sum(|leaf| leaf.undated),
        total: leaves.iter().map(|leaf| leaf.total).sum(),
        leaves,
        cascades: Vec::new(),
    };
    counting.total(&mut survey).await?;
    let goes_along = matches!(task.work, Work::Delete) && !task.children_stay && !task.cascades_to.is_empty();
    if context.options.cascades && goes_along && survey.free() > 0 {
        let held = counting.held(task.table.oid)?;
        for (cascade, sql) in cascade::statements(context.catalog, task, held.as_ref()) {
            let row = counting.read(&task.table, &sql).await?;
            survey.cascades.push(Cascade {
                rows: counting.said(&task.table, unsigned(&row, 0))?,
                ..cascade
            });
        }
    }
    Ok(survey)
}

struct Counting<'a> {
    context: &'a Context<'a>,
    task: &'a Task,
}

impl Counting<'_> {
    fn held(&self, oid: u32) -> Result<Option<Sql>, SurveyError> {
        let deletes = self.task.work.removes();
        self.context
            .holds
            .predicate(oid, deletes, self.context.active)
            .map_err(|source| SurveyError::Hold {
                rule: self.task.rule.clone(),
                source,
            })
    }

    async fn leaf(&self, table: &Table) -> Result<LeafSurvey, SurveyError> {
        let wanted = Wanted::of(self.task, self.context.policy);
        // Where the whole table is read anyway, all rows are counted on the way.
        let whole = !index_finds(table, &wanted);
        let held = self.held(table.relation.oid)?;
        let sql = sql::count(self.task, &table.relation, held.as_ref(), whole);
        let row = self.read(&table.relation, &sql).await?;
        let count = |at| self.said(&table.relation, unsigned(&row, at));
        let mut correlation = None;
        if let Some((age, _)) = wanted.age {
            let row = self
                .context
                .session
                .maybe(&sql::correlation(&table.relation, age))
                .await;
            let found = row.and_then(|row| match row {
                Some(row) => Ok(row.try_get::<_, Option<f64>>(0)?),
                None => Ok(None),
            });
            correlation = self.said(&table.relation, found)?;
        }
        Ok(LeafSurvey {
            table: table.relation.clone(),
            todo: count(0)?,
            held: count(1)?,
            blocked: count(2)?,
            undated: count(3)?,
            total: if whole { Some(count(4)?) } else { None },
            correlation,
        })
    }

    /// All rows, if a guard needs them and they are not counted yet.
    async fn total(&self, survey: &mut TaskSurvey) -> Result<(), SurveyError> {
        if survey.total.is_some() || survey.todo == 0 {
            return Ok(());
        }
        let policy = self.context.policy;
        let exact = policy
            .rules
            .iter()
            .any(|rule| rule.name == self.task.rule && rule.max_fraction.is_some());
        let table = &self.task.table;
        if exact {
            let row = self.read(table, &sql::total(self.task)).await?;
            survey.total = Some(self.said(table, unsigned(&row, 0))?.max(survey.todo));
        } else if survey.todo >= policy.guards.all_due_from_rows {
            // The guard asks only whether every row is due: one that is not is found soon, or there is none.
            let row = self.read(table, &sql::one_not_due(self.task)).await?;
            if !self.said(table, row.try_get::<_, bool>(0).map_err(DbError::from))? {
                survey.total = Some(survey.todo);
            }
        }
        Ok(())
    }

    async fn read(&self, table: &Relation, sql: &Sql) -> Result<Row, SurveyError> {
        let read = read_only(self.context.session, self.context.options.timeout, sql).await;
        self.said(table, read)
    }

    fn said<T>(&self, table: &Relation, result: Result<T, DbError>) -> Result<T, SurveyError> {
        result.map_err(|source| {
            let (rule, table) = (self.task.rule.clone(), table.shown());
            let limit = self.context.options.timeout;
            if source.kind == Kind::Cancelled && !limit.is_zero() {
                SurveyError::Timeout { rule, table, limit }
            } else {
                SurveyError::Db { rule, table, source }
            }
        })
    }
}

/// One statement in a read-only transaction of its own.
async fn read_only(session: &Session, timeout: Duration, sql: &Sql) -> Result<Row, DbError> {
    let begun = session
        .batch(&format!(
            "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = {}",
            timeout.as_millis()
        ))
        .await;
    let row = match begun {
        Ok(()) => session.one(sql).await,
        Err(error) => Err(error),
    };
    match row {
        Ok(row) => session.batch("COMMIT").await.map(|()| row),
        Err(error) => {
            // What went wrong first is what is told.
            let _ = session.rollback().await;
            Err(error)
        }
    }
}

fn unsigned(row: &Row, at: usize) -> Result<u64, DbError> {
    Ok(u64::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0))
}
