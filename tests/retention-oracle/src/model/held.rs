//! Owns which rows are held: by themselves, and through others.

use super::{RowId, State};
use crate::case::{Hold, Val, at};
use crate::sql;
use std::collections::{BTreeSet, HashMap};

impl State<'_> {
    fn own_holds(&self) -> BTreeSet<RowId> {
        let mut held = BTreeSet::new();
        for hold in &self.case.holds {
            match hold {
                Hold::Value(table, place, value) => {
                    let kind = self.case.tables[*table].columns[*place].kind;
                    let named = self
                        .alive(*table)
                        .filter(|(_, row)| sql::shown(&row[*place], kind).as_ref() == Some(value));
                    held.extend(named.map(|(position, _)| (*table, position)));
                }
                Hold::Subject(subject) => {
                    for rule in self.case.rules.iter().filter(|rule| rule.subject) {
                        let of = self
                            .alive(rule.table)
                            .filter(|(_, row)| row[at::SUBJECT] == Val::Text(subject.clone()));
                        held.extend(of.map(|(position, _)| (rule.table, position)));
                    }
                    held.extend(self.of_subject(&Val::Text(subject.clone())));
                }
            }
        }
        held
    }

    /// Rows that a hold reaches. What refers to a held row is held, however far; and what a held row refers to. If rows are
    /// changed only, a row is not held by a row that is held by another that it refers to.
    pub(super) fn held(&self, deletes: bool) -> BTreeSet<RowId> {
        let own = self.own_holds();
        if own.is_empty() {
            return own;
        }
        let mut down: HashMap<RowId, Vec<RowId>> = HashMap::new();
        let mut up: HashMap<RowId, Vec<RowId>> = HashMap::new();
        for (child, key, map) in self.children() {
            for (position, row) in self.alive(key.parent) {
                let values: Vec<Val> = key.theirs.iter().map(|place| row[*place].clone()).collect();
                for other in map.get(&values).into_iter().flatten() {
                    down.entry((key.parent, position)).or_default().push((child, *other));
                    up.entry((child, *other)).or_default().push((key.parent, position));
                }
            }
        }
        let below = closure(&own, &down);
        let above = closure(if deletes { &below } else { &own }, &up);
        below.union(&above).copied().collect()
    }
}

fn closure(from: &BTreeSet<RowId>, steps: &HashMap<RowId, Vec<RowId>>) -> BTreeSet<RowId> {
    let mut all = from.clone();
    let mut left: Vec<RowId> = from.iter().copied().collect();
    while let Some(row) = left.pop() {
        left.extend(steps.get(&row).into_iter().flatten().filter(|next| all.insert(**next)));
    }
    all
}
