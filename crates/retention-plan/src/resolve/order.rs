//! Owns the order of tasks: rows that refer to others go before those.

use crate::catalog::Catalog;
use std::collections::{BTreeMap, BTreeSet};

/// The order in which `tables` (one an item, the same table may come several times) are done, as positions, and those that
/// could not be ordered because they refer to each other in a circle. What need not be ordered stays as it was.
pub(crate) fn children_first(catalog: &Catalog, tables: &[u32], also: &[(usize, usize)]) -> (Vec<usize>, Vec<usize>) {
    let ties = ties(catalog);
    let reached: Vec<BTreeSet<u32>> = tables.iter().map(|table| reach(&ties, catalog.root(*table))).collect();
    let before = |child: usize, parent: usize| {
        let (this, that) = (catalog.root(tables[child]), catalog.root(tables[parent]));
        (this != that && reached[child].contains(&that)) || also.contains(&(child, parent))
    };
    let mut left: Vec<usize> = (0..tables.len()).collect();
    let mut order = Vec::with_capacity(tables.len());
    let mut circular = Vec::new();
    while !left.is_empty() {
        let free = |item: &usize| !left.iter().any(|other| other != item && before(*other, *item));
        let next = left.iter().copied().find(|item| free(item)).unwrap_or_else(|| {
            // Everything that is left waits for something: take the first of the document that is in a circle itself.
            let in_circle = |item: &usize| left.iter().any(|o| o != item && before(*o, *item) && before(*item, *o));
            let first = left.iter().copied().find(in_circle).unwrap_or(left[0]);
            circular.push(first);
            first
        });
        left.retain(|item| *item != next);
        order.push(next);
    }
    (order, circular)
}

/// Per table, the tables that it refers to; partitions count as the table that they are part of.
fn ties(catalog: &Catalog) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut ties: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for key in catalog.tables.values().flat_map(|table| &table.foreign_keys) {
        ties.entry(catalog.root(key.child))
            .or_default()
            .insert(catalog.root(key.parent));
    }
    ties
}

fn reach(ties: &BTreeMap<u32, BTreeSet<u32>>, from: u32) -> BTreeSet<u32> {
    let mut seen = BTreeSet::new();
    let mut left = vec![from];
    while let Some(next) = left.pop() {
        left.extend(
            ties.get(&next)
                .into_iter()
                .flatten()
                .filter(|table| seen.insert(**table)),
        );
    }
    seen
}
