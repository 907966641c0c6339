//! Owns what follows from the governed tables. Pure.

use super::facts::Facts;
use super::{Finding, Severity, Subject};
use crate::catalog::{Table, Trigger};
use crate::model::Task;
use crate::resolve::cascades_to;
use retention_policy::ErasureAction;

pub(super) fn findings(subject: &Subject<'_>, facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for task in subject.tasks {
        let mut of_task = partitions(subject, task);
        for leaf in &task.leaves {
            if let Some(table) = subject.catalog.tables.get(&leaf.relation.oid) {
                of_task.extend(triggers(table, task));
                of_task.extend(replica_identity(table, task, facts));
                of_task.extend(condition(table, facts));
            }
        }
        found.extend(of_task.into_iter().map(|finding| finding.of(&task.rule)));
    }
    found.extend(uncounted(subject, facts));
    found
}

/// Rows that go along by foreign keys are counted by the server's statistics of the transaction. Without them a receipt would
/// say that none went.
fn uncounted(subject: &Subject<'_>, facts: &Facts) -> Vec<Finding> {
    if facts.setting("track_counts") != Some("off") {
        return Vec::new();
    }
    let by_rules = subject
        .tasks
        .iter()
        .filter(|task| !task.cascades_to.is_empty())
        .map(|task| (task.rule.clone(), task.table.shown(), task.cascades_to.len()));
    let by_erasure = subject
        .policy
        .erasure
        .iter()
        .flat_map(|erasure| &erasure.tables)
        .filter(|part| matches!(part.action, ErasureAction::Delete))
        .filter_map(|part| subject.catalog.find(&part.table.schema, &part.table.name))
        .map(|table| {
            let along = cascades_to(subject.catalog, &subject.catalog.leaves(table.relation.oid));
            let shown = table.relation.shown();
            (format!("erasure:{shown}"), shown, along.len())
        })
        .filter(|(_, _, along)| *along > 0);
    by_rules
        .chain(by_erasure)
        .map(|(rule, shown, along)| {
            Finding::new(
                Severity::Refused,
                "track-counts-off",
                &shown,
                format!(
                    "track_counts is off, and foreign keys delete or change rows of {along} other tables or partitions when rows \
                     of {shown} go: nobody could say how many; let a superuser run ALTER ROLE ... SET track_counts = on for this \
                     role, or switch it on for the server"
                ),
            )
            .of(&rule)
        })
        .collect()
}

/// Triggers of ordinary name fire for every row, and may do anything.
fn triggers(table: &Table, task: &Task) -> Vec<Finding> {
    let fires = |trigger: &&Trigger| {
        if task.work.removes() {
            trigger.on_delete
        } else {
            trigger.on_update
        }
    };
    let event = if task.work.removes() { "DELETE" } else { "UPDATE" };
    let shown = table.relation.shown();
    table
        .triggers
        .iter()
        .filter(fires)
        .map(|trigger| {
            let name = &trigger.name;
            if trigger.before_row {
                Finding::new(
                    Severity::Warning,
                    "trigger-before-row",
                    &shown,
                    format!(
                        "{name:?} runs before each {event} on {shown} and may keep rows as they are: then they are left over \
                         (residue), and the run ends with exit code 1"
                    ),
                )
            } else {
                Finding::new(
                    Severity::Warning,
                    "trigger",
                    &shown,
                    format!("trigger {name:?} fires on {event} of {shown}: what it does to other tables is not counted"),
                )
            }
        })
        .collect()
}

fn replica_identity(table: &Table, task: &Task, facts: &Facts) -> Option<Finding> {
    let published = facts.unidentified.get(&table.relation.oid)?;
    let (publication, event) = if task.work.removes() {
        (published.deletes.as_ref()?, "DELETE")
    } else {
        (published.updates.as_ref()?, "UPDATE")
    };
    let shown = table.relation.shown();
    Some(Finding::new(
        Severity::Refused,
        "replica-identity",
        &shown,
        format!(
            "{shown} has no replica identity and is in publication {publication:?}, so PostgreSQL refuses every {event}; give \
             it a primary key, or ALTER TABLE {} REPLICA IDENTITY FULL",
            table.relation.quoted()
        ),
    ))
}

fn condition(table: &Table, facts: &Facts) -> Vec<Finding> {
    let (oid, shown) = (table.relation.oid, table.relation.shown());
    let mut found = Vec::new();
    if let Some(phase) = facts.vacuums.get(&oid) {
        found.push(Finding::new(
            Severity::Warning,
            "vacuum-running",
            &shown,
            format!("VACUUM is at work on {shown} ({phase}): the run makes room for it and is slower"),
        ));
    }
    if facts.no_autovacuum.contains(&oid) {
        found.push(Finding::new(
            Severity::Warning,
            "autovacuum-off",
            &shown,
            format!("autovacuum is off for {shown}: old values stay in its file until somebody runs VACUUM"),
        ));
    }
    if table.persistence == 'u' {
        found.push(Finding::new(
            Severity::Note,
            "unlogged",
            &shown,
            format!("{shown} is unlogged: a crash of the server empties it, and standbys do not have it"),
        ));
    }
    if table.partition.as_ref().is_some_and(|place| place.detach_pending) {
        found.push(Finding::new(
            Severity::Warning,
            "detach-pending",
            &shown,
            format!("DETACH CONCURRENTLY of {shown} was begun and not finished; ALTER TABLE ... DETACH PARTITION ... FINALIZE"),
        ));
    }
    found
}

/// What a partitioned table's kind means for the rule.
fn partitions(subject: &Subject<'_>, task: &Task) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(table) = subject.catalog.tables.get(&task.table.oid) else {
        return found;
    };
    let shown = table.relation.shown();
    if !task.work.removes() {
        return found;
    }
    if let Some((kind @ ('h' | 'l'), _)) = &table.partitioned_by {
        let kind = if *kind == 'h' { "hash" } else { "list" };
        found.push(Finding::new(
            Severity::Note,
            "partitioned-otherwise",
            &shown,
            format!("{shown} is partitioned by {kind}, which says nothing of age: rows are deleted one by one"),
        ));
    }
    for leaf in &task.leaves {
        let default = subject
            .catalog
            .tables
            .get(&leaf.relation.oid)
            .and_then(|leaf| leaf.partition.as_ref())
            .is_some_and(|place| place.is_default);
        if default {
            found.push(Finding::new(
                Severity::Note,
                "default-partition",
                leaf.relation.shown(),
                format!(
                    "{} is a default partition: its rows go one by one, and its neighbours cannot be detached concurrently",
                    leaf.relation.shown()
                ),
            ));
        }
    }
    found
}
