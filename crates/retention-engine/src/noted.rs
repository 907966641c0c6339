//! Owns what earlier runs left: partitions that they began to detach. What a note means is decided in `note`.

use crate::batch::unhurried;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::{Job, Sums};
use crate::note::{Candidate, Place, Verdict, decide};
use crate::partition::{Ask, Whole, name};
use pg_session::{DbError, Kind, Session, Sql};
use retention_plan::{Leaf, Relation, Task, Work};
use retention_store::detaching::{self, Detaching};

/// What became of the notes of a rule.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// OIDs of what is detached or dropped by now.
    pub(crate) gone: Vec<u32>,
    /// Detached tables whose due rows go row by row.
    pub(crate) besides: Vec<Leaf>,
    /// Due rows in tables that nothing may be done with.
    pub(crate) unsure: u64,
    /// A budget was used up, or we were told to stop.
    pub(crate) stopped: bool,
}

impl Engine {
    /// Warns of notes that belong to none of the rules: nobody will finish what was begun.
    ///
    /// # Errors
    /// The database.
    pub async fn warn_of_notes(&mut self, tasks: &[Task]) -> Result<(), EngineError> {
        for note in self.notes().await? {
            if !tasks.iter().any(|task| task.rule == note.rule) {
                not_of_a_rule(&note, "the policy has no such rule any more");
            }
        }
        Ok(())
    }

    /// Finishes what earlier runs began for this rule, or takes the notes away where nothing was begun.
    pub(crate) async fn finish_noted(
        &mut self,
        task: &Task,
        sums: &mut Sums,
        strategies: &mut Vec<String>,
    ) -> Result<Noted, EngineError> {
        let mut noted = Noted::default();
        for note in self.notes().await? {
            if note.rule != task.rule {
                continue;
            }
            let table = format!("{}.{}", note.partition_schema, note.partition_name);
            let candidates = loop {
                let answer = candidates(&self.work, task, &note).await;
                if let Some(candidates) = self.answered(answer).await? {
                    break candidates;
                }
            };
            let Some(candidates) = candidates else {
                not_of_a_rule(&note, "the rule is about another table now");
                continue;
            };
            match decide(&note, &task.work, task.cutoff, &candidates) {
                Verdict::Forget(why) => {
                    tracing::warn!(
                        rule = task.rule,
                        table,
                        why,
                        "an earlier run's note of a partition is forgotten"
                    );
                    while {
                        let answer = detaching::done(&self.work, note.partition_oid).await;
                        self.answered(answer).await?.is_none()
                    } {}
                }
                Verdict::ByRows(why) => {
                    tracing::warn!(
                        rule = task.rule,
                        table,
                        why,
                        "an earlier run began to drop a partition; what is due in it goes row by row"
                    );
                    self.beside(task, leaf_of(&note), &mut noted);
                }
                Verdict::Unsure(tables) => {
                    for relation in tables {
                        let rows = self.due_in(task, &relation).await?;
                        tracing::warn!(
                            rule = task.rule,
                            noted = table,
                            table = relation.shown(),
                            rows,
                            "an earlier run began to drop a partition, and this table may be it, but is not what was noted; its \
                             due rows are left. Look at it, then delete its row from retention.detaching"
                        );
                        noted.unsure += rows;
                    }
                }
                Verdict::Finish { keep } => {
                    let leaf = leaf_of(&note);
                    self.holds.part_of(&leaf.relation, task.table.oid);
                    let ask = Ask { noted: true, keep };
                    let mut job = Job::new(task, &leaf, name(keep), sums);
                    match self.whole(&mut job, ask).await? {
                        Whole::Gone => {
                            noted.gone.push(note.partition_oid);
                            if !strategies.iter().any(|known| known == name(keep)) {
                                strategies.push(name(keep).to_owned());
                            }
                        }
                        // What stays as a table keeps its rows; but a rule that detaches is not done before it is out.
                        Whole::ByRows if keep && !matches!(task.work, Work::Detach) => tracing::warn!(
                            rule = task.rule,
                            table,
                            "an earlier run began to detach a partition; that could not be finished now"
                        ),
                        Whole::ByRows => self.beside(task, leaf, &mut noted),
                        Whole::Stopped(stop) => {
                            tracing::info!(rule = task.rule, table, reason = ?stop, "stopped before a noted partition");
                            noted.stopped = true;
                            return Ok(noted);
                        }
                    }
                }
            }
        }
        Ok(noted)
    }

    /// Its rows count as the rule's, and the holds of the table above hold them.
    fn beside(&mut self, task: &Task, leaf: Leaf, noted: &mut Noted) {
        if task.leaves.iter().all(|known| known.relation.oid != leaf.relation.oid) {
            self.holds.part_of(&leaf.relation, task.table.oid);
            noted.besides.push(leaf);
        }
    }

    async fn notes(&mut self) -> Result<Vec<Detaching>, EngineError> {
        loop {
            let answer = detaching::list(&self.work).await;
            if let Some(notes) = self.answered(answer).await? {
                return Ok(notes);
            }
        }
    }

    /// Due rows of a table that has the rule's columns; all rows of one that has not.
    async fn due_in(&mut self, task: &Task, relation: &Relation) -> Result<u64, EngineError> {
        let all = Sql::text(format!(
            "SELECT pg_catalog.count(*) FROM ONLY {} AS t",
            relation.quoted()
        ));
        let due = all.clone().raw(" WHERE ").append(&task.todo());
        loop {
            let rows = match unhurried(&self.work, &due).await {
                Err(error) if error.kind == Kind::Missing => unhurried(&self.work, &all).await,
                counted => counted,
            };
            let rows = match rows.and_then(|row| Ok(row.try_get::<_, i64>(0)?)) {
                // Only this rule is concerned.
                Err(source) if source.kind != Kind::Lost => {
                    return Err(EngineError::Rule {
                        rule: task.rule.clone(),
                        table: relation.shown(),
                        source,
                    });
                }
                rows => rows,
            };
            if let Some(rows) = self.answered(rows).await? {
                return Ok(u64::try_from(rows).unwrap_or(0));
            }
        }
    }

    /// `None`: the server was lost and is there again, so ask anew.
    async fn answered<T>(&mut self, answer: Result<T, DbError>) -> Result<Option<T>, EngineError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind == Kind::Lost => {
                self.regain(error).await?;
                Ok(None)
            }
            Err(error) => Err(EngineError::Store(error)),
        }
    }
}

fn not_of_a_rule(note: &Detaching, why: &str) {
    tracing::warn!(
        rule = note.rule,
        table = format!("{}.{}", note.partition_schema, note.partition_name),
        drop_it = note.drop_it,
        why,
        "an earlier run began to detach a partition, and no rule finishes it; look at the table, then delete its row from \
         retention.detaching"
    );
}

/// Tables that have the noted OID or name; `None`: the note is of a partition of another table than the task's.
async fn candidates(session: &Session, task: &Task, note: &Detaching) -> Result<Option<Vec<Candidate>>, DbError> {
    let (root, parent, noted) = (task.table.oid, note.parent_oid, note.partition_oid);
    let ours = Sql::text(format!(
        "SELECT {parent} = {root} OR NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = {parent} AND c.relkind = 'p') \
         OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree({root}::pg_catalog.oid::pg_catalog.regclass) AS p WHERE p.relid = {parent})"
    ));
    if !session.one(&ours).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let columns = |oid: &str| {
        format!(
            "ARRAY(SELECT a.attname || ' ' || a.atttypid FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = {oid} AND a.attnum > 0 \
             AND NOT a.attisdropped ORDER BY 1)"
        )
    };
    let same_name = Sql::text("(n.nspname = ")
        .param(note.partition_schema.as_str(), "pg_catalog.text")
        .raw(" AND c.relname = ")
        .param(note.partition_name.as_str(), "pg_catalog.text")
        .raw(")");
    let sql = Sql::text(format!(
        "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.oid = {noted}, c.relkind = 'r' AND {} = {}, \
         i.inhparent IS NOT NULL, coalesce(i.inhdetachpending AND i.inhparent = {parent}, false), ",
        columns("c.oid"),
        columns(&root.to_string()),
    ))
    .append(&same_name)
    .raw(
        " FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid WHERE c.relkind IN ('r', 'p') AND (",
    )
    .append(&same_name)
    .raw(format!(" OR c.oid = {noted})"));
    let rows = session.query(&sql).await?;
    rows.iter()
        .map(|row| {
            Ok(Candidate {
                relation: Relation {
                    oid: row.try_get(0)?,
                    schema: row.try_get(1)?,
                    name: row.try_get(2)?,
                },
                same_oid: row.try_get(3)?,
                same_kind: row.try_get(4)?,
                place: match (row.try_get(5)?, row.try_get(6)?) {
                    (_, true) => Place::Pending,
                    (true, false) => Place::Attached,
                    (false, false) => Place::Alone,
                },
                same_name: row.try_get(7)?,
            })
        })
        .collect::<Result<_, DbError>>()
        .map(Some)
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
        strategy: retention_plan::Strategy::TidRange,
        upper_bound: Some(note.upper_bound),
        detach_concurrently: true,
        together: None,
        as_is: Vec::new(),
        keyset: None,
    }
}
