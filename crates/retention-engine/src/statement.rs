//! Owns the statements that change rows. Pure: every strategy is a [`Scope`], everything else is the same for all.

use pg_session::Sql;
use retention_plan::{Column, Leaf, Task, Work};

/// Which part of a leaf a batch looks at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scope {
    /// Blocks `from..to`; of those, only the rows of a part.
    Blocks { from: u64, to: u64, part: Option<Part> },
    /// From a place to before another.
    Places { from: Place, to: Place },
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

/// Rows whose number within their block, spread over 0 to 256, lies in `from..to`.
///
/// Spread by steps of the golden ratio: however many rows a block has, every part takes its share of them, give or take two.
/// A hash would take none of some blocks and too many of others, which then have no room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Part {
    /// Where parts end.
    pub(crate) const END: u32 = 256;
    /// 256 divided by the golden ratio; odd, so that no two of 256 fall together.
    const STEP: u32 = 157;

    /// Over `t`. The last byte of a place is the low byte of the number within the block. One comparison, because what is
    /// compared is dear: shifted, so that the part begins at 0.
    fn sql(self) -> String {
        format!(
            "((pg_catalog.get_byte(pg_catalog.tidsend(t.ctid), 5) * {} + {}) & 255) < {}",
            Self::STEP,
            Self::END - self.from,
            self.to - self.from
        )
    }
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: u64,
    /// Of the row in its block, from 1; 0 is before all of them.
    pub(crate) number: u64,
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
                    Some(part) => sql.raw(format!(" AND {}", part.sql())),
                    None => sql,
                })
            }
            Self::Places { from, to } => Some(
                Sql::text("t.ctid >= ")
                    .param(format!("({},{})", from.block, from.number), "pg_catalog.tid")
                    .raw(" AND t.ctid < ")
                    .param(format!("({},{})", to.block, to.number), "pg_catalog.tid"),
            ),
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

/// The rows that a batch takes. `locked`: only those that the transaction has locked already.
fn rows(task: &Task, leaf: &Leaf, taking: &Taking, held: Option<&Sql>, locked: bool) -> Sql {
    let free = free(task, held);
    let mut found = match taking.scope.sql() {
        Some(scope) => scope.raw(" AND ").append(&free),
        None => free,
    };
    if locked {
        // FOR UPDATE leaves no other locker beside it, so that this is the transaction itself and no group.
        found = found.raw(" AND t.xmax = pg_catalog.pg_current_xact_id()::pg_catalog.xid");
    }
    if taking.limit.is_none() && !taking.skip_locked {
        return found;
    }
    let mut inner = Sql::text(format!(
        "t.ctid = ANY (ARRAY (SELECT t.ctid FROM ONLY {} AS t WHERE ",
        leaf.relation.quoted()
    ))
    .append(&found);
    if let Some(limit) = taking.limit {
        inner = inner.raw(" LIMIT ").param(limit.to_string(), "pg_catalog.int8");
    }
    inner.raw(" FOR UPDATE OF t SKIP LOCKED)) AND ").append(&task.todo())
}

/// `marker` is what `retention.batch` was set to in the same transaction: without it (the transaction did not begin) no row is
/// touched.
fn marked(sql: Sql, marker: &str) -> Sql {
    sql.raw(" AND pg_catalog.current_setting('retention.batch', true) = ")
        .param(marker, "pg_catalog.text")
}

/// The DELETE or UPDATE of a batch. `locked`: of the rows that [`lock`] locked.
pub(crate) fn change(task: &Task, leaf: &Leaf, taking: &Taking, held: Option<&Sql>, locked: bool, marker: &str) -> Sql {
    let table = leaf.relation.quoted();
    let verb = match &task.work {
        Work::Anonymise { set, .. } => {
            let update = Sql::text(format!("UPDATE ONLY {table} AS t SET ")).append(set);
            let same = |sql: Sql, column: &String| sql.raw(", ").ident(column).raw(" = t.").ident(column);
            leaf.as_is.iter().fold(update, same)
        }
        Work::Delete | Work::Detach => Sql::text(format!("DELETE FROM ONLY {table} AS t")),
    };
    marked(
        verb.raw(" WHERE ").append(&rows(task, leaf, taking, held, locked)),
        marker,
    )
}

/// Locks the rows of a batch: from then on nobody can refer to them anew.
pub(crate) fn lock(task: &Task, leaf: &Leaf, taking: &Taking, held: Option<&Sql>, marker: &str) -> Sql {
    let table = leaf.relation.quoted();
    let sql = Sql::text(format!(
        "SELECT pg_catalog.count(*) FROM (SELECT FROM ONLY {table} AS t WHERE "
    ))
    .append(&rows(task, leaf, taking, held, false));
    marked(sql, marker).raw(" FOR UPDATE OF t) AS locked")
}

/// One value: the place of a row in blocks `from..to` that may be changed, the first of them. By no index: its entries may all
/// be of rows that are gone.
pub(crate) fn first(task: &Task, leaf: &Leaf, (from, to): (u64, u64), held: Option<&Sql>) -> Sql {
    let within = Scope::Blocks { from, to, part: None };
    let found = Sql::text(format!(
        "SELECT (SELECT t.ctid::pg_catalog.text FROM ONLY {} AS t WHERE ((",
        leaf.relation.quoted()
    ))
    .append(&free(task, held))
    .raw(") IS TRUE)");
    let found = match within.sql() {
        Some(scope) => found.raw(" AND ").append(&scope),
        None => found,
    };
    found.raw(" LIMIT 1)")
}

/// How the rows to count are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looking {
    /// As the planner likes.
    Planned,
    /// At every row, by no index: the entries of an index that point to rows which are gone are each looked up.
    AtAll,
}

/// One row: todo rows that are free, that are held, and that are only blocked.
pub(crate) fn count(task: &Task, leaf: &Leaf, held: Option<&Sql>, looking: Looking) -> Sql {
    let never = Sql::text("false");
    let held = held.unwrap_or(&never);
    let blocked = match (&task.blocked, &task.work) {
        (Some(blocked), Work::Delete) => blocked,
        _ => &never,
    };
    let sql = Sql::text("SELECT pg_catalog.count(*) FILTER (WHERE NOT (")
        .append(held)
        .raw(") AND NOT (")
        .append(blocked)
        .raw(")), pg_catalog.count(*) FILTER (WHERE ")
        .append(held)
        .raw("), pg_catalog.count(*) FILTER (WHERE NOT (")
        .append(held)
        .raw(") AND (")
        .append(blocked)
        .raw(format!(")) FROM ONLY {} AS t WHERE ", leaf.relation.quoted()));
    match looking {
        Looking::Planned => sql.append(&task.todo()),
        // The same rows, in a form that no index answers; subqueries keep theirs.
        Looking::AtAll => sql.raw("((").append(&task.todo()).raw(") IS TRUE)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the SQL of a part says of the row `number` of a block.
    fn takes(part: Part, number: u32) -> bool {
        ((number & 255) * Part::STEP + Part::END - part.from) & 255 < part.to - part.from
    }

    proptest! {
        #[test]
        fn a_part_takes_its_share_of_every_block(rows in 1_u32..=255, from in 0_u32..256, size in 1_u32..=64) {
            let part = Part { from, to: (from + size).min(Part::END) };
            let share = f64::from(rows * (part.to - part.from)) / f64::from(Part::END);
            let taken = (1..=rows).filter(|number| takes(part, *number)).count();
            prop_assert!((taken as f64 - share).abs() < 2.5, "{taken} of {share}");
        }

        #[test]
        fn two_parts_that_meet_take_each_row_once(number in 0_u32..=291, at in 1_u32..256) {
            let (one, other) = (Part { from: 0, to: at }, Part { from: at, to: Part::END });
            prop_assert!(takes(one, number) != takes(other, number));
        }
    }
}
