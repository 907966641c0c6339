//! Owns how one rule becomes one task.

use super::children::{blocked, cascades_to, keys_read};
use super::columns::anonymise;
use super::error::Problem;
use super::keys::Keys;
use super::predicate::{conditions, older_than};
use super::probe::Probe;
use super::scope::{Right, Scope};
use super::transform::of_row;
use crate::catalog::{Catalog, Partition, Table};
use crate::model::{Column, Leaf, Strategy, Task, TaskKind, Work};
use jiff::Timestamp;
use pg_session::Sql;
use retention_policy::{Action, OnChildren, Policy, Rule, cutoff};

/// The task, and the values to be tried on the server. `None`: something is wrong, and noted in `scope`.
pub(crate) fn task(
    scope: &mut Scope<'_>,
    policy: &Policy,
    rule: &Rule,
    as_of: Timestamp,
    keys: &Keys,
) -> Option<(Task, Vec<Probe>)> {
    let table = scope.table(&rule.table)?;
    let mut due = Sql::new();
    let mut before = None;
    let mut age_column = None;
    if let Some(age) = &rule.age {
        age_column = scope.column(table, &age.column);
        if let Some(column) = age_column {
            let older = cutoff(as_of, age.term, policy.grace_seconds)
                .map_err(|_| Problem::Term)
                .and_then(|cutoff| older_than(column, cutoff).map(|older| (cutoff, older)));
            match older {
                Ok((cutoff, older)) => (before, due) = (Some(cutoff), older),
                Err(problem) => scope.wrong_column(table, &column.name, problem),
            }
        }
    }
    let (due, mut probes) = conditions(scope, table, &rule.conditions, due);
    if rule.age.is_none() && rule.conditions.is_empty() {
        scope.wrong(table.relation.shown(), Problem::EveryRow);
    }
    named_columns(scope, table, rule);
    scope.has_primary_key(table, rule.allow_no_primary_key);
    let leaves = scope.catalog.leaves(table.relation.oid);
    let (mut stays, mut along) = (None, Vec::new());
    let work = match &rule.action {
        Action::Delete => {
            scope.may(table, Right::Delete);
            children(scope, &leaves, rule.on_children, rule.allow_unindexed_foreign_keys);
            stays = blocked(scope.catalog, &leaves, rule.on_children);
            along = cascades_to(scope.catalog, &leaves);
            Work::Delete
        }
        Action::Anonymise(transforms) => {
            let columns: Vec<&str> = transforms.keys().map(String::as_str).collect();
            scope.may(table, Right::Update(&columns));
            let (work, more) = anonymise(scope, table, transforms, keys)?;
            probes.extend(more);
            work
        }
        Action::DetachPartition => {
            detachable(scope, table, rule);
            stays = blocked(scope.catalog, &leaves, OnChildren::Keep);
            Work::Detach
        }
    };
    let task = Task {
        kind: TaskKind::Rule,
        rule: rule.name.clone(),
        table: table.relation.clone(),
        leaves: leaves
            .iter()
            .map(|leaf| leaf_of(scope.catalog, leaf, age_column))
            .collect(),
        work,
        due,
        blocked: stays,
        cascades_to: along,
        children_stay: rule.on_children == OnChildren::Keep,
        cutoff: before,
        undated: age_column
            .filter(|column| !column.not_null)
            .map(|column| of_row(column).raw(" IS NULL")),
        max_rows: rule.max_rows,
    };
    Some((task, probes))
}

/// A leaf whose strategy is not chosen yet.
pub(crate) fn leaf_of(catalog: &Catalog, leaf: &Table, age_column: Option<&Column>) -> Leaf {
    let oid = leaf.relation.oid;
    let is_default = |child: &u32| {
        let place = catalog.tables.get(child).and_then(|table| table.partition.as_ref());
        place.is_some_and(|place| place.is_default)
    };
    let parent = leaf
        .partition
        .as_ref()
        .filter(|place| place.declarative)
        .and_then(|place| catalog.tables.get(&place.parent));
    Leaf {
        relation: leaf.relation.clone(),
        blocks: leaf.blocks,
        estimated_rows: leaf.estimated_rows,
        strategy: Strategy::TidRange,
        upper_bound: age_column.and_then(|column| catalog.upper_bound(oid, &column.name)),
        together: None,
        as_is: Vec::new(),
        detach_concurrently: parent
            .is_some_and(|parent| parent.partition.is_none() && !parent.children.iter().any(is_default)),
        keyset: None,
    }
}

/// Rights on, and indexes of, the tables that refer to rows that go.
pub(crate) fn children<'a>(scope: &mut Scope<'a>, leaves: &[&'a Table], on_children: OnChildren, unindexed: bool) {
    for key in keys_read(scope.catalog, leaves, on_children) {
        let Some(child) = scope.catalog.tables.get(&key.child) else {
            continue;
        };
        scope.may(child, Right::Read);
        if !key.indexed && !unindexed {
            let problem = Problem::Unindexed {
                key: key.name.clone(),
                child: child.relation.shown(),
                columns: scope.catalog.column_names(key.child, &key.child_columns).join(", "),
            };
            let parent = scope
                .catalog
                .tables
                .get(&key.parent)
                .map_or_else(String::new, |table| table.relation.shown());
            scope.wrong(parent, problem);
        }
    }
}

fn named_columns<'a>(scope: &mut Scope<'a>, table: &'a Table, rule: &Rule) {
    if let Some(column) = &rule.subject_column {
        scope.column(table, column);
    }
    let Some(column) = rule.labels_column.as_ref().and_then(|name| scope.column(table, name)) else {
        return;
    };
    let fit = ["text", "character varying", "text[]", "character varying[]", "jsonb"];
    if !fit.contains(&column.base_type.as_str()) {
        let problem = Problem::Type {
            found: column.type_name.clone(),
            needed: "text, varchar, text[] or jsonb for labels".to_owned(),
        };
        scope.wrong_column(table, &column.name, problem);
    }
}

fn detachable<'a>(scope: &mut Scope<'a>, table: &'a Table, rule: &Rule) {
    let shown = table.relation.shown();
    let Some(age) = rule.age.as_ref().filter(|_| rule.conditions.is_empty()) else {
        scope.wrong(shown, Problem::DetachByAgeOnly);
        return;
    };
    let column = age.column.clone();
    if table.partitioned_by.is_none() {
        scope.wrong(shown, Problem::NotPartitioned { column });
        return;
    }
    let catalog = scope.catalog;
    let leaves = catalog.leaves(table.relation.oid);
    let by_age = |table: &Table| match &table.partitioned_by {
        Some(('r', key)) => key.len() == 1 && catalog.column_names(table.relation.oid, key) == [column.as_str()],
        _ => false,
    };
    let above = |leaf: &&Table| catalog.lineage(leaf.relation.oid).any(by_age);
    if !by_age(table) && !leaves.iter().any(above) {
        scope.wrong(shown, Problem::PartitionedOtherwise { column: column.clone() });
    }
    scope.may(table, Right::Read);
    // Only what is detached, and what it is detached from.
    let mut owners: Vec<&Table> = vec![table];
    for leaf in leaves {
        let place: Option<&Partition> = leaf.partition.as_ref();
        owners.extend(place.and_then(|place| catalog.tables.get(&place.parent)));
        owners.push(leaf);
    }
    if let Some(foreign) = owners.into_iter().find(|table| !table.privileges.owner) {
        let user = catalog.server.user.clone();
        scope.wrong(foreign.relation.shown(), Problem::NotOwner { user });
    }
}
