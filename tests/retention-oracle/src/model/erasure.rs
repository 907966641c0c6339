//! Owns the right to be forgotten: whose rows are whose, what becomes of the rows of subjects that ask, and who is done.

use super::{Counts, RowId, State};
use crate::case::{Action, Erasure, NOW, Reached, Val, at};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What must become of a run's erasures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    /// Subjects that ask, done or not.
    pub asked: u64,
    /// Of these, nothing is left.
    pub completed: u64,
    /// Per table: what was done.
    pub tables: BTreeMap<usize, Counts>,
    /// Rows of requests that became complete.
    pub marked: u64,
}

impl State<'_> {
    /// A run: the rules, then the erasures.
    pub(crate) fn run(&mut self) -> (Vec<Counts>, Erased) {
        self.apart_before = self.apart.keys().copied().collect();
        let rules = self.rules();
        let erased = self.case.erasure.as_ref().map(|erasure| self.erase(erasure));
        (rules, erased.unwrap_or_default())
    }

    /// Rows that a table had when the run began: erasures also reach those that a rule has detached since.
    fn at_first(&self, table: usize) -> impl Iterator<Item = (usize, &Vec<Val>)> {
        self.with_apart(table)
            .filter(move |(row, _)| !self.apart_before.contains(&(table, *row)))
    }

    /// Rows of a table with their subjects.
    fn whose(&self, table: usize, way: &[usize]) -> Vec<(usize, Val)> {
        let Some((key, further)) = way.split_first() else {
            let own = self
                .at_first(table)
                .map(|(row, values)| (row, values[at::SUBJECT].clone()));
            return own.filter(|(_, subject)| *subject != Val::Null).collect();
        };
        let key = &self.case.tables[table].keys[*key];
        let mut parents: HashMap<&Val, Vec<Val>> = HashMap::new();
        for (parent, subject) in self.whose(key.parent, further) {
            if let Some(values) = &self.rows[key.parent][parent] {
                parents.entry(&values[at::ID]).or_default().push(subject);
            }
        }
        self.at_first(table)
            .flat_map(|(row, values)| {
                let subjects = parents.get(&values[key.ours[0]]).cloned().unwrap_or_default();
                subjects.into_iter().map(move |subject| (row, subject))
            })
            .collect()
    }

    /// Rows of which the policy's erasure says that they are a subject's.
    pub(super) fn of_subject(&self, subject: &Val) -> Vec<RowId> {
        let Some(erasure) = &self.case.erasure else {
            return Vec::new();
        };
        let own = (erasure.requests, &[][..]);
        let ways = erasure.tables.iter().map(|reached| (reached.table, &reached.way[..]));
        ways.chain([own])
            .flat_map(|(table, way)| {
                self.whose(table, way)
                    .into_iter()
                    .map(move |(row, whose)| ((table, row), whose))
            })
            .filter(|(_, whose)| whose == subject)
            .map(|(row, _)| row)
            .collect()
    }

    /// Rows of these subjects with which there is something to do.
    fn theirs(&self, reached: &Reached, subjects: &BTreeSet<Val>) -> Vec<(usize, Val)> {
        let mut all = self.whose(reached.table, &reached.way);
        all.retain(|(row, subject)| {
            let values = self.rows[reached.table][*row].as_ref();
            subjects.contains(subject) && values.is_some_and(|values| Self::changes(&reached.action, values))
        });
        all
    }

    fn erase(&mut self, erasure: &Erasure) -> Erased {
        let asked: BTreeSet<Val> = self
            .alive(erasure.requests)
            .filter(|(_, row)| {
                let mut requested = erasure.requested.iter();
                row[at::SUBJECT] != Val::Null && requested.all(|(place, op)| super::holds(op, &row[*place]))
            })
            .map(|(_, row)| row[at::SUBJECT].clone())
            .collect();
        let mut erased = Erased {
            asked: asked.len() as u64,
            ..Erased::default()
        };
        // What refers to others goes first: later tables refer to earlier ones. Requests come last.
        let mut order: Vec<&Reached> = erasure.tables.iter().collect();
        order.sort_by_key(|reached| (reached.table == erasure.requests, std::cmp::Reverse(reached.table)));
        // Of whom a table kept something.
        let mut kept: Vec<(&Reached, BTreeSet<Val>)> = Vec::new();
        for reached in order {
            // What leads to rows that must stay is needed to find them again.
            let mut subjects = asked.clone();
            for (before, stay) in &kept {
                if reached.action == Action::Delete && self.leads(erasure, reached.table, before) {
                    subjects.retain(|subject| !stay.contains(subject));
                }
            }
            let mut counts = Counts::default();
            let work = (reached.table, &reached.action, reached.cascade);
            self.work(work, &mut counts, |state| {
                let rows: BTreeSet<usize> = state
                    .theirs(reached, &subjects)
                    .into_iter()
                    .map(|(row, _)| row)
                    .collect();
                rows.into_iter().collect()
            });
            erased.tables.insert(reached.table, counts);
            let left = self.theirs(reached, &subjects);
            kept.push((reached, left.into_iter().map(|(_, subject)| subject).collect()));
        }
        let held = self.held(false);
        let mut done = asked.clone();
        for (row, subject) in self.whose(erasure.requests, &[]) {
            if held.contains(&(erasure.requests, row)) {
                done.remove(&subject);
            }
        }
        for reached in &erasure.tables {
            for (_, subject) in self.theirs(reached, &asked) {
                done.remove(&subject);
            }
        }
        erased.completed = done.len() as u64;
        for (row, subject) in self.whose(erasure.requests, &[]) {
            if let Some(values) = &mut self.rows[erasure.requests][row]
                && done.contains(&subject)
                && values[erasure.completed] == Val::Null
            {
                values[erasure.completed] = Val::Text(NOW.to_owned());
                self.touched.insert((erasure.requests, row));
                erased.marked += 1;
            }
        }
        erased
    }

    /// Rows of `to` are found by rows of `table`.
    fn leads(&self, erasure: &Erasure, table: usize, to: &Reached) -> bool {
        let mut at = to.table;
        let through = to.way.iter().any(|key| {
            at = self.case.tables[at].keys[*key].parent;
            at == table
        });
        through || table == erasure.requests
    }
}
