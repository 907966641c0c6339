//! Owns foreign keys and partitions as seen from one table.
//!
//! A foreign key or a hold may be written on a parent and concern a partition's rows, or the other way round; and
//! PostgreSQL keeps copies of a parent's foreign keys on partitions, which must not be followed twice.

use super::HoldRules;
use crate::catalog::{ForeignKey, Table};
use pg_session::quote_ident;

/// A table of the same partition tree, and which rows of the one that is looked at are its rows.
pub(super) struct Part<'a> {
    pub(super) table: &'a Table,
    /// The rows with these `tableoid`s; `None`: all.
    pub(super) only: Option<Vec<u32>>,
    /// Foreign keys of the part concern the rows (those of an old-style inheritance parent do not).
    pub(super) keys: bool,
}

/// A foreign key between two tables, by names: copies on partitions are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    child_root: u32,
    parent_root: u32,
    child_columns: Vec<String>,
    parent_columns: Vec<String>,
}

/// One column of a foreign key.
pub(super) struct Pair {
    /// Of the row.
    pub(super) of_row: String,
    /// At the other end.
    pub(super) other: String,
    /// Between parent (left) and child (right).
    pub(super) operator: String,
}

/// A foreign key that leads away from a row.
pub(super) struct Step {
    pub(super) edge: Edge,
    /// The table that declares it, and its name there.
    pub(super) key: (u32, String),
    /// The table at the other end.
    pub(super) to: u32,
    /// How the columns go together.
    pub(super) columns: Vec<Pair>,
    /// The row refers to the other end; otherwise the other end refers to it.
    pub(super) up: bool,
    /// See [`Part::only`].
    pub(super) only: Option<Vec<u32>>,
}

impl Step {
    /// A row at one end may belong to several at the other (keys over periods).
    pub(super) fn overlaps(&self) -> bool {
        self.columns.iter().any(|pair| pair.operator.contains("&&"))
    }

    /// The rows belong together: `next` is at the other end, `from` gives an expression for the row's column.
    pub(super) fn joins(&self, next: &str, from: impl Fn(&Pair) -> String) -> String {
        let terms: Vec<String> = self
            .columns
            .iter()
            .map(|pair| {
                let row = from(pair);
                let other = format!("{next}.{}", quote_ident(&pair.other));
                let (parent, child) = if self.up { (other, row) } else { (row, other) };
                format!("{parent} {} {child}", pair.operator)
            })
            .collect();
        terms.join(" AND ")
    }
}

impl HoldRules {
    /// The table, the parents that it is a part of, and its own partitions.
    pub(super) fn parts<'a>(&'a self, table: &'a Table) -> Vec<Part<'a>> {
        let mut parts = vec![Part {
            table,
            only: None,
            keys: true,
        }];
        let mut declarative = true;
        let mut below = table;
        while let Some(partition) = &below.partition {
            declarative &= partition.declarative;
            let Some(parent) = self.tables.get(&partition.parent) else {
                break;
            };
            if parts.iter().any(|part| part.table.relation.oid == parent.relation.oid) {
                break;
            }
            parts.push(Part {
                table: parent,
                only: None,
                keys: declarative,
            });
            below = parent;
        }
        for oid in self.below(table) {
            if let Some(child) = self.tables.get(&oid) {
                let mut rows = self.below(child);
                rows.push(oid);
                parts.push(Part {
                    table: child,
                    only: Some(rows),
                    keys: true,
                });
            }
        }
        parts
    }

    fn below(&self, table: &Table) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        let mut open = table.children.clone();
        while let Some(oid) = open.pop() {
            if !found.contains(&oid) {
                found.push(oid);
                open.extend(self.tables.get(&oid).into_iter().flat_map(|child| &child.children));
            }
        }
        found
    }

    /// The topmost parent, or itself.
    pub(super) fn root(&self, oid: u32) -> u32 {
        let mut oid = oid;
        // As many steps as there are tables: a picture with a cycle in it ends too.
        for _ in 0..self.tables.len() {
            match self.tables.get(&oid).and_then(|table| table.partition.as_ref()) {
                Some(partition) if self.tables.contains_key(&partition.parent) => oid = partition.parent,
                _ => break,
            }
        }
        oid
    }

    /// To the rows that a row of the table refers to.
    pub(super) fn up(&self, table: &Table) -> Vec<Step> {
        self.steps(table, |part| &part.foreign_keys, true)
    }

    /// To the rows that refer to a row of the table.
    pub(super) fn down(&self, table: &Table) -> Vec<Step> {
        self.steps(table, |part| &part.referenced_by, false)
    }

    fn steps<'a>(&'a self, table: &'a Table, keys: fn(&Table) -> &Vec<ForeignKey>, up: bool) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for part in self.parts(table).into_iter().filter(|part| part.keys) {
            for key in keys(part.table) {
                let Some(step) = self.step(key, up, part.only.clone()) else {
                    continue;
                };
                // The parts come widest first, so that what is left out is the copy on a partition.
                if !steps.iter().any(|known| known.edge == step.edge && known.to == step.to) {
                    steps.push(step);
                }
            }
        }
        steps
    }

    /// One foreign key, in one direction.
    pub(super) fn step(&self, key: &ForeignKey, up: bool, only: Option<Vec<u32>>) -> Option<Step> {
        let child_columns = names(self.tables.get(&key.child)?, &key.child_columns)?;
        let parent_columns = names(self.tables.get(&key.parent)?, &key.parent_columns)?;
        let columns = child_columns.iter().zip(&parent_columns).enumerate();
        Some(Step {
            key: (key.child, key.name.clone()),
            to: if up { key.parent } else { key.child },
            columns: columns
                .map(|(index, (child, parent))| {
                    let (of_row, other) = if up { (child, parent) } else { (parent, child) };
                    Pair {
                        of_row: of_row.clone(),
                        other: other.clone(),
                        operator: key.operators.get(index).cloned().unwrap_or_else(|| "=".to_owned()),
                    }
                })
                .collect(),
            up,
            edge: Edge {
                child_root: self.root(key.child),
                parent_root: self.root(key.parent),
                child_columns,
                parent_columns,
            },
            only,
        })
    }
}

fn names(table: &Table, numbers: &[i16]) -> Option<Vec<String>> {
    numbers
        .iter()
        .map(|number| {
            table
                .columns
                .iter()
                .find(|column| column.number == *number)
                .map(|column| column.name.clone())
        })
        .collect()
}
