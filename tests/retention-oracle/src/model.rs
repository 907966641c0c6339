//! Owns the naive model: from the rows alone, what must be gone, changed, kept, and what must be counted. Written from
//! docs/retention.md; it shares no code with the program.

mod erasure;
mod held;

pub(crate) use erasure::Erased;

use crate::case::{Action, Case, ForeignKey, Kind, Moment, OnDelete, Op, Rule, Val, at};
use crate::{time, transform};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Table and position of a row.
pub(crate) type RowId = (usize, usize);

/// Of a foreign key: the table that declares it, and the rows that have the parent's values.
type Children<'a> = (usize, &'a ForeignKey, HashMap<Vec<Val>, Vec<usize>>);

/// What must become of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Due when the run began.
    pub due: u64,
    /// Gone, changed, detached.
    pub rows: u64,
    /// Due and held at the end.
    pub held: u64,
    /// Due and referred to at the end.
    pub blocked: u64,
    /// Without an age.
    pub undated: u64,
    /// Rows that went or changed along, in this or other tables.
    pub along: u64,
    /// What went along may be counted as a row of the rule: it is in the same table.
    pub mixed: bool,
}

/// A database after a run.
#[derive(Debug, Clone)]
pub(crate) struct State<'a> {
    /// The case.
    pub case: &'a Case,
    /// Rows, as they are now, also those of detached partitions; `None`: gone.
    pub rows: Vec<Vec<Option<Vec<Val>>>>,
    /// Rows that no statement touched have the same version.
    pub touched: BTreeSet<RowId>,
    /// Partitions that are tables of their own now, by table and position.
    pub detached: BTreeSet<(usize, usize)>,
    /// Rows in them, with the partition's position. No rule reaches them, but their foreign keys are as they were.
    pub apart: BTreeMap<RowId, usize>,
    /// Those of earlier runs.
    pub apart_before: BTreeSet<RowId>,
}

impl<'a> State<'a> {
    /// Before a run.
    pub(crate) fn new(case: &'a Case) -> Self {
        Self {
            case,
            rows: case
                .tables
                .iter()
                .map(|table| table.rows.iter().cloned().map(Some).collect())
                .collect(),
            touched: BTreeSet::new(),
            detached: BTreeSet::new(),
            apart: BTreeMap::new(),
            apart_before: BTreeSet::new(),
        }
    }

    /// The rules of a run.
    fn rules(&mut self) -> Vec<Counts> {
        let mut all: Vec<Counts> = self
            .case
            .rules
            .iter()
            .map(|rule| Counts {
                due: self.due(rule).len() as u64,
                undated: self.undated(rule),
                ..Counts::default()
            })
            .collect();
        // Foreign keys lead to the same or an earlier table, so later ones go first.
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|position| std::cmp::Reverse(self.case.rules[*position].table));
        for position in &order {
            self.apply(&self.case.rules[*position], &mut all[*position]);
        }
        // What a later rule set free goes in the same run.
        for _ in 0..3 {
            let before: u64 = all.iter().map(|counts| counts.rows).sum();
            for position in &order {
                let rule = &self.case.rules[*position];
                if all[*position].blocked > 0 && rule.max_rows.is_none() {
                    self.apply(rule, &mut all[*position]);
                }
            }
            if all.iter().map(|counts| counts.rows).sum::<u64>() == before {
                break;
            }
        }
        all
    }

    /// Rows of a table.
    pub(crate) fn alive(&self, table: usize) -> impl Iterator<Item = (usize, &Vec<Val>)> {
        self.with_apart(table)
            .filter(move |(position, _)| !self.apart.contains_key(&(table, *position)))
    }

    /// Rows of a table and of the partitions that were detached from it.
    fn with_apart(&self, table: usize) -> impl Iterator<Item = (usize, &Vec<Val>)> {
        self.rows[table]
            .iter()
            .enumerate()
            .filter_map(|(position, row)| Some((position, row.as_ref()?)))
    }

    fn undated(&self, rule: &Rule) -> u64 {
        if rule.age.is_none() {
            return 0;
        }
        self.alive(rule.table)
            .filter(|(_, row)| row[at::AGE] == Val::Null)
            .count() as u64
    }

    fn is_due(&self, rule: &Rule, row: &[Val]) -> bool {
        let old = rule.age.is_none_or(|term| {
            let cutoff = time::cutoff(self.case.as_of, self.case.grace, term);
            match (&row[at::AGE], self.case.tables[rule.table].columns[at::AGE].kind) {
                (Val::Time(Moment::Before), _) => true,
                (Val::Time(Moment::At(day)), Kind::Date) => {
                    day.div_euclid(crate::case::DAY) < cutoff.div_euclid(crate::case::DAY)
                }
                (Val::Time(Moment::At(moment)), _) => *moment < cutoff,
                _ => false,
            }
        });
        old && Self::changes(&rule.action, row) && rule.conditions.iter().all(|(place, op)| holds(op, &row[*place]))
    }

    /// There is something to do with the row.
    fn changes(action: &Action, row: &[Val]) -> bool {
        match action {
            Action::Anonymise(_) => Self::changed(action, row) != row,
            Action::Delete | Action::Detach => true,
        }
    }

    fn due(&self, rule: &Rule) -> Vec<usize> {
        self.alive(rule.table)
            .filter(|(_, row)| self.is_due(rule, row))
            .map(|(position, _)| position)
            .collect()
    }

    fn changed(action: &Action, row: &[Val]) -> Vec<Val> {
        let mut row = row.to_vec();
        if let Action::Anonymise(all) = action {
            for (place, how) in all {
                row[*place] = transform::apply(how, &row[*place], *place == at::IP_TEXT);
            }
        }
        row
    }

    /// Who refers to whom, by foreign key: the parent's values to the children.
    fn children(&self) -> Vec<Children<'a>> {
        let mut all = Vec::new();
        for (child, table) in self.case.tables.iter().enumerate() {
            for key in &table.keys {
                let mut map: HashMap<Vec<Val>, Vec<usize>> = HashMap::new();
                for (position, row) in self.with_apart(child) {
                    let values: Vec<Val> = key.ours.iter().map(|place| row[*place].clone()).collect();
                    if !values.contains(&Val::Null) {
                        map.entry(values).or_default().push(position);
                    }
                }
                all.push((child, key, map));
            }
        }
        all
    }

    /// Rows of a table that other rows keep.
    fn blocked(&self, table: usize, cascade: bool, rows: &[usize]) -> BTreeSet<usize> {
        let children = self.children();
        rows.iter()
            .copied()
            .filter(|row| {
                let mut seen = BTreeSet::new();
                self.keeps(&children, cascade, (table, *row), &mut seen)
            })
            .collect()
    }

    fn keeps(&self, children: &[Children<'_>], cascade: bool, row: RowId, seen: &mut BTreeSet<RowId>) -> bool {
        if !seen.insert(row) {
            return false;
        }
        let Some(values) = &self.rows[row.0][row.1] else {
            return false;
        };
        children
            .iter()
            .filter(|(_, key, _)| key.parent == row.0)
            .any(|(child, key, map)| {
                let theirs: Vec<Val> = key.theirs.iter().map(|place| values[*place].clone()).collect();
                let others = map
                    .get(&theirs)
                    .into_iter()
                    .flatten()
                    .filter(|other| (*child, **other) != row);
                let not_null = key
                    .ours
                    .iter()
                    .any(|place| self.case.tables[*child].columns[*place].not_null);
                let mut others = others;
                match key.on_delete {
                    _ if !cascade => others.next().is_some(),
                    OnDelete::NoAction | OnDelete::Restrict => others.next().is_some(),
                    OnDelete::SetNull if not_null => others.next().is_some(),
                    OnDelete::SetNull | OnDelete::SetDefault => false,
                    OnDelete::Cascade => others.any(|other| self.keeps(children, cascade, (*child, *other), seen)),
                }
            })
    }

    fn apply(&mut self, rule: &Rule, counts: &mut Counts) {
        if rule.action == Action::Detach {
            self.detach(rule, counts);
            counts.held = self.split(rule.table, true, self.due(rule)).0;
        } else {
            self.work((rule.table, &rule.action, rule.cascade), counts, |state| {
                state.due(rule)
            });
        }
    }

    /// What is due in a table is deleted or changed, as far as it may be.
    fn work(
        &mut self,
        (table, action, cascade): (usize, &Action, bool),
        counts: &mut Counts,
        due: impl Fn(&Self) -> Vec<usize>,
    ) {
        let deletes = *action == Action::Delete;
        if deletes {
            let keys = &self.case.tables[table].keys;
            counts.mixed = cascade && keys.iter().any(|key| key.parent == table);
        }
        loop {
            let (_, free) = self.split(table, deletes, due(self));
            if !deletes {
                for row in free {
                    if let Some(values) = &mut self.rows[table][row] {
                        *values = Self::changed(action, values);
                        self.touched.insert((table, row));
                        counts.rows += 1;
                    }
                }
                break;
            }
            let blocked = self.blocked(table, cascade, &free);
            let gone: Vec<usize> = free.into_iter().filter(|row| !blocked.contains(row)).collect();
            if gone.is_empty() {
                break;
            }
            self.delete(table, &gone, counts);
        }
        let (held, free) = self.split(table, deletes, due(self));
        counts.held = held;
        if deletes {
            counts.blocked = self.blocked(table, cascade, &free).len() as u64;
        }
    }

    /// How many of these rows are held; and the others.
    fn split(&self, table: usize, deletes: bool, rows: Vec<usize>) -> (u64, Vec<usize>) {
        let held = self.held(deletes);
        let (held, free): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(|row| held.contains(&(table, *row)));
        (held.len() as u64, free)
    }

    fn delete(&mut self, table: usize, rows: &[usize], counts: &mut Counts) {
        let children = self.children();
        let mut left: Vec<(RowId, bool)> = rows.iter().map(|row| ((table, *row), false)).collect();
        // What is due itself is not counted as gone along.
        left.reverse();
        let mut gone: Vec<(RowId, Vec<Val>)> = Vec::new();
        while let Some((row, along)) = left.pop() {
            let Some(values) = self.rows[row.0][row.1].take() else {
                continue;
            };
            if along && !(row.0 == table && rows.contains(&row.1)) {
                counts.along += 1;
            } else {
                counts.rows += 1;
            }
            for (child, key, map) in children.iter().filter(|(_, key, _)| key.parent == row.0) {
                let theirs: Vec<Val> = key.theirs.iter().map(|place| values[*place].clone()).collect();
                if key.on_delete == OnDelete::Cascade {
                    left.extend(
                        map.get(&theirs)
                            .into_iter()
                            .flatten()
                            .map(|other| ((*child, *other), true)),
                    );
                }
            }
            gone.push((row, values));
        }
        for (row, values) in gone {
            for (child, key, map) in children.iter().filter(|(_, key, _)| key.parent == row.0) {
                let theirs: Vec<Val> = key.theirs.iter().map(|place| values[*place].clone()).collect();
                for other in map.get(&theirs).into_iter().flatten() {
                    if let Some(values) = &mut self.rows[*child][*other] {
                        for place in &key.ours {
                            values[*place] = Val::Null;
                        }
                        counts.along += 1;
                        self.touched.insert((*child, *other));
                    }
                }
            }
        }
    }

    fn detach(&mut self, rule: &Rule, counts: &mut Counts) {
        let table = &self.case.tables[rule.table];
        let Some((parts, term)) = table.parts.as_ref().zip(rule.age) else {
            return;
        };
        let referred = self
            .case
            .tables
            .iter()
            .flat_map(|table| &table.keys)
            .any(|key| key.parent == rule.table);
        if referred {
            return;
        }
        let held = self.held(true);
        let cutoff = time::cutoff(self.case.as_of, self.case.grace, term);
        let places: Vec<(usize, Option<i64>, i64)> = parts
            .leaves
            .iter()
            .enumerate()
            .filter_map(|(position, leaf)| Some((position, leaf.lower, leaf.upper?)))
            .collect();
        for (position, lower, upper) in places {
            if upper > cutoff {
                continue;
            }
            let inside: Vec<usize> = self
                .alive(rule.table)
                .filter(|(_, row)| match row[at::AGE] {
                    Val::Time(Moment::Before) => lower.is_none(),
                    Val::Time(Moment::At(moment)) => moment < upper && lower.is_none_or(|lower| moment >= lower),
                    _ => false,
                })
                .map(|(row, _)| row)
                .collect();
            if inside.iter().any(|row| held.contains(&(rule.table, *row))) {
                continue;
            }
            counts.rows += inside.len() as u64;
            self.detached.insert((rule.table, position));
            self.apart
                .extend(inside.into_iter().map(|row| ((rule.table, row), position)));
        }
    }
}

fn holds(op: &Op, value: &Val) -> bool {
    let number = |test: &dyn Fn(i64) -> bool| matches!(value, Val::Int(number) if test(*number));
    match op {
        Op::IsNull => *value == Val::Null,
        Op::NotNull => *value != Val::Null,
        Op::Eq(of) => value == of,
        Op::Ne(of) => *value != Val::Null && value != of,
        Op::Lt(of) => number(&|number| number < *of),
        Op::Le(of) => number(&|number| number <= *of),
        Op::Gt(of) => number(&|number| number > *of),
        Op::Ge(of) => number(&|number| number >= *of),
        Op::In(of) => *value != Val::Null && of.contains(value),
        Op::NotIn(of) => *value != Val::Null && !of.contains(value),
    }
}
