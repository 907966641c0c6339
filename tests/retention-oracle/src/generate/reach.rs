//! Owns which rules need not say whose rows theirs are, because foreign keys tie them to tables of which it is known.

use super::Maker;
use crate::case::{Action, Case, Hold};
use std::collections::BTreeSet;

impl Maker {
    /// While a subject is held, a run with a table of which nobody knows whose its rows are is refused; but it is enough if
    /// foreign keys lead there. So rules lose their subject column as long as that is so.
    pub(super) fn through_keys_only(&mut self, case: &mut Case) {
        if !case.holds.iter().any(|hold| matches!(hold, Hold::Subject(_))) {
            return;
        }
        let mut order: Vec<usize> = (0..case.rules.len()).collect();
        self.rng.shuffle(&mut order);
        for position in order {
            case.rules[position].subject = false;
            if self.rng.bool() || !all_known(case) {
                case.rules[position].subject = true;
            }
        }
    }
}

fn all_known(case: &Case) -> bool {
    let (deleted, changed) = (known(case, true), known(case, false));
    let reached = case.erasure.iter().flat_map(|erasure| &erasure.tables);
    case.rules
        .iter()
        .map(|rule| (rule.table, &rule.action))
        .chain(reached.map(|reached| (reached.table, &reached.action)))
        .all(|(table, action)| match action {
            Action::Anonymise(_) => changed.contains(&table),
            Action::Delete | Action::Detach => deleted.contains(&table),
        })
}

/// Tables of whose rows a hold on a subject can hold some.
fn known(case: &Case, deletes: bool) -> BTreeSet<usize> {
    let keys: Vec<(usize, usize)> = case
        .tables
        .iter()
        .enumerate()
        .flat_map(|(child, table)| table.keys.iter().map(move |key| (key.parent, child)))
        .collect();
    let rules = case.rules.iter().filter(|rule| rule.subject).map(|rule| rule.table);
    let erasure = case.erasure.iter();
    let own: BTreeSet<usize> = rules
        .chain(erasure.flat_map(|erasure| {
            erasure
                .tables
                .iter()
                .map(|reached| reached.table)
                .chain([erasure.requests])
        }))
        .collect();
    let below = spread(own.clone(), &keys);
    let turned: Vec<(usize, usize)> = keys.iter().map(|(parent, child)| (*child, *parent)).collect();
    let above = spread(if deletes { below.clone() } else { own }, &turned);
    below.union(&above).copied().collect()
}

fn spread(mut all: BTreeSet<usize>, steps: &[(usize, usize)]) -> BTreeSet<usize> {
    loop {
        let more: Vec<usize> = steps
            .iter()
            .filter(|(from, to)| all.contains(from) && !all.contains(to))
            .map(|(_, to)| *to)
            .collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}
