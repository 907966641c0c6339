//! Owns random erasures: a table of requests, and the tables with rows of subjects.

use super::{Maker, one_in};
use crate::case::{Action, Case, Column, DAY, Erasure, Kind, LONG_AGO, Moment, Reached, Table, Val, at};

impl Maker {
    /// Adds a table of requests and an erasure to a case.
    pub(super) fn erasure(&mut self, case: &mut Case) {
        let requests = case.tables.len();
        let table = self.requests(case);
        let completed = table.columns.len() - 1;
        case.tables.push(table);
        // What a run leaves for the next is another question.
        for rule in &mut case.rules {
            rule.max_rows = None;
        }
        let mut tables: Vec<Reached> = Vec::new();
        for position in 0..requests {
            if !one_in(&mut self.rng, 3) {
                let way = self.way(&case.tables, position);
                let reached = self.reached(case, position, way);
                tables.push(reached);
            }
        }
        if tables.is_empty() || self.rng.bool() {
            let reached = self.reached(case, requests, Vec::new());
            tables.push(reached);
        }
        self.rng.shuffle(&mut tables);
        case.erasure = Some(Erasure {
            requests,
            requested: vec![self.condition()],
            completed,
            tables,
        });
    }

    fn requests(&mut self, case: &Case) -> Table {
        let mut table = self.table(&case.tables, case.as_of - 30 * DAY);
        if table.keys.iter().all(|key| key.parent < case.tables.len()) && self.rng.bool() {
            // Few ask.
            table.rows.truncate(8);
        }
        table.physical.push(table.columns.len());
        let name = self.name();
        table.columns.push(Column {
            name,
            kind: Kind::StampTz,
            domain: false,
            not_null: false,
            default: None,
        });
        for row in &mut table.rows {
            row[at::SUBJECT] = match self.rng.usize(0..40) {
                0..5 => Val::Null,
                // Of most of these there are no rows.
                5..12 => Val::Text(format!("nobody{}", self.rng.usize(0..3))),
                _ => Val::Text(format!("s{}", self.rng.usize(0..40))),
            };
            let completed = one_in(&mut self.rng, 4);
            row.push(if completed {
                Val::Time(Moment::At(LONG_AGO))
            } else {
                Val::Null
            });
        }
        table
    }

    /// By the row's own column, or through some of the tables that it refers to.
    fn way(&mut self, tables: &[Table], from: usize) -> Vec<usize> {
        let (mut way, mut table) = (Vec::new(), from);
        while self.rng.bool() {
            let further = tables[table].keys.iter().position(|key| key.parent != table);
            let Some(key) = further else { break };
            way.push(key);
            table = tables[table].keys[key].parent;
        }
        way
    }

    fn reached(&mut self, case: &Case, table: usize, way: Vec<usize>) -> Reached {
        // Two that change the same column undo each other's work every night, and keys are needed to find rows again.
        let rules = case.rules.iter().filter(|rule| rule.table == table);
        let taken: Vec<usize> = rules
            .flat_map(|rule| match &rule.action {
                Action::Anonymise(columns) => columns.iter().map(|(place, _)| *place).collect(),
                _ => Vec::new(),
            })
            .collect();
        let mut columns = self.transforms(&case.tables[table]);
        columns.retain(|(place, _)| *place < at::FIRST_KEY && !taken.contains(place));
        let delete = columns.is_empty() || self.rng.bool();
        Reached {
            table,
            cascade: delete && self.rng.bool(),
            action: if delete {
                Action::Delete
            } else {
                Action::Anonymise(columns)
            },
            way,
        }
    }
}
