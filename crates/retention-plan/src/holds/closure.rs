//! Owns what makes a row held through other rows: those that it refers to, and those that refer to it, however far.
//!
//! There are two forms of SQL for it, which mean the same. Where foreign keys tie tables in few ways and never in a
//! circle, `EXISTS` within `EXISTS` is fast: one look by an index each. Everywhere else a recursive query follows rows by
//! where they lie; its length grows with the number of foreign keys, not with the number of ways.

use super::graph::Step;
use super::nested::Nested;
use super::own::terms;
use super::recursive;
use super::{HoldError, HoldRules, SubjectWay};
use crate::catalog::{RelationKind, Table};
use pg_session::Sql;
use retention_store::hold::Structure;
use std::collections::BTreeSet;

/// Tables whose rows can be held at all, by themselves or through others. Nothing else is looked at.
pub(super) struct Live {
    /// Through what they refer to.
    pub(super) up: BTreeSet<u32>,
    /// Through rows that refer to them.
    pub(super) down: BTreeSet<u32>,
}

impl Live {
    fn find(rules: &HoldRules, active: &Structure, deletes: bool) -> Self {
        // An error is alive too: it comes up when the table is looked at.
        Self::from(rules, deletes, |table| {
            terms(rules, active, table, "t").map_or(true, |terms| !terms.is_empty())
        })
    }

    /// From the tables whose rows can be held by themselves.
    fn from(rules: &HoldRules, deletes: bool, own: impl Fn(&Table) -> bool) -> Self {
        let own: BTreeSet<u32> = rules
            .tables
            .iter()
            .filter(|(_, table)| own(table))
            .map(|(oid, _)| *oid)
            .collect();
        let up = spread(rules, own.clone(), HoldRules::up);
        let seeds = if deletes { up.clone() } else { own };
        Self {
            down: spread(rules, seeds, HoldRules::down),
            up,
        }
    }
}

/// See [`HoldRules::subject_tables`].
pub(super) fn subject_tables(rules: &HoldRules, deletes: bool) -> BTreeSet<u32> {
    let live = Live::from(rules, deletes, |table| {
        rules
            .parts(table)
            .iter()
            .any(|part| rules.subjects.contains_key(&part.table.relation.oid))
    });
    live.up.union(&live.down).copied().collect()
}

/// See [`HoldRules::predicate`].
pub(super) fn predicate(
    rules: &HoldRules,
    active: &Structure,
    oid: u32,
    deletes: bool,
) -> Result<Option<Sql>, HoldError> {
    let table = rules.table(oid)?;
    let live = Live::find(rules, active, deletes);
    let mut any = match Nested::new(rules, active, &live).held(table, deletes)? {
        Some(any) => any,
        None => recursive::held(rules, active, &live, table, deletes)?,
    };
    let by_itself = terms(rules, active, table, "t")?.len() == any.len() && !reaches(rules, active, table);
    if !any.is_empty() && !by_itself && table.kind != RelationKind::Partitioned {
        any.insert(0, changed(table));
    }
    Ok(or(&any).map(|any| Sql::text("COALESCE(").append(&any).raw(", false)")))
}

/// The row has another version than our snapshot has: somebody changed it while we waited for its lock, and PostgreSQL looks
/// at our conditions again (READ COMMITTED). It does so with the new version as `t`, but whatever is looked up in other tables,
/// or by where the row lies, is as it was before, and what a `WITH` found is not even looked up again. So nobody knows whether
/// the row is held: it is, for this statement. The next sweep sees it as it is now.
///
/// `= ANY (ARRAY [...])`, because of `=` alone the planner may make a hash of the whole table.
fn changed(table: &Table) -> Sql {
    Sql::text(format!(
        "NOT EXISTS (SELECT 1 FROM {} AS s WHERE s.ctid = ANY (ARRAY[t.ctid]) AND s.tableoid = t.tableoid)",
        table.relation.quoted()
    ))
}

/// Whether the way to a row's subject leads through other tables.
fn reaches(rules: &HoldRules, active: &Structure, table: &Table) -> bool {
    active.subjects
        && rules.parts(table).iter().any(|part| {
            let ways = rules.subjects.get(&part.table.relation.oid);
            ways.is_some_and(|ways| ways.iter().any(|way| matches!(way, SubjectWay::Reach(_))))
        })
}

/// The seeds, and every table from which a step leads to one of them.
fn spread(rules: &HoldRules, seeds: BTreeSet<u32>, steps: fn(&HoldRules, &Table) -> Vec<Step>) -> BTreeSet<u32> {
    let edges: Vec<(u32, u32)> = rules
        .tables
        .iter()
        .flat_map(|(oid, table)| steps(rules, table).into_iter().map(|step| (*oid, step.to)))
        .collect();
    let mut live = seeds;
    loop {
        let before = live.len();
        for (from, to) in &edges {
            if live.contains(to) {
                live.insert(*from);
            }
        }
        if live.len() == before {
            return live;
        }
    }
}

/// `((a) OR (b))`; `None` of nothing.
pub(super) fn or(terms: &[Sql]) -> Option<Sql> {
    let (first, rest) = terms.split_first()?;
    let all = rest.iter().fold(Sql::text("((").append(first).raw(")"), |all, term| {
        all.raw(" OR (").append(term).raw(")")
    });
    Some(all.raw(")"))
}
