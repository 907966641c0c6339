//! Owns the statements that change rows. Pure: every strategy is a [`Scope`], everything else is the same for all.

use pg_session::Sql;
use retention_plan::{Column, Leaf, Task, Work};

/// Which part of a leaf a batch looks at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scope {
    /// Blocks `from..to`; of those, only the rows of a part.
    Blocks { from: u64, to: u64, part: Option<Part> },
    /// Values of an indexed column: from the first bound to before the second.
    Keys {
        column: Column,
        from: Option<Bound>,
        before: Option<String>,
    },
    /// Exactly this value of an indexed column.
    Key { column: Column, value: String },
    /// The whole leaf.
    Anywhere,
}

/// Rows whose place, hashed, lies in `from..to` of 0 to 2^31. By a hash, because PostgreSQL has nothing cheaper that
/// looks at a place; every block gets its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Part {
    /// Of 0 to 1.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^31"
    )]
    pub(crate) fn of(from: f64, to: f64) -> Self {
        let place = |at: f64| (at.clamp(0.0, 1.0) * f64::from(1_u32 << 31)).round() as u32;
        Self {
            from: place(from),
            to: place(to),
        }
    }
}

/// A lower bound of an indexed column, as PostgreSQL prints it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bound {
    /// The value.
    pub(crate) value: String,
    /// Rows with the value itself belong to it.
    pub(crate) inclusive: bool,
}

/// What a batch takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taking {
    /// Where.
    pub(crate) scope: Scope,
    /// At most so many rows.
    pub(crate) limit: Option<u64>,
    /// Leave out what others have locked.
    pub(crate) skip_locked: bool,
}

impl Scope {
    /// Over `t`; `None`: no bound.
    fn sql(&self) -> Option<Sql> {
        match self {
            Self::Blocks { from, to, part } => {
                let sql = Sql::text("t.ctid >= ")
                    .param(format!("({from},0)"), "pg_catalog.tid")
                    .raw(" AND t.ctid < ")
                    .param(format!("({to},0)"), "pg_catalog.tid");
                Some(match part {
                    None => sql,
                    Some(Part { from, to }) => {
                        let mut sql = sql;
                        for (operator, bound) in [(">=", *from), ("<", *to)] {
                            // What lies at an end needs no look; 2^31 is no int4.
                            if bound > 0 && bound < 1 << 31 {
                                sql = sql
                                    .raw(format!(" AND (pg_catalog.hashtid(t.ctid) & 2147483647) {operator} "))
                                    .param(bound.to_string(), "pg_catalog.int4");
                            }
                        }
                        sql
                    }
                })
            }
            Self::Keys { column, from, before } => {
                let mut sql = Sql::text("t.").ident(&column.name).raw(" IS NOT NULL");
                if let Some(bound) = from {
                    sql = sql
                        .raw(" AND t.")
                        .ident(&column.name)
                        .raw(if bound.inclusive { " >= " } else { " > " })
                        .param(bound.value.as_str(), column.base_type.as_str());
                }
                if let Some(before) = before {
                    sql = sql
                        .raw(" AND t.")
                        .ident(&column.name)
                        .raw(" < ")
                        .param(before.as_str(), column.base_type.as_str());
                }
                Some(sql)
            }
            Self::Key { column, value } => Some(
                Sql::text("t.")
                    .ident(&column.name)
                    .raw(" = ")
                    .param(value.as_str(), column.base_type.as_str()),
            ),
            Self::Anywhere => None,
        }
    }
}

/// Due and not done yet, not held, not referred to: what may be changed.
pub(crate) fn free(task: &Task, held: Option<&Sql>) -> Sql {
    let mut sql = Sql::text("(").append(&task.todo()).raw(")");
    if let Some(held) = held {
        sql = sql.raw(" AND NOT (").append(held).raw(")");
    }
    if let (Some(blocked), Work::Delete) = (&task.blocked, &task.work) {
        sql = sql.raw(" AND NOT (").append(blocked).raw(")");
    }
    sql
}

/// The DELETE or UPDATE of a batch. `marker` is what `retention.batch` was set to in the same transaction: without it
/// (the transaction did not begin) no row is touched.
pub(crate) fn change(task: &Task, leaf: &Leaf, taking: &Taking, held: Option<&Sql>, marker: &str) -> Sql {
    let table = leaf.relation.quoted();
    let free = free(task, held);
    let found = match taking.scope.sql() {
        Some(scope) => scope.raw(" AND ").append(&free),
        None => free,
    };
    let rows = if taking.limit.is_some() || taking.skip_locked {
        let mut inner = Sql::text(format!(
            "t.ctid = ANY (ARRAY (SELECT t.ctid FROM ONLY {table} AS t WHERE "
        ))
        .append(&found);
        if let Some(limit) = taking.limit {
            inner = inner.raw(" LIMIT ").param(limit.to_string(), "pg_catalog.int8");
        }
        inner.raw(" FOR UPDATE OF t SKIP LOCKED)) AND ").append(&task.todo())
    } else {
        found
    };
    let verb = match &task.work {
        Work::Anonymise { set, .. } => Sql::text(format!("UPDATE ONLY {table} AS t SET ")).append(set),
        Work::Delete | Work::Detach => Sql::text(format!("DELETE FROM ONLY {table} AS t")),
    };
    verb.raw(" WHERE ")
        .append(&rows)
        .raw(" AND pg_catalog.current_setting('retention.batch', true) = ")
        .param(marker, "pg_catalog.text")
}

/// One row: todo rows that are free, that are held, and that are only blocked.
pub(crate) fn count(task: &Task, leaf: &Leaf, held: Option<&Sql>) -> Sql {
    let never = Sql::text("false");
    let held = held.unwrap_or(&never);
    let blocked = match (&task.blocked, &task.work) {
        (Some(blocked), Work::Delete) => blocked,
        _ => &never,
    };
    Sql::text("SELECT pg_catalog.count(*) FILTER (WHERE NOT (")
        .append(held)
        .raw(") AND NOT (")
        .append(blocked)
        .raw(")), pg_catalog.count(*) FILTER (WHERE ")
        .append(held)
        .raw("), pg_catalog.count(*) FILTER (WHERE NOT (")
        .append(held)
        .raw(") AND (")
        .append(blocked)
        .raw(format!(")) FROM ONLY {} AS t WHERE ", leaf.relation.quoted()))
        .append(&task.todo())
}
