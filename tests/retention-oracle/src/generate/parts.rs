//! Owns random partitions.

use super::{Maker, one_in};
use crate::case::{Action, Case, Column, DAY, Kind, Leaf, Moment, Parts, Term};
use crate::sql::quoted;
use crate::time;

impl Maker {
    pub(super) fn parts(&mut self, schema: &str, table: &str, age: &Column, cutoff: i64) -> Parts {
        let default = self.rng.bool();
        let (schema, parent) = (quoted(schema), format!("{}.{}", quoted(schema), quoted(table)));
        let mut bounds = Vec::new();
        for day in [-300, -90, -30, -1, 0, 1, 40] {
            let bound = cutoff + day * DAY;
            // A few on the cutoff to the microsecond.
            let exact = age.kind != Kind::Date && one_in(&mut self.rng, 4);
            if self.rng.bool() {
                bounds.push(if exact { bound } else { bound.div_euclid(DAY) * DAY });
            }
        }
        bounds.sort_unstable();
        bounds.dedup();
        let literal = |bound: i64| format!("'{}'", time::text(Moment::At(bound), age.kind));
        let mut edges = vec!["MINVALUE".to_owned()];
        edges.extend(bounds.iter().map(|bound| literal(*bound)));
        edges.push("MAXVALUE".to_owned());
        let mut leaves = Vec::new();
        for index in 0..edges.len() - 1 {
            // What has no partition goes to the default.
            if default && one_in(&mut self.rng, 4) {
                continue;
            }
            let name = self.name();
            let part = format!("{schema}.{}", quoted(&name));
            let upper = bounds.get(index).copied();
            let of = format!(
                "CREATE TABLE {part} PARTITION OF {parent} FOR VALUES FROM ({}) TO ({})",
                edges[index],
                edges[index + 1]
            );
            let lower = index.checked_sub(1).and_then(|lower| bounds.get(lower)).copied();
            let middle = match (lower, upper) {
                (Some(lower), Some(upper)) => Some((lower + (upper - lower) / 2).div_euclid(DAY) * DAY)
                    .filter(|middle| *middle > lower && *middle < upper),
                _ => None,
            };
            if let Some(middle) = middle.filter(|_| one_in(&mut self.rng, 2)) {
                let (low, high) = (self.name(), self.name());
                let column = quoted(&age.name);
                leaves.push(Leaf {
                    sql: format!(
                        "{of} PARTITION BY RANGE ({column}); CREATE TABLE {schema}.{} PARTITION OF {part} FOR VALUES FROM ({}) TO ({})",
                        quoted(&low), edges[index], literal(middle)
                    ),
                    name: low,
                    upper: Some(middle),
                    lower,
                });
                leaves.push(Leaf {
                    sql: format!(
                        "CREATE TABLE {schema}.{} PARTITION OF {part} FOR VALUES FROM ({}) TO ({})",
                        quoted(&high),
                        literal(middle),
                        edges[index + 1]
                    ),
                    name: high,
                    upper,
                    lower: Some(middle),
                });
            } else {
                leaves.push(Leaf {
                    name,
                    sql: of,
                    upper,
                    lower,
                });
            }
        }
        if default {
            let name = self.name();
            leaves.push(Leaf {
                sql: format!("CREATE TABLE {schema}.{} PARTITION OF {parent} DEFAULT", quoted(&name)),
                name,
                upper: None,
                lower: None,
            });
        }
        Parts {
            leaves,
            default,
            hash: false,
        }
    }

    /// Much of what tables refer to whose partitions are detached is due, and stays if others refer to it.
    pub(super) fn above_detached(&mut self, case: &mut Case) {
        let detached = case.rules.iter().filter(|rule| rule.action == Action::Detach);
        let above: Vec<usize> = detached
            .flat_map(|rule| case.tables[rule.table].keys.iter().map(|key| key.parent))
            .collect();
        for rule in &mut case.rules {
            if above.contains(&rule.table) && rule.action == Action::Delete && self.rng.bool() {
                rule.cascade = false;
                rule.conditions.clear();
                rule.age = Some(Term::Days(1));
            }
        }
    }

    /// Some partitioned tables of a case are by hash of the number instead: no partition has an age.
    pub(super) fn hash(&mut self, case: &mut Case) {
        let detached = |position: usize| {
            let mut rules = case.rules.iter();
            rules.any(|rule| rule.table == position && rule.action == Action::Detach)
        };
        let positions: Vec<usize> = (0..case.tables.len()).filter(|position| !detached(*position)).collect();
        for position in positions {
            if case.tables[position].parts.is_none() || self.rng.bool() {
                continue;
            }
            let many = self.rng.usize(1..5);
            let names: Vec<String> = (0..many).map(|_| self.name()).collect();
            let table = &mut case.tables[position];
            let (schema, parent) = (quoted(&table.schema), crate::sql::of(table));
            let leaves = names
                .into_iter()
                .enumerate()
                .map(|(remainder, name)| Leaf {
                    sql: format!(
                        "CREATE TABLE {schema}.{} PARTITION OF {parent} FOR VALUES WITH (MODULUS {many}, REMAINDER {remainder})",
                        quoted(&name)
                    ),
                    name,
                    upper: None,
                    lower: None,
                })
                .collect();
            table.parts = Some(Parts {
                hash: true,
                leaves,
                default: false,
            });
        }
    }
}
