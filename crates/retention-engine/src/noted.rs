//! Owns what earlier runs left: partitions that they began to detach.

use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Sums};
use crate::partition::{Ask, Whole, name};
use pg_session::{DbError, Kind, Sql};
use retention_plan::{Leaf, Relation, Task, Work};
use retention_store::detaching::{self, Detaching};

impl Engine {
    /// Finishes what an earlier run began for this rule, or takes the note away where nothing was begun. Gives the OIDs
    /// that are gone.
    pub(crate) async fn finish_noted(&mut self, task: &Task, sums: &mut Sums) -> Result<Vec<u32>, EngineError> {
        let mut gone = Vec::new();
        let notes = loop {
            match detaching::list(&self.work).await {
                Ok(notes) => break notes,
                Err(error) if error.kind == Kind::Lost => self.regain(error).await?,
                Err(error) => return Err(EngineError::Store(error)),
            }
        };
        for note in notes.into_iter().filter(|note| note.rule == task.rule) {
            self.is_what_was_noted(task, &note).await?;
            let leaf = leaf_of(&note);
            let keep = !note.drop_it;
            let mut job = Job::new(task, &leaf, name(keep), sums);
            match self.whole(&mut job, Ask { noted: true, keep }).await? {
                Whole::Gone => gone.push(note.partition_oid),
                Whole::ByRows => {}
                Whole::Stopped(_) => break,
            }
        }
        Ok(gone)
    }

    /// A note survives in a backup, and an OID can be another table's afterwards; a rule can have changed since. Nothing is
    /// dropped on the word of a note alone.
    async fn is_what_was_noted(&mut self, task: &Task, note: &Detaching) -> Result<(), EngineError> {
        let agrees = match task.work {
            Work::Delete => note.drop_it,
            Work::Detach => !note.drop_it,
            Work::Anonymise { .. } => false,
        };
        let due = task.cutoff.is_some_and(|cutoff| note.upper_bound <= cutoff);
        let columns = |oid: u32| {
            format!(
                "ARRAY(SELECT a.attname || ' ' || a.atttypid FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {oid} AND a.attnum > 0 \
                 AND NOT a.attisdropped ORDER BY 1)"
            )
        };
        let sql = Sql::text("SELECT c.oid IS NULL OR (n.nspname = ")
        .param(note.partition_schema.as_str(), "pg_catalog.text")
        .raw(" AND c.relname = ")
        .param(note.partition_name.as_str(), "pg_catalog.text")
        .raw(format!(
            " AND c.relkind = 'r' AND {} = {}) FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_class AS c ON c.oid = {} \
             LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace",
            columns(note.partition_oid),
            columns(note.parent_oid),
            note.partition_oid
        ));
        let same = loop {
            match self.work.one(&sql).await {
                Ok(row) => {
                    break row
                        .try_get::<_, bool>(0)
                        .map_err(|error| EngineError::Store(error.into()))?;
                }
                Err(error) if error.kind == Kind::Lost => self.regain(error).await?,
                Err(error) => return Err(EngineError::Store(error)),
            }
        };
        if same && due && agrees {
            return Ok(());
        }
        Err(EngineError::Rule {
            rule: task.rule.clone(),
            table: format!("{}.{}", note.partition_schema, note.partition_name),
            source: DbError::new(
                Kind::Other,
                "a partition that an earlier run began to detach is not what was noted, or the rule has changed since; look at \
                 the table, then delete its row from retention.detaching",
            ),
        })
    }
}

/// A leaf as a note describes it.
fn leaf_of(note: &Detaching) -> Leaf {
    Leaf {
        relation: Relation {
            oid: note.partition_oid,
            schema: note.partition_schema.clone(),
            name: note.partition_name.clone(),
        },
        blocks: 0,
        estimated_rows: 0.0,
        strategy: retention_plan::Strategy::Partition,
        upper_bound: Some(note.upper_bound),
        detach_concurrently: true,
        keyset: None,
    }
}
