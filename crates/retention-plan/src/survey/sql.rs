//! Owns the statements that count. Pure.

use crate::model::{Relation, Task, Work};
use pg_session::Sql;

/// Of one leaf: todo, held, blocked, undated, and all rows if `whole`.
pub(super) fn count(task: &Task, leaf: &Relation, held: Option<&Sql>, whole: bool) -> Sql {
    let todo = task.todo();
    let never = Sql::text("false");
    let held = held.unwrap_or(&never);
    let blocked = match (&task.blocked, &task.work) {
        (Some(blocked), Work::Delete | Work::Detach) => blocked,
        _ => &never,
    };
    let undated = task.undated.as_ref().unwrap_or(&never);
    // `AND` in an expression goes from left to right: holds and foreign keys are looked up for due rows only.
    let mut sql = Sql::text("SELECT pg_catalog.count(*) FILTER (WHERE ")
        .append(&todo)
        .raw("), pg_catalog.count(*) FILTER (WHERE (")
        .append(&todo)
        .raw(") AND (")
        .append(held)
        .raw(")), pg_catalog.count(*) FILTER (WHERE (")
        .append(&todo)
        .raw(") AND NOT (")
        .append(held)
        .raw(") AND (")
        .append(blocked)
        .raw(")), pg_catalog.count(*) FILTER (WHERE ")
        .append(undated)
        .raw(format!("), pg_catalog.count(*) FROM ONLY {} AS t", leaf.quoted()));
    if !whole {
        sql = sql.raw(" WHERE (").append(&todo).raw(")");
        if let Some(undated) = &task.undated {
            sql = sql.raw(" OR (").append(undated).raw(")");
        }
    }
    sql
}

/// All rows of the task's table.
pub(super) fn total(task: &Task) -> Sql {
    Sql::text(format!("SELECT pg_catalog.count(*) FROM {} AS t", task.table.quoted()))
}

/// Whether a row of the task's table has nothing to be done.
pub(super) fn one_not_due(task: &Task) -> Sql {
    Sql::text(format!(
        "SELECT EXISTS (SELECT FROM {} AS t WHERE NOT COALESCE(",
        task.table.quoted()
    ))
    .append(&task.todo())
    .raw(", false))")
}

/// How far the heap is in the order of a column.
pub(super) fn correlation(table: &Relation, column: &str) -> Sql {
    Sql::text("SELECT s.correlation::pg_catalog.float8 FROM pg_catalog.pg_stats AS s WHERE NOT s.inherited AND s.schemaname = ")
        .param(table.schema.as_str(), "pg_catalog.text")
        .raw(" AND s.tablename = ")
        .param(table.name.as_str(), "pg_catalog.text")
        .raw(" AND s.attname = ")
        .param(column, "pg_catalog.text")
}

/// Neither held nor blocked.
pub(super) fn free(task: &Task, held: Option<&Sql>) -> Sql {
    let mut sql = task.todo();
    if let Some(held) = held {
        sql = sql.raw(" AND NOT (").append(held).raw(")");
    }
    if let Some(blocked) = &task.blocked {
        sql = sql.raw(" AND NOT (").append(blocked).raw(")");
    }
    sql
}
