//! Owns the form for everything else: a recursive query that follows rows by where they lie (`tableoid`, `ctid`), through
//! trees and circles of any size.
//!
//! ```text
//! d: the row, and all that (when it is deleted) goes along, by foreign keys downwards
//! u: these, and all that they refer to
//! held: the row says so itself, or one of u is held by itself
//! ```

use super::closure::{Live, or};
use super::graph::Step;
use super::own::{direct, terms};
use super::{HoldError, HoldRules};
use crate::catalog::{RelationKind, Table};
use pg_session::{Sql, quote_ident};
use retention_store::hold::Structure;
use std::collections::BTreeSet;

/// A foreign key: the table that declares it, and its name.
type KeyId = (u32, String);

/// Over `t`: the row is held if one is true.
pub(super) fn held(
    rules: &HoldRules,
    active: &Structure,
    live: &Live,
    table: &Table,
    deletes: bool,
) -> Result<Vec<Sql>, HoldError> {
    let below = reached(
        rules,
        &BTreeSet::from([table.relation.oid]),
        &live.down,
        HoldRules::down,
    );
    let mut from = BTreeSet::from([table.relation.oid]);
    if deletes {
        from.extend(&below.tables);
    }
    let above = reached(rules, &from, &live.up, HoldRules::up);
    let down = steps(rules, &below.keys, false, "d")?;
    let up = steps(rules, &above.keys, true, "u")?;
    let start = "SELECT t.tableoid AS o, t.ctid AS c";
    // First what the row says itself: that is cheap, and needs no query.
    let mut any = terms(rules, active, table, "t")?;
    if deletes {
        let tables = own(rules, active, "u")?;
        any.extend(or(&tables).map(|own| {
            Sql::text(format!(
                "EXISTS (WITH RECURSIVE d AS ({}), u AS ({}) SELECT 1 FROM u WHERE ",
                walk(start, "d", &down),
                walk("SELECT d.o, d.c FROM d", "u", &up),
            ))
            .append(&own)
            .raw(")")
        }));
    } else {
        for (name, steps) in [("d", &down), ("u", &up)] {
            let tables = own(rules, active, name)?;
            any.extend(or(&tables).map(|own| {
                Sql::text(format!(
                    "EXISTS (WITH RECURSIVE {name} AS ({}) SELECT 1 FROM {name} WHERE ",
                    walk(start, name, steps)
                ))
                .append(&own)
                .raw(")")
            }));
        }
    }
    Ok(any)
}

/// `start`, and all that the steps lead to.
fn walk(start: &str, name: &str, steps: &[String]) -> String {
    if steps.is_empty() {
        start.to_owned()
    } else {
        format!(
            "{start} UNION SELECT n.o, n.c FROM {name}, LATERAL ({}) AS n",
            steps.join(" UNION ALL ")
        )
    }
}

struct Reached {
    tables: BTreeSet<u32>,
    keys: BTreeSet<KeyId>,
}

/// Tables and foreign keys that can be come to from here and lead to a hold.
fn reached(
    rules: &HoldRules,
    from: &BTreeSet<u32>,
    live: &BTreeSet<u32>,
    steps: fn(&HoldRules, &Table) -> Vec<Step>,
) -> Reached {
    let mut found = Reached {
        tables: BTreeSet::new(),
        keys: BTreeSet::new(),
    };
    let mut open: Vec<u32> = from.iter().copied().collect();
    let mut seen = from.clone();
    while let Some(table) = open.pop().and_then(|oid| rules.tables.get(&oid)) {
        for step in steps(rules, table).into_iter().filter(|step| live.contains(&step.to)) {
            found.keys.insert(step.key);
            found.tables.insert(step.to);
            if seen.insert(step.to) {
                open.push(step.to);
            }
        }
    }
    found
}

/// One query a foreign key: from the row that lies at `name.o`, `name.c` to those at its other end.
fn steps(rules: &HoldRules, keys: &BTreeSet<KeyId>, up: bool, name: &str) -> Result<Vec<String>, HoldError> {
    let mut queries = Vec::new();
    for (child, key) in keys {
        let table = rules.table(*child)?;
        let Some(key) = table.foreign_keys.iter().find(|known| known.name == *key) else {
            continue;
        };
        let Some(step) = rules.step(key, up, None) else {
            continue;
        };
        let (from, to) = if up {
            (key.child, key.parent)
        } else {
            (key.parent, key.child)
        };
        queries.push(format!(
            "SELECT x.tableoid AS o, x.ctid AS c FROM {} AS a, {} AS x WHERE a.tableoid = {name}.o AND a.ctid = {name}.c AND {}",
            rows_of(rules.table(from)?),
            rows_of(rules.table(to)?),
            step.joins("x", |pair| format!("a.{}", quote_ident(&pair.of_row))),
        ));
    }
    Ok(queries)
}

/// The rows that a foreign key of the table concerns: its own and its partitions', not those of old-style children.
fn rows_of(table: &Table) -> String {
    let only = if table.kind == RelationKind::Partitioned {
        ""
    } else {
        "ONLY "
    };
    format!("{only}{}", table.relation.quoted())
}

/// The row that lies at `name.o`, `name.c` is held by itself.
fn own(rules: &HoldRules, active: &Structure, name: &str) -> Result<Vec<Sql>, HoldError> {
    let mut any = Vec::new();
    for table in rules.tables.values() {
        let terms = direct(rules, active, table, "x")?;
        any.extend(or(&terms).map(|held| {
            Sql::text(format!(
                "EXISTS (SELECT 1 FROM {} AS x WHERE x.tableoid = {name}.o AND x.ctid = {name}.c AND ",
                table.relation.quoted()
            ))
            .append(&held)
            .raw(")")
        }));
    }
    Ok(any)
}
