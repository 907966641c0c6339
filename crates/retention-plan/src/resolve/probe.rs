//! Owns the trying of values on the server: whether it reads them as the column's type and can compare them.

use super::error::{Problem, ResolveError};
use super::scope::Scope;
use crate::catalog::Table;
use crate::model::Column;
use pg_session::{DbError, Kind, Session, Sql};

/// An expression that the server can compute if, and only if, the policy's value fits the column.
#[derive(Debug, Clone)]
pub struct Probe {
    rule: String,
    object: String,
    type_name: String,
    value: String,
    sql: Sql,
}

impl Probe {
    pub(crate) fn new(scope: &Scope<'_>, table: &Table, column: &Column, value: String, expression: &Sql) -> Self {
        Self {
            value,
            rule: scope.rule.clone(),
            object: format!("{}.{}", table.relation.shown(), column.name),
            type_name: column.type_name.clone(),
            sql: Sql::text("SELECT (").append(expression).raw(") IS NULL"),
        }
    }
}

/// Tries all of them; gives what the server does not take. Outside a transaction: a value that is refused would end it.
///
/// # Errors
/// The server could not be asked.
pub async fn check_values(session: &Session, probes: &[Probe]) -> Result<Vec<ResolveError>, DbError> {
    let mut errors = Vec::new();
    for probe in probes {
        match session.query(&probe.sql).await {
            Ok(_) => {}
            // Class 22: not such a value; 23: a domain's check; 42: no such operator for the type.
            Err(error) if matches!(error.kind, Kind::Value | Kind::Constraint | Kind::Missing) => {
                errors.push(ResolveError {
                    rule: probe.rule.clone(),
                    object: probe.object.clone(),
                    problem: Problem::Value {
                        value: probe.value.clone(),
                        found: probe.type_name.clone(),
                        said: error.to_string(),
                    },
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(errors)
}
