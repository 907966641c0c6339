//! Owns the checks of names, kinds, rights and types, and the list of what they found. A rule is checked to its end, so
//! that everything is told at once.

use super::error::{Problem, ResolveError, nearest};
use crate::catalog::{Catalog, RelationKind, Table};
use crate::model::Column;
use retention_policy::TableName;

/// What a rule wants to do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right<'a> {
    /// Read it.
    Read,
    /// Delete rows.
    Delete,
    /// Set these columns.
    Update(&'a [&'a str]),
}

/// One rule (or the erasure) while it is checked.
pub(crate) struct Scope<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) rule: String,
    pub(crate) errors: Vec<ResolveError>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(catalog: &'a Catalog, rule: impl Into<String>) -> Self {
        Self {
            catalog,
            rule: rule.into(),
            errors: Vec::new(),
        }
    }

    /// Notes a problem.
    pub(crate) fn wrong(&mut self, object: impl Into<String>, problem: Problem) {
        self.errors.push(ResolveError {
            rule: self.rule.clone(),
            object: object.into(),
            problem,
        });
    }

    /// Notes a problem of a column.
    pub(crate) fn wrong_column(&mut self, table: &Table, column: &str, problem: Problem) {
        self.wrong(format!("{}.{column}", table.relation.shown()), problem);
    }

    /// The table, if there is one of this name that stores rows here.
    pub(crate) fn table(&mut self, name: &TableName) -> Option<&'a Table> {
        let Some(table) = self.catalog.find(&name.schema, &name.name) else {
            let nearest = self.nearest_table(name);
            self.wrong(name.to_string(), Problem::NoTable { nearest });
            return None;
        };
        let found = match table.kind {
            RelationKind::Table | RelationKind::Partitioned if table.persistence == 't' => "a temporary table",
            RelationKind::Table | RelationKind::Partitioned => {
                let owner = match name.schema.as_str() {
                    "retention" => "this tool",
                    "pg_catalog" | "information_schema" => "PostgreSQL",
                    _ => return Some(table),
                };
                self.wrong(name.to_string(), Problem::Reserved { owner });
                return None;
            }
            RelationKind::View => "a view",
            RelationKind::MaterialisedView => "a materialised view",
            RelationKind::ForeignTable => "a foreign table",
            RelationKind::Other => "a sequence, an index or a type",
        };
        self.wrong(name.to_string(), Problem::Kind { found });
        None
    }

    fn nearest_table(&self, name: &TableName) -> Option<String> {
        let known = &self.catalog.known_names;
        // The right name in another schema is likelier than any other.
        let elsewhere = known
            .iter()
            .find(|known| known.split_once('.').is_some_and(|(_, table)| table == name.name));
        elsewhere
            .cloned()
            .or_else(|| nearest(&name.to_string(), known.iter().map(String::as_str)))
    }

    /// The column, if there is one.
    pub(crate) fn column(&mut self, table: &'a Table, name: &str) -> Option<&'a Column> {
        let found = table.column(name);
        if found.is_none() {
            let nearest = nearest(name, table.columns.iter().map(|column| column.name.as_str()));
            self.wrong_column(table, name, Problem::NoColumn { nearest });
        }
        found
    }

    /// Checks rights and row security on the table and, unless it is only read, on everything that stores its rows.
    pub(crate) fn may(&mut self, table: &'a Table, right: Right<'_>) {
        if !table.privileges.usage {
            let schema = pg_session::quote_ident(&table.relation.schema);
            self.no_right(table, "USAGE", format!("SCHEMA {schema}"));
        }
        self.may_one(table, right);
        if right == Right::Read {
            return;
        }
        let leaves = self.catalog.leaves(table.relation.oid);
        let mut more = 0;
        let mut told = None;
        for leaf in leaves
            .into_iter()
            .filter(|leaf| leaf.relation.oid != table.relation.oid)
        {
            let before = self.errors.len();
            match leaf.kind {
                RelationKind::ForeignTable => {
                    let partition = leaf.relation.shown();
                    self.wrong(table.relation.shown(), Problem::ForeignPartition { partition });
                }
                _ if leaf.persistence == 't' => {
                    let found = "a temporary table";
                    self.wrong(leaf.relation.shown(), Problem::Kind { found });
                }
                _ => self.may_one(leaf, right),
            }
            // What thousands of partitions lack is told of the first.
            if told.is_some() && self.errors.len() > before {
                self.errors.truncate(before);
                more += 1;
            } else if self.errors.len() > before {
                told = Some(before);
            }
        }
        for error in self
            .errors
            .iter_mut()
            .skip(told.unwrap_or(usize::MAX))
            .filter(|_| more > 0)
        {
            error.object = format!("{} (and {more} more)", error.object);
        }
    }

    fn may_one(&mut self, table: &Table, right: Right<'_>) {
        let on = format!("TABLE {}", table.relation.quoted());
        if !table.privileges.select {
            self.no_right(table, "SELECT", on.clone());
        }
        match right {
            Right::Read => {}
            // The row of a partitioned table itself is never written to; its leaves are.
            _ if table.kind == RelationKind::Partitioned => {}
            Right::Delete if !table.privileges.delete => self.no_right(table, "DELETE", on),
            Right::Update(columns) if !table.privileges.update => {
                let granted = |name: &&str| {
                    table
                        .column(name)
                        .is_some_and(|column| table.update_columns.contains(&column.number))
                };
                if !columns.iter().all(granted) {
                    self.no_right(table, "UPDATE", on);
                }
            }
            Right::Delete | Right::Update(_) => {}
        }
        if table.row_security {
            let user = self.catalog.server.user.clone();
            self.wrong(table.relation.shown(), Problem::RowSecurity { user });
        }
    }

    fn no_right(&mut self, table: &Table, right: &'static str, on: String) {
        let user = self.catalog.server.user.clone();
        self.wrong(table.relation.shown(), Problem::Privilege { user, right, on });
    }

    /// Rows must have names, unless the rule says that they need none.
    pub(crate) fn has_primary_key(&mut self, table: &Table, allowed: bool) {
        let leaves = self.catalog.leaves(table.relation.oid);
        let has = !table.primary_key.is_empty()
            || (!leaves.is_empty() && leaves.iter().all(|leaf| !leaf.primary_key.is_empty()));
        if !allowed && !has {
            self.wrong(table.relation.shown(), Problem::NoPrimaryKey);
        }
    }
}
