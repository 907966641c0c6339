//! Owns what foreign keys into a table mean for its rows: which rows stay because others refer to them, and which tables
//! change along when rows go.

use crate::catalog::{Catalog, ForeignKey, OnDelete, RelationKind, Table};
use crate::model::Relation;
use pg_session::{Sql, quote_ident};
use retention_policy::OnChildren;
use std::collections::{BTreeMap, BTreeSet};

/// Cascades are followed so far; what would go along beyond that keeps the row.
const DEPTH: usize = 8;

/// A foreign key: its table and name.
type KeyId<'a> = (u32, &'a str);

fn id_of(key: &ForeignKey) -> KeyId<'_> {
    (key.child, &key.name)
}

/// The foreign keys into these leaves, each with the leaves that it refers to.
fn into_leaves<'a>(catalog: &'a Catalog, leaves: &[&'a Table]) -> Vec<(&'a ForeignKey, Vec<u32>)> {
    let mut found: BTreeMap<KeyId<'a>, (&'a ForeignKey, Vec<u32>)> = BTreeMap::new();
    for leaf in leaves {
        for key in catalog.referring_to(leaf.relation.oid) {
            let entry = found.entry(id_of(key)).or_insert_with(|| (key, Vec::new()));
            entry.1.push(leaf.relation.oid);
        }
    }
    found.into_values().collect()
}

/// Whether deleting what it refers to fails, or deletes or changes the row that refers.
fn refuses(catalog: &Catalog, key: &ForeignKey) -> bool {
    match key.on_delete {
        OnDelete::NoAction | OnDelete::Restrict => true,
        OnDelete::Cascade | OnDelete::SetDefault => false,
        OnDelete::SetNull => {
            let columns = catalog.tables.get(&key.child).map_or(&[][..], |table| &table.columns);
            columns
                .iter()
                .any(|column| column.not_null && key.child_columns.contains(&column.number))
        }
    }
}

/// Over `t`: the row stays because others refer to it. `None`: nothing can.
pub(crate) fn blocked(catalog: &Catalog, leaves: &[&Table], on_children: OnChildren) -> Option<Sql> {
    let mut any: Option<String> = None;
    for (key, of) in into_leaves(catalog, leaves) {
        let mut path = BTreeSet::new();
        let Some(test) = refers(catalog, key, "t", leaves, on_children, &mut path) else {
            continue;
        };
        // A key that refers to some partitions only says nothing about rows of the others.
        let test = if of.len() == leaves.len() {
            test
        } else {
            let of: Vec<String> = of.iter().map(u32::to_string).collect();
            format!("t.tableoid IN ({}) AND {test}", of.join(", "))
        };
        any = Some(any.map_or_else(|| test.clone(), |before| format!("{before} OR {test}")));
    }
    any.map(Sql::text)
}

/// A row that refers to `parent` by this key, and so keeps it from going.
fn refers<'a>(
    catalog: &'a Catalog,
    key: &'a ForeignKey,
    parent: &str,
    leaves: &[&Table],
    on_children: OnChildren,
    path: &mut BTreeSet<KeyId<'a>>,
) -> Option<String> {
    let child = catalog.tables.get(&key.child)?;
    let alias = format!("c{}", path.len() + 1);
    if !path.insert(id_of(key)) {
        return None;
    }
    let further = if on_children == OnChildren::Keep || refuses(catalog, key) || path.len() > DEPTH {
        Some(None)
    } else if key.on_delete == OnDelete::Cascade {
        // It would go too, unless something keeps it in turn.
        let mut tests = Vec::new();
        let below = catalog.leaves(key.child);
        for (next, _) in into_leaves(catalog, &below) {
            tests.extend(refers(catalog, next, &alias, &[], on_children, path));
        }
        (!tests.is_empty()).then(|| Some(tests.join(" OR ")))
    } else {
        None
    };
    path.remove(&id_of(key));
    let further = further?;
    let only = if child.kind == RelationKind::Partitioned {
        ""
    } else {
        "ONLY "
    };
    let mut text = format!(
        "EXISTS (SELECT FROM {only}{} AS {alias} WHERE ",
        child.relation.quoted()
    );
    let (theirs, ours) = (
        catalog.column_names(key.child, &key.child_columns),
        catalog.column_names(key.parent, &key.parent_columns),
    );
    let pairs: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .zip(&key.operators)
        .map(|((ours, theirs), operator)| {
            format!(
                "{parent}.{} {operator} {alias}.{}",
                quote_ident(ours),
                quote_ident(theirs)
            )
        })
        .collect();
    text.push_str(&pairs.join(" AND "));
    let below: BTreeSet<u32> = catalog.leaves(key.child).iter().map(|leaf| leaf.relation.oid).collect();
    if leaves.iter().any(|leaf| below.contains(&leaf.relation.oid)) {
        // A row that refers to itself keeps nobody.
        let same = format!("{alias}.tableoid = {parent}.tableoid AND {alias}.ctid = {parent}.ctid");
        text.extend([" AND NOT (", &same, ")"]);
    }
    if let Some(further) = further {
        text.extend([" AND (", &further, ")"]);
    }
    text.push(')');
    Some(text)
}

/// Everything that deleting rows of these leaves reads: the foreign keys into them, and with `cascade` those into what goes
/// along.
pub(crate) fn keys_read<'a>(
    catalog: &'a Catalog,
    leaves: &[&'a Table],
    on_children: OnChildren,
) -> Vec<&'a ForeignKey> {
    walk(catalog, leaves, on_children == OnChildren::Cascade).0
}

/// The leaves in which foreign keys delete or change rows when rows of these leaves go.
pub(crate) fn cascades_to(catalog: &Catalog, leaves: &[&Table]) -> Vec<Relation> {
    walk(catalog, leaves, true).1
}

fn walk<'a>(catalog: &'a Catalog, leaves: &[&'a Table], follow: bool) -> (Vec<&'a ForeignKey>, Vec<Relation>) {
    let mut keys: BTreeMap<KeyId<'a>, &'a ForeignKey> = BTreeMap::new();
    let mut changed: BTreeMap<u32, Relation> = BTreeMap::new();
    let mut left: Vec<&Table> = leaves.to_vec();
    while let Some(leaf) = left.pop() {
        for key in catalog.referring_to(leaf.relation.oid) {
            if keys.insert(id_of(key), key).is_some() || refuses(catalog, key) {
                continue;
            }
            let below = catalog.leaves(key.child);
            changed.extend(below.iter().map(|leaf| (leaf.relation.oid, leaf.relation.clone())));
            if follow && key.on_delete == OnDelete::Cascade {
                left.extend(below);
            }
        }
    }
    (keys.into_values().collect(), changed.into_values().collect())
}
