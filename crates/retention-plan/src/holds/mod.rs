//! Which rows are held: SQL that is true for a row that must be neither changed nor deleted.
//!
//! A row is held when one of these is true:
//! - a hold names a column of its table and the row has the value there (`column::text = hold.value`, or by the column's own equality if it is `citext`);
//! - a hold names a subject and the row is the subject's: the key of the erasure's subject table, a rule's
//!   `subject_column`, or the way that an erasure takes to the row;
//! - its label column has one of the policy's `legal_hold_labels`;
//! - it refers, over any number of foreign keys, to a held row;
//! - a row refers to it that is held: deleting or changing it would take that row along.
//!
//! Values are compared with the live table inside the statement that does the work. Only the *structure* (which columns
//! have holds at all) goes into the SQL's text, so that a table without holds costs nothing.
//!
//! | module | owns |
//! |---|---|
//! | `graph` | foreign keys and partitions, seen from one table |
//! | `own` | what makes a row held by itself |
//! | `closure` | what makes it held through other rows: which form the SQL takes |
//! | `nested`, `recursive` | the two forms |

mod closure;
mod graph;
mod nested;
mod own;
mod recursive;
#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Table};
use pg_session::Sql;
use retention_policy::{Policy, Reach};
use retention_store::hold::{HeldColumn, Misprinted, Structure};
use std::collections::{BTreeMap, BTreeSet};

/// Why it cannot be said which rows are held. The caller stops: no row may be touched then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The column is not there any more (or came after the plan was made).
    #[error(
        "a legal hold names {on}, which is not there: what it was to protect is not known; release the hold (`retention-job \
         hold release`) or place it on a column that is there, then run again"
    )]
    NoColumn {
        /// The column.
        on: HeldColumn,
    },
    /// A subject is held, and nothing says whose the table's rows are. Preflight refuses a run for it
    /// (`hold-subject-unreachable`); this is for holds that are placed while one is at work.
    #[error(
        "a subject is under a legal hold, and nothing says whose rows those of {table} are: the hold would not protect them; \
         give subject_column in the rule, describe the table under erasure, or place the hold on a table and column instead, \
         then run again"
    )]
    SubjectUnreachable {
        /// The table.
        table: String,
    },
    /// A hold can match no row. Preflight refuses a run for it (`hold-value-form`); this is for holds that are placed while
    /// one is at work.
    #[error("hold {} {}, and run again", .0.id, .0.why())]
    Misprinted(Box<Misprinted>),
    /// The table was not in the catalog's picture.
    #[error("the table with OID {oid} is not in the catalog's picture, so its holds are unknown; run again")]
    UnknownTable {
        /// Its OID.
        oid: u32,
    },
}

/// A way from a row to its subject.
#[derive(Debug, Clone, PartialEq)]
enum SubjectWay {
    /// The row's own column.
    Column(String),
    /// Over other tables.
    Reach(Reach),
}

/// Everything about holds that does not change while a run lasts: tables, foreign keys, whose row is whose, labels.
#[derive(Debug, Clone)]
pub struct HoldRules {
    tables: BTreeMap<u32, Table>,
    subjects: BTreeMap<u32, Vec<SubjectWay>>,
    labels: BTreeMap<u32, Vec<String>>,
    label_values: Vec<String>,
}

impl HoldRules {
    /// From the catalog's picture and the policy. Tables of the policy that the catalog lacks are left out: resolving
    /// has refused them.
    pub fn new(catalog: &Catalog, policy: &Policy) -> Self {
        let oid = |table: &retention_policy::TableName| {
            catalog.find(&table.schema, &table.name).map(|table| table.relation.oid)
        };
        let mut subjects: BTreeMap<u32, Vec<SubjectWay>> = BTreeMap::new();
        let mut labels: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let mut way = |oid: Option<u32>, way: SubjectWay| {
            if let Some(oid) = oid {
                let ways = subjects.entry(oid).or_default();
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        };
        for rule in &policy.rules {
            if let Some(column) = &rule.subject_column {
                way(oid(&rule.table), SubjectWay::Column(column.clone()));
            }
            if let (Some(column), Some(oid)) = (&rule.labels_column, oid(&rule.table)) {
                let columns = labels.entry(oid).or_default();
                if !columns.contains(column) {
                    columns.push(column.clone());
                }
            }
        }
        if let Some(erasure) = &policy.erasure {
            way(
                oid(&erasure.subject.table),
                SubjectWay::Column(erasure.subject.key.clone()),
            );
            for table in &erasure.tables {
                way(
                    oid(&table.table),
                    match &table.reach {
                        Reach::Column(column) => SubjectWay::Column(column.clone()),
                        reach @ Reach::Via { .. } => SubjectWay::Reach(reach.clone()),
                    },
                );
            }
        }
        Self {
            tables: catalog.tables.clone(),
            subjects,
            labels,
            label_values: policy.legal_hold_labels.clone(),
        }
    }

    /// SQL over `t`, a row of the table (or partition) `oid`: true when the row is held, false otherwise, never NULL.
    /// `None`: no hold and no label can reach the table. `deletes`: the row is to be deleted, so rows that refer to it
    /// count with all that they refer to; otherwise its columns are changed.
    ///
    /// # Errors
    /// See [`HoldError`]; no row may be touched then.
    pub fn predicate(&self, oid: u32, deletes: bool, active: &Structure) -> Result<Option<Sql>, HoldError> {
        if let Some(on) = active.dangling.first() {
            return Err(HoldError::NoColumn { on: on.clone() });
        }
        if active.subjects && !self.subject_tables(deletes).contains(&oid) {
            return Err(HoldError::SubjectUnreachable {
                table: self.table(oid)?.relation.shown(),
            });
        }
        closure::predicate(self, active, oid, deletes)
    }

    /// The tables (and partitions) whose rows a hold on a subject can protect: it is known whose they are, by themselves or
    /// through rows that foreign keys tie to them. For all others such a hold is void, so nobody may touch them while one is
    /// active. `deletes`: see [`Self::predicate`].
    pub fn subject_tables(&self, deletes: bool) -> BTreeSet<u32> {
        closure::subject_tables(self, deletes)
    }

    /// The columns that subjects' keys are compared with, at the end of each way from a row to its subject.
    pub fn subject_columns(&self) -> Vec<HeldColumn> {
        let mut found: Vec<HeldColumn> = Vec::new();
        for (oid, ways) in &self.subjects {
            let Some(table) = self.tables.get(oid) else { continue };
            for way in ways {
                let (mut schema, mut name) = (&table.relation.schema, &table.relation.name);
                let column = match way {
                    SubjectWay::Column(column) => column,
                    SubjectWay::Reach(reach) => {
                        let mut at = reach;
                        loop {
                            match at {
                                Reach::Column(column) => break column,
                                Reach::Via { table, reach, .. } => {
                                    (schema, name) = (&table.schema, &table.name);
                                    at = reach;
                                }
                            }
                        }
                    }
                };
                let on = HeldColumn {
                    schema: schema.clone(),
                    table: name.clone(),
                    column: column.clone(),
                };
                if !found.contains(&on) {
                    found.push(on);
                }
            }
        }
        found
    }

    /// Active holds on columns of tables that no rule and no foreign key of a governed table leads to. They hold
    /// nothing back in this policy; the plan says so.
    pub fn unrelated<'a>(&self, active: &'a Structure) -> Vec<&'a HeldColumn> {
        active
            .columns
            .iter()
            .filter(|held| {
                !self
                    .tables
                    .values()
                    .any(|table| table.relation.schema == held.schema && table.relation.name == held.table)
            })
            .collect()
    }

    fn table(&self, oid: u32) -> Result<&Table, HoldError> {
        self.tables.get(&oid).ok_or(HoldError::UnknownTable { oid })
    }
}
