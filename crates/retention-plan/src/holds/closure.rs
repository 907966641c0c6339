//! Owns what makes a row held through other rows: those that it refers to, and those that refer to it.
//!
//! Each foreign key is used at most once on a way, and a way is at most [`DEPTH`] long. A foreign key from a table to
//! itself is followed to its end (a tree of any depth) by a recursive query.

use super::graph::{Edge, Step};
use super::own::{of_rows, terms};
use super::{HoldError, HoldRules};
use crate::catalog::Table;
use pg_session::{Sql, quote_ident};
use retention_store::hold::Structure;
use std::collections::BTreeSet;

/// The longest way.
const DEPTH: usize = 8;
/// So many looks into other tables are the most for one predicate.
const WAYS: usize = 400;

pub(super) struct Closure<'a> {
    rules: &'a HoldRules,
    active: &'a Structure,
    /// For names of aliases, and to stop in time.
    looks: usize,
    table: String,
    /// Tables whose rows can be held by themselves or through what they refer to. Nothing else is looked at: the ways
    /// between tables without holds may be very many.
    live_up: BTreeSet<u32>,
    /// The same, through rows that refer to them.
    live_down: BTreeSet<u32>,
}

impl<'a> Closure<'a> {
    pub(super) fn new(rules: &'a HoldRules, active: &'a Structure) -> Self {
        Self {
            rules,
            active,
            looks: 0,
            table: String::new(),
            live_up: BTreeSet::new(),
            live_down: BTreeSet::new(),
        }
    }

    /// Finds the tables that lead to a hold at all, by foreign keys in either direction.
    fn find_live(&mut self, deletes: bool) {
        let rules = self.rules;
        // An error is alive too: it comes up when the table is looked at.
        let own = |table: &Table| terms(rules, self.active, table, "t").map_or(true, |terms| !terms.is_empty());
        let own: BTreeSet<u32> = rules
            .tables
            .iter()
            .filter(|(_, table)| own(table))
            .map(|(oid, _)| *oid)
            .collect();
        self.live_up = spread(rules, own.clone(), HoldRules::up);
        let seeds = if deletes { self.live_up.clone() } else { own };
        self.live_down = spread(rules, seeds, HoldRules::down);
    }

    pub(super) fn predicate(mut self, oid: u32, deletes: bool) -> Result<Option<Sql>, HoldError> {
        let table = self.rules.table(oid)?;
        self.table = table.relation.shown();
        self.find_live(deletes);
        let mut used = Vec::new();
        let mut any = terms(self.rules, self.active, table, "t")?;
        any.extend(self.up(table, "t", &mut used)?);
        any.extend(self.down(table, "t", deletes, &mut used)?);
        Ok(or(&any).map(|any| Sql::text("COALESCE(").append(&any).raw(", false)")))
    }

    /// The row refers to a held one.
    fn up(&mut self, table: &Table, alias: &str, used: &mut Vec<Edge>) -> Result<Vec<Sql>, HoldError> {
        let mut any = Vec::new();
        for step in self.rules.up(table) {
            if used.contains(&step.edge) || used.len() >= DEPTH || !self.live_up.contains(&step.to) {
                continue;
            }
            let next = self.look()?;
            let to = self.rules.table(step.to)?;
            used.push(step.edge.clone());
            let mut held = terms(self.rules, self.active, to, &next)?;
            held.extend(self.up(to, &next, used)?);
            used.pop();
            any.extend(exists(&step, to, alias, &next, &held));
        }
        Ok(any)
    }

    /// A held row refers to the row.
    fn down(&mut self, table: &Table, alias: &str, deletes: bool, used: &mut Vec<Edge>) -> Result<Vec<Sql>, HoldError> {
        let mut any = Vec::new();
        for step in self.rules.down(table) {
            if used.contains(&step.edge) || used.len() >= DEPTH || !self.live_down.contains(&step.to) {
                continue;
            }
            let next = self.look()?;
            let to = self.rules.table(step.to)?;
            used.push(step.edge.clone());
            let mut held = terms(self.rules, self.active, to, &next)?;
            if deletes {
                // It is held because of what it refers to, and would be deleted or changed along.
                held.extend(self.up(to, &next, used)?);
            }
            held.extend(self.down(to, &next, deletes, used)?);
            used.pop();
            any.extend(exists(&step, to, alias, &next, &held));
        }
        Ok(any)
    }

    fn look(&mut self) -> Result<String, HoldError> {
        self.looks += 1;
        if self.looks > WAYS {
            return Err(HoldError::TooManyWays {
                table: self.table.clone(),
                limit: WAYS,
            });
        }
        Ok(format!("r{}", self.looks))
    }
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

/// A row at the other end is held; `None` if none can be.
fn exists(step: &Step, to: &Table, alias: &str, next: &str, held: &[Sql]) -> Option<Sql> {
    let held = or(held)?;
    let to = to.relation.quoted();
    let direct = step.joins(next, |_, pair| format!("{alias}.{}", quote_ident(&pair.of_row)));
    let found = if step.loops() {
        // The columns that lead on from a row that was reached, under names of ours.
        let carried: Vec<String> = step
            .columns
            .iter()
            .enumerate()
            .map(|(index, pair)| format!("{next}.{} AS k{index}", quote_ident(&pair.of_row)))
            .collect();
        let carried = carried.join(", ");
        let on = step.joins(next, |index, _| format!("w.k{index}"));
        Sql::text(format!(
            "EXISTS (WITH RECURSIVE w AS (SELECT {next}.tableoid AS o, {next}.ctid AS c, {carried} FROM {to} AS {next} WHERE \
             {direct} UNION SELECT {next}.tableoid, {next}.ctid, {carried} FROM w JOIN {to} AS {next} ON {on}) \
             SELECT 1 FROM w JOIN {to} AS {next} ON {next}.tableoid = w.o AND {next}.ctid = w.c WHERE "
        ))
        .append(&held)
        .raw(")")
    } else {
        Sql::text(format!("EXISTS (SELECT 1 FROM {to} AS {next} WHERE {direct} AND "))
            .append(&held)
            .raw(")")
    };
    Some(of_rows(alias, step.only.as_deref(), &found))
}

fn or(terms: &[Sql]) -> Option<Sql> {
    let (first, rest) = terms.split_first()?;
    let all = rest.iter().fold(Sql::text("((").append(first).raw(")"), |all, term| {
        all.raw(" OR (").append(term).raw(")")
    });
    Some(all.raw(")"))
}
