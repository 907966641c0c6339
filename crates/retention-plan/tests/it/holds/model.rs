//! Random tables, foreign keys and holds: which rows are held, against a naive model.

use super::{held, place, with_schema};
use crate::support::policy;
use pg_cluster::Major;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

const ROWS: usize = 6;

/// Tables that refer to earlier ones and to themselves, each row's references at random or NULL.
struct World {
    /// (child, parent), in the order of the columns `f0`, `f1`, ...
    edges: Vec<(usize, usize)>,
    /// Of each edge, of each row of the child: the row that it refers to.
    refers: Vec<Vec<Option<usize>>>,
    /// (table, row)
    own: BTreeSet<(usize, usize)>,
    tables: usize,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let tables = 2 + dice.below(4);
        let mut edges = Vec::new();
        for child in 0..tables {
            for parent in 0..=child {
                for _ in 0..2 {
                    if dice.below(3) == 0 {
                        edges.push((child, parent));
                    }
                }
            }
        }
        let refers = edges
            .iter()
            .map(|_| {
                (0..ROWS)
                    .map(|_| (dice.below(3) > 0).then(|| dice.below(ROWS)))
                    .collect()
            })
            .collect();
        let mut own = BTreeSet::new();
        for _ in 0..=dice.below(3) {
            own.insert((dice.below(tables), dice.below(ROWS)));
        }
        Self {
            edges,
            refers,
            own,
            tables,
        }
    }

    fn sql(&self) -> String {
        let mut sql = String::new();
        for table in 0..self.tables {
            let _ = write!(sql, "CREATE TABLE t{table} (id int PRIMARY KEY");
            for (at, _) in self.edges.iter().enumerate().filter(|(_, edge)| edge.0 == table) {
                let _ = write!(sql, ", f{at} int");
            }
            sql.push_str("); ");
            for row in 0..ROWS {
                let _ = write!(sql, "INSERT INTO t{table} VALUES ({row}");
                for (at, _) in self.edges.iter().enumerate().filter(|(_, edge)| edge.0 == table) {
                    let _ = match self.refers[at][row] {
                        Some(to) => write!(sql, ", {to}"),
                        None => write!(sql, ", NULL"),
                    };
                }
                sql.push_str("); ");
            }
        }
        for (at, (child, parent)) in self.edges.iter().enumerate() {
            let _ = write!(
                sql,
                "ALTER TABLE t{child} ADD FOREIGN KEY (f{at}) REFERENCES t{parent} ON DELETE CASCADE; "
            );
        }
        sql
    }

    /// One step along foreign keys, from the seeds, until nothing new is found; `up`: from a row to those that refer to it.
    fn spread(&self, seeds: &BTreeSet<(usize, usize)>, to_children: bool) -> BTreeSet<(usize, usize)> {
        let mut found = seeds.clone();
        loop {
            let before = found.len();
            for (at, (child, parent)) in self.edges.iter().enumerate() {
                for row in 0..ROWS {
                    let Some(to) = self.refers[at][row] else { continue };
                    let (from, next) = if to_children {
                        ((*parent, to), (*child, row))
                    } else {
                        ((*child, row), (*parent, to))
                    };
                    if found.contains(&from) {
                        found.insert(next);
                    }
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    fn held(&self, deletes: bool) -> BTreeSet<(usize, usize)> {
        let above = self.spread(&self.own, true);
        let below = self.spread(if deletes { &above } else { &self.own }, false);
        above.union(&below).copied().collect()
    }
}

pub async fn held_rows_are_those_of_a_naive_model(major: Major) {
    // Other worlds on each server; the same in every run.
    let mut dice = Dice(match major {
        Major::System => 5,
        Major::V14 => 14,
        Major::V18 => 18,
    });
    let db = with_schema(major, "").await;
    for case in 0..25 {
        let world = World::new(&mut dice);
        db.run(&format!(
            "CREATE SCHEMA w{case}; SET search_path = w{case}; {}",
            world.sql()
        ))
        .await;
        for (of, row) in &world.own {
            place(&db, Some((&format!("w{case}.t{of}"), "id")), &row.to_string()).await;
        }
        let names: Vec<String> = (0..world.tables).map(|at| format!("w{case}.t{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let catalog = db.catalog(&names).await;
        for deletes in [true, false] {
            let mut found = BTreeSet::new();
            for (at, name) in names.iter().enumerate() {
                let rows = held(&db, &catalog, &policy(vec![]), name, deletes).await;
                found.extend(rows.into_iter().map(|row| (at, usize::try_from(row).unwrap())));
            }
            assert_eq!(
                found,
                world.held(deletes),
                "case {case}, deletes {deletes}, held {:?}, {}",
                world.own,
                world.sql()
            );
        }
    }
}
