//! Owns which columns may be made anonymous, and how.

use super::error::Problem;
use super::keys::Keys;
use super::probe::Probe;
use super::scope::Scope;
use super::transform::change;
use crate::catalog::{Catalog, Table};
use crate::model::{Column, Work};
use pg_session::Sql;
use retention_policy::Transform;
use std::collections::BTreeMap;

/// The work of `anonymise`, and the values to be tried on the server. `None`: something is wrong, and noted.
pub(crate) fn anonymise<'a>(
    scope: &mut Scope<'a>,
    table: &'a Table,
    transforms: &BTreeMap<String, Transform>,
    keys: &Keys,
) -> Option<(Work, Vec<Probe>)> {
    let (mut set, mut guard) = (Sql::new(), Sql::new());
    let mut columns = Vec::new();
    let mut probes = Vec::new();
    for (name, transform) in transforms {
        let Some(column) = scope.column(table, name) else {
            continue;
        };
        if let Some((where_found, problem)) = obstacle(scope.catalog, table, column, transform) {
            scope.wrong_column(where_found, name, problem);
            continue;
        }
        let change = match change(column, transform, keys) {
            Ok(change) => change,
            Err(problem) => {
                scope.wrong_column(table, name, problem);
                continue;
            }
        };
        if !columns.is_empty() {
            set = set.raw(", ");
            guard = guard.raw(" OR ");
        }
        set = set.append(&change.set);
        guard = guard.append(&change.guard);
        let probe = change
            .probe
            .map(|(value, expression)| Probe::new(scope, table, column, value, &expression));
        probes.extend(probe);
        columns.push(name.clone());
    }
    (columns.len() == transforms.len() && !columns.is_empty())
        .then_some((Work::Anonymise { set, guard, columns }, probes))
}

/// What stands against the transform, in the table or in the first of its leaves where something does.
fn obstacle<'a>(
    catalog: &'a Catalog,
    table: &'a Table,
    column: &Column,
    transform: &Transform,
) -> Option<(&'a Table, Problem)> {
    let leaves = catalog.leaves(table.relation.oid);
    std::iter::once(table).chain(leaves).find_map(|table| {
        let column = table.column(&column.name)?;
        obstacle_in(catalog, table, column, transform).map(|problem| (table, problem))
    })
}

fn obstacle_in(catalog: &Catalog, table: &Table, column: &Column, transform: &Transform) -> Option<Problem> {
    let number = column.number;
    if column.generated {
        return Some(Problem::Generated);
    }
    if table.primary_key.contains(&number) {
        return Some(Problem::PrimaryKey);
    }
    let by_it = |parent: &&Table| {
        let (_, key) = parent.partitioned_by.clone().unwrap_or_default();
        catalog
            .column_names(parent.relation.oid, &key)
            .contains(&column.name.as_str())
    };
    if let Some(parent) = catalog.lineage(table.relation.oid).find(by_it) {
        let table = parent.relation.shown();
        return Some(Problem::PartitionKey { table });
    }
    for key in catalog.referring_to(table.relation.oid) {
        if catalog
            .column_names(key.parent, &key.parent_columns)
            .contains(&column.name.as_str())
        {
            let child = catalog
                .tables
                .get(&key.child)
                .map_or_else(String::new, |child| child.relation.shown());
            let key = key.name.clone();
            return Some(Problem::ReferredTo { key, child });
        }
    }
    let sets_null = *transform == Transform::Null;
    for key in catalog.referring_from(table.relation.oid).filter(|_| !sets_null) {
        if catalog
            .column_names(key.child, &key.child_columns)
            .contains(&column.name.as_str())
        {
            let key = key.name.clone();
            return Some(Problem::ForeignKey { key });
        }
    }
    for index in table.indexes.iter().filter(|index| index.unique) {
        // Which columns an expression speaks of is known, but not which of them it was: all of them, then.
        let covered = if index.key_columns.contains(&0) {
            &index.all_columns
        } else {
            &index.key_columns
        };
        let index_name = || index.name.clone();
        match transform {
            _ if !covered.contains(&number) => {}
            Transform::Null if index.one_null => return Some(Problem::OneNull { index: index_name() }),
            Transform::Null | Transform::Hmac => {}
            Transform::Constant(_) | Transform::TruncateIp { .. } | Transform::GeneraliseDate(_) => {
                return Some(Problem::Unique { index: index_name() });
            }
        }
    }
    let sets_null = sets_null && column.not_null;
    sets_null.then_some(Problem::NotNull { because: "" })
}
