//! Owns what makes a row held by itself: holds on its columns, holds on its subject, labels.

use super::{HoldError, HoldRules, SubjectWay};
use crate::catalog::Table;
use crate::model::Column;
use pg_session::{Sql, quote_ident};
use retention_policy::Reach;
use retention_store::hold::{HeldColumn, Structure};

/// `alias."column"::text IN (...)` terms (see [`is_one_of`]); a row is held if one is true. They may be NULL. What is said of the table's
/// parents and partitions counts too.
pub(super) fn terms(rules: &HoldRules, active: &Structure, table: &Table, alias: &str) -> Result<Vec<Sql>, HoldError> {
    let mut terms = Vec::new();
    for part in rules.parts(table) {
        let of_part = of_part(rules, active, table, part.table, alias)?;
        terms.extend(
            of_part
                .into_iter()
                .map(|term| of_rows(alias, part.only.as_deref(), &term)),
        );
    }
    Ok(terms)
}

/// The same, but only what is said of the table by its own name.
pub(super) fn direct(rules: &HoldRules, active: &Structure, table: &Table, alias: &str) -> Result<Vec<Sql>, HoldError> {
    of_part(rules, active, table, table, alias)
}

/// What is said of `part`, over rows of `table`.
fn of_part(
    rules: &HoldRules,
    active: &Structure,
    table: &Table,
    part: &Table,
    alias: &str,
) -> Result<Vec<Sql>, HoldError> {
    let mut terms = Vec::new();
    for held in active.columns.iter().filter(|held| names(held, part)) {
        if part.column(&held.column).is_none() {
            return Err(HoldError::NoColumn { on: held.clone() });
        }
        terms.push(on_column(table, part, alias, &held.column, &held_values(held)));
    }
    if active.subjects {
        for way in rules.subjects.get(&part.relation.oid).into_iter().flatten() {
            terms.push(match way {
                SubjectWay::Column(column) => on_column(table, part, alias, column, &subject_values()),
                SubjectWay::Reach(reach) => rules.along(Some(part), reach, alias, 1),
            });
        }
    }
    if !rules.label_values.is_empty() {
        for column in rules.labels.get(&part.relation.oid).into_iter().flatten() {
            if let Some(column) = part.column(column) {
                terms.push(labelled(column, alias, &rules.label_values));
            }
        }
    }
    Ok(terms)
}

/// `term`, but only for rows of these tables.
pub(super) fn of_rows(alias: &str, only: Option<&[u32]>, term: &Sql) -> Sql {
    match only {
        None => term.clone(),
        Some(oids) => {
            let list: Vec<String> = oids.iter().map(ToString::to_string).collect();
            Sql::text(format!("{alias}.tableoid IN ({}) AND (", list.join(", ")))
                .append(term)
                .raw(")")
        }
    }
}

fn names(held: &HeldColumn, table: &Table) -> bool {
    held.schema == table.relation.schema && held.table == table.relation.name
}

fn column(alias: &str, name: &str) -> String {
    format!("{alias}.{}", quote_ident(name))
}

fn held_values(held: &HeldColumn) -> Sql {
    Sql::text("SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = ")
        .param(held.schema.as_str(), "pg_catalog.text")
        .raw(" AND h.table_name = ")
        .param(held.table.as_str(), "pg_catalog.text")
        .raw(" AND h.column_name = ")
        .param(held.column.as_str(), "pg_catalog.text")
}

fn subject_values() -> Sql {
    Sql::text("SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_name IS NULL")
}

fn on_column(table: &Table, part: &Table, alias: &str, name: &str, values: &Sql) -> Sql {
    if let Some(of) = table.column(name) {
        return is_one_of(Some(of), alias, name, values);
    }
    // An inheritance child may have columns that its parent lacks: the row is looked up where it has them.
    Sql::text(format!(
        "EXISTS (SELECT 1 FROM {} AS {alias}x WHERE {alias}x.tableoid = {alias}.tableoid AND {alias}x.ctid = {alias}.ctid \
         AND ",
        part.relation.quoted()
    ))
    .append(&is_one_of(part.column(name), &format!("{alias}x"), name, values))
    .raw(")")
}

/// Whether the column has one of the values: as PostgreSQL prints them, and by its own equality where that is a wider one
/// (`citext`), because a hold protects rather too much than too little.
fn is_one_of(of: Option<&Column>, alias: &str, name: &str, values: &Sql) -> Sql {
    let value = column(alias, name);
    match of.filter(|of| of.is_citext()) {
        Some(of) => {
            let kind = &of.base_type;
            Sql::text(format!(
                "{value}::{kind} {} ANY (SELECT v.value::{kind} FROM (",
                of.operator("=")
            ))
            .append(values)
            .raw(") AS v (value))")
        }
        None => Sql::text(format!("{value}::pg_catalog.text IN ("))
            .append(values)
            .raw(")"),
    }
}

impl HoldRules {
    /// Over `t`: whether a hold names the row by the table and column `held`, of which `like` knows the columns (it was a
    /// partition of it). Never NULL.
    pub fn by_name(&self, held: &HeldColumn, like: u32) -> Sql {
        let of = self.tables.get(&like).and_then(|table| table.column(&held.column));
        Sql::text("COALESCE(")
            .append(&is_one_of(of, "t", &held.column, &held_values(held)))
            .raw(", false)")
    }

    /// The row's way to its subject, whose key a hold has.
    fn along(&self, at: Option<&Table>, reach: &Reach, alias: &str, depth: u32) -> Sql {
        match reach {
            Reach::Column(name) => is_one_of(at.and_then(|table| table.column(name)), alias, name, &subject_values()),
            Reach::Via {
                column: from,
                table: name,
                key,
                reach,
            } => {
                let next = format!("{alias}v{depth}");
                let table = self
                    .tables
                    .values()
                    .find(|table| table.relation.schema == name.schema && table.relation.name == name.name);
                let equals = table
                    .and_then(|table| table.column(key))
                    .map_or_else(|| "=".to_owned(), |key| key.operator("="));
                Sql::text(format!(
                    "EXISTS (SELECT 1 FROM {}.{} AS {next} WHERE {} {equals} {} AND ",
                    quote_ident(&name.schema),
                    quote_ident(&name.name),
                    column(&next, key),
                    column(alias, from),
                ))
                .append(&self.along(table, reach, &next, depth + 1))
                .raw(")")
            }
        }
    }
}

fn labelled(of: &Column, alias: &str, labels: &[String]) -> Sql {
    let list = |mut sql: Sql| {
        for (index, label) in labels.iter().enumerate() {
            if index > 0 {
                sql = sql.raw(", ");
            }
            sql = sql.param(label.as_str(), "pg_catalog.text");
        }
        sql
    };
    let name = column(alias, &of.name);
    if of.base_type.ends_with("[]") {
        list(Sql::text(format!("{name}::pg_catalog.text[] && ARRAY["))).raw("]")
    } else if of.base_type == "jsonb" || of.base_type == "json" {
        // The function behind `?|`: elements of an array, a single string, or keys of an object.
        list(Sql::text(format!(
            "pg_catalog.jsonb_exists_any({name}::pg_catalog.jsonb, ARRAY["
        )))
        .raw("])")
    } else {
        list(Sql::text(format!("{name}::pg_catalog.text IN ("))).raw(")")
    }
}
