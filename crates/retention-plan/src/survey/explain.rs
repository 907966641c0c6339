//! Owns how PostgreSQL would find the rows: `EXPLAIN` of a statement as the strategy sends it, in a few words.

use super::sql::free;
use super::{SurveyError, read_only};
use crate::model::{Leaf, Strategy, Task, Work};
use pg_session::{DbError, Session, Sql};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use tokio_postgres::types::{FromSql, Type};

/// How PostgreSQL would find the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The scans, outermost first: `Tid Range Scan on pii_events`, `Index Scan on users by users_pkey`.
    pub scans: Vec<String>,
    /// Estimated rows of the first scan.
    pub rows: f64,
    /// The planner's cost of the whole statement.
    pub cost: f64,
}

/// Rows that one batch of `Limited` is explained with.
const LIMIT: u32 = 1000;
/// Blocks that one batch of block-wise strategies is explained with.
const BLOCKS: u32 = 256;

/// A batch of the leaf's strategy, as it is explained and shown. `None` for whole partitions.
pub fn statement(task: &Task, leaf: &Leaf, held: Option<&Sql>) -> Option<Sql> {
    let table = leaf.relation.quoted();
    let free = free(task, held);
    let verb = match &task.work {
        Work::Anonymise { set, .. } => Sql::text(format!("UPDATE ONLY {table} AS t SET ")).append(set),
        Work::Delete => Sql::text(format!("DELETE FROM ONLY {table} AS t")),
        Work::Detach => return None,
    };
    let verb = verb.raw(" WHERE ");
    Some(match leaf.strategy {
        Strategy::Partition => return None,
        Strategy::TidRange | Strategy::HotPasses => verb
            .raw("t.ctid >= ")
            .param("(0,0)", "pg_catalog.tid")
            .raw(" AND t.ctid < ")
            .param(format!("({BLOCKS},0)"), "pg_catalog.tid")
            .raw(" AND ")
            .append(&free),
        Strategy::Keyset => verb.append(&free),
        Strategy::Limited => verb
            .raw(format!(
                "t.ctid = ANY (ARRAY (SELECT t.ctid FROM ONLY {table} AS t WHERE "
            ))
            .append(&free)
            .raw(format!(" LIMIT {LIMIT} FOR UPDATE OF t SKIP LOCKED)) AND "))
            .append(&task.todo()),
    })
}

/// Asks PostgreSQL; nothing is executed.
///
/// # Errors
/// The database's.
pub async fn explain(
    session: &Session,
    task: &Task,
    leaf: &Leaf,
    held: Option<&Sql>,
    timeout: Duration,
) -> Result<Option<Explained>, SurveyError> {
    let Some(statement) = statement(task, leaf, held) else {
        return Ok(None);
    };
    let sql = Sql::text("EXPLAIN (FORMAT JSON) ").append(&statement);
    let read = async {
        let row = read_only(session, timeout, &sql).await?;
        Ok::<Json, DbError>(row.try_get::<_, Json>(0)?)
    };
    let Json(plan) = read.await.map_err(|source| SurveyError::Db {
        rule: task.rule.clone(),
        table: leaf.relation.shown(),
        source,
    })?;
    Ok(Some(summary(&plan)))
}

/// A value of type json. The driver's own needs another feature for it.
struct Json(Value);

impl<'a> FromSql<'a> for Json {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(serde_json::from_slice(raw)?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON
    }
}

fn summary(explained: &Value) -> Explained {
    let plan = &explained[0]["Plan"];
    let mut found = Vec::new();
    scans(plan, &mut found);
    Explained {
        rows: found.first().map_or(0.0, |(_, rows)| *rows),
        scans: found.into_iter().map(|(scan, _)| scan).collect(),
        cost: plan["Total Cost"].as_f64().unwrap_or(0.0),
    }
}

fn scans(plan: &Value, found: &mut Vec<(String, f64)>) {
    let text = |name: &str| plan[name].as_str();
    if let (Some(node), Some(table)) = (text("Node Type"), text("Relation Name")) {
        if node.contains("Scan") {
            let by = text("Index Name").map_or_else(String::new, |index| format!(" by {index}"));
            found.push((
                format!("{node} on {table}{by}"),
                plan["Plan Rows"].as_f64().unwrap_or(0.0),
            ));
        }
    } else if let (Some("Bitmap Index Scan"), Some(index)) = (text("Node Type"), text("Index Name")) {
        found.push((
            format!("Bitmap Index Scan by {index}"),
            plan["Plan Rows"].as_f64().unwrap_or(0.0),
        ));
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        scans(below, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_by_its_scans() {
        let plan = serde_json::json!([{ "Plan": {
            "Node Type": "ModifyTable", "Operation": "Delete", "Relation Name": "orders", "Total Cost": 812.5,
            "Plans": [
                { "Node Type": "Bitmap Heap Scan", "Relation Name": "orders", "Plan Rows": 40, "Plans": [
                    { "Node Type": "Bitmap Index Scan", "Index Name": "orders_at_idx", "Plan Rows": 41 }
                ]},
                { "Node Type": "Index Scan", "Relation Name": "users", "Index Name": "users_pkey", "Plan Rows": 1 }
            ]
        }}]);
        assert_eq!(
            summary(&plan),
            Explained {
                scans: vec![
                    "Bitmap Heap Scan on orders".to_owned(),
                    "Bitmap Index Scan by orders_at_idx".to_owned(),
                    "Index Scan on users by users_pkey".to_owned(),
                ],
                rows: 40.0,
                cost: 812.5,
            }
        );
        assert_eq!(summary(&serde_json::json!([])).scans, Vec::<String>::new());
    }
}
