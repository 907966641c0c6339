//! Owns the predicates of rules: age and conditions, over `t`.

use super::error::Problem;
use super::probe::Probe;
use super::scope::Scope;
use super::transform::of_row;
use crate::catalog::Table;
use crate::model::Column;
use jiff::Timestamp;
use pg_session::{Sql, array_literal};
use retention_policy::{Condition, Op, Scalar};

/// The year 1: PostgreSQL does not read the years before it as we write them.
const YEAR_ONE: i64 = -62_135_596_800;

/// `t."at" < cutoff`, by the column's type. A day is due when it has wholly passed the cutoff.
pub(crate) fn older_than(column: &Column, cutoff: Timestamp) -> Result<Sql, Problem> {
    if cutoff.as_second() < YEAR_ONE {
        return Err(Problem::Term);
    }
    let before = of_row(column).raw(" < ");
    let cutoff = Sql::new().param(cutoff.to_string(), "timestamptz");
    match column.base_type.as_str() {
        "timestamp with time zone" => Ok(before.append(&cutoff)),
        "timestamp without time zone" => Ok(before.raw("(").append(&cutoff).raw(" AT TIME ZONE 'UTC')")),
        "date" => Ok(before.raw("(").append(&cutoff).raw(" AT TIME ZONE 'UTC')::date")),
        _ => Err(Problem::Type {
            found: column.type_name.clone(),
            needed: "date, timestamp or timestamptz for an age".to_owned(),
        }),
    }
}

/// All conditions, joined with AND after `due`; and the values to be tried on the server.
pub(crate) fn conditions<'a>(
    scope: &mut Scope<'a>,
    table: &'a Table,
    conditions: &[Condition],
    mut due: Sql,
) -> (Sql, Vec<Probe>) {
    let mut probes = Vec::new();
    for condition in conditions {
        let Some(column) = scope.column(table, &condition.column) else {
            continue;
        };
        if !due.is_empty() {
            due = due.raw(" AND ");
        }
        due = due.append(&compare(&of_row(column), column, &condition.op));
        let values: Vec<String> = values(&condition.op).iter().map(Scalar::as_text).collect();
        if let Some(first) = values.first() {
            // Compared with one of its own values: with NULL the server would not read the other side at all.
            let sample = Sql::new().param(first.as_str(), column.base_type.as_str());
            let expression = compare(&sample, column, &condition.op);
            probes.push(Probe::new(scope, table, column, values.join(", "), &expression));
        }
    }
    (due, probes)
}

/// `left op value`.
fn compare(left: &Sql, column: &Column, op: &Op) -> Sql {
    let left = left.clone();
    let symbol = |symbol: &str| format!(" {} ", column.operator(symbol));
    let one = |sign: &str, value: &Scalar| {
        left.clone()
            .raw(symbol(sign))
            .param(value.as_text(), column.base_type.as_str())
    };
    let many = |sign: &str, quantifier: &str, values: &[Scalar]| {
        let values = array_literal(values.iter().map(Scalar::as_text));
        left.clone()
            .raw(symbol(sign))
            .raw(format!("{quantifier} ("))
            .param(values, format!("{}[]", column.base_type))
            .raw(")")
    };
    match op {
        Op::Eq(value) => one("=", value),
        Op::Ne(value) => one("<>", value),
        Op::Lt(value) => one("<", value),
        Op::Le(value) => one("<=", value),
        Op::Gt(value) => one(">", value),
        Op::Ge(value) => one(">=", value),
        Op::In(values) => many("=", "ANY", values),
        Op::NotIn(values) => many("<>", "ALL", values),
        Op::IsNull => left.raw(" IS NULL"),
        Op::NotNull => left.raw(" IS NOT NULL"),
    }
}

/// The values of an operator.
fn values(op: &Op) -> &[Scalar] {
    match op {
        Op::Eq(value) | Op::Ne(value) | Op::Lt(value) | Op::Le(value) | Op::Gt(value) | Op::Ge(value) => {
            std::slice::from_ref(value)
        }
        Op::In(values) | Op::NotIn(values) => values,
        Op::IsNull | Op::NotNull => &[],
    }
}
