//! Owns the count of rows of other tables that foreign keys delete or change along.

use super::sql::free;
use crate::catalog::{Catalog, ForeignKey, OnDelete};
use crate::model::Task;
use pg_session::{Sql, quote_ident};
use serde::Serialize;

/// Longer ways are not counted.
const DEPTH: usize = 8;

/// Rows that one foreign key takes along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cascade {
    /// The foreign key, after those that lead to it: `orders_user_id_fkey > items_order_id_fkey`.
    pub foreign_key: String,
    /// `schema.table` of the rows.
    pub table: String,
    /// `delete`, `set-null`, `set-default`.
    pub effect: &'static str,
    /// How many.
    pub rows: u64,
}

/// One statement for each way along foreign keys that act; its only column is the count.
pub(super) fn statements(catalog: &Catalog, task: &Task, held: Option<&Sql>) -> Vec<(Cascade, Sql)> {
    let parents = Sql::text(format!("FROM {} AS t WHERE ", task.table.quoted())).append(&free(task, held));
    let leaves: Vec<u32> = task.leaves.iter().map(|leaf| leaf.relation.oid).collect();
    let mut found = Vec::new();
    below(catalog, &leaves, "t", &parents, &mut Vec::new(), &mut found);
    found
}

fn below<'a>(
    catalog: &'a Catalog,
    leaves: &[u32],
    alias: &str,
    parents: &Sql,
    path: &mut Vec<&'a ForeignKey>,
    found: &mut Vec<(Cascade, Sql)>,
) {
    let mut keys: Vec<&ForeignKey> = Vec::new();
    for key in leaves.iter().flat_map(|leaf| catalog.referring_to(*leaf)) {
        let known = |other: &&ForeignKey| other.child == key.child && other.name == key.name;
        if !keys.iter().any(known) && !path.iter().any(known) {
            keys.push(key);
        }
    }
    for key in keys {
        let (effect, goes) = match key.on_delete {
            OnDelete::Cascade => ("delete", true),
            OnDelete::SetNull => ("set-null", false),
            OnDelete::SetDefault => ("set-default", false),
            OnDelete::NoAction | OnDelete::Restrict => continue,
        };
        let Some(child) = catalog.tables.get(&key.child).filter(|_| path.len() < DEPTH) else {
            continue;
        };
        let next = format!("c{}", path.len() + 1);
        let pairs: Vec<String> = catalog
            .column_names(key.parent, &key.parent_columns)
            .iter()
            .zip(catalog.column_names(key.child, &key.child_columns))
            .zip(&key.operators)
            .map(|((parent, child), operator)| {
                format!(
                    "{alias}.{} {operator} {next}.{}",
                    quote_ident(parent),
                    quote_ident(child)
                )
            })
            .collect();
        let from = Sql::text(format!(
            "FROM {} AS {next} WHERE EXISTS (SELECT ",
            child.relation.quoted()
        ))
        .append(parents)
        .raw(format!(" AND {})", pairs.join(" AND ")));
        path.push(key);
        let names: Vec<&str> = path.iter().map(|key| key.name.as_str()).collect();
        found.push((
            Cascade {
                foreign_key: names.join(" > "),
                table: child.relation.shown(),
                effect,
                rows: 0,
            },
            Sql::text("SELECT pg_catalog.count(*) ").append(&from),
        ));
        if goes {
            let leaves: Vec<u32> = catalog.leaves(key.child).iter().map(|leaf| leaf.relation.oid).collect();
            below(catalog, &leaves, &next, &from, path, found);
        }
        path.pop();
    }
}
