//! Owns how many subjects ask to be forgotten, before anything is done: requested, not held, and not completed or with
//! rows that are left. The engine looks at all who ever asked; of most of them nothing is left, and they do not count.

use super::{SurveyError, read_only, unsigned};
use crate::holds::{HoldError, HoldRules};
use crate::model::Work;
use crate::resolve::ResolvedErasure;
use pg_session::{Session, Sql, quote_ident};
use retention_store::hold::Structure;
use std::time::Duration;

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectSurvey {
    /// Subjects of whom something would be erased, or that would be completed.
    pub open: u64,
    /// All subjects; `None`: nobody asks, and they were not counted.
    pub total: Option<u64>,
}

/// Counts the subjects that ask. `None`: rows of no table ask (the policy has no `requested`).
///
/// # Errors
/// See [`SurveyError`].
pub async fn subjects(
    session: &Session,
    holds: &HoldRules,
    active: &Structure,
    erasure: &ResolvedErasure,
) -> Result<Option<SubjectSurvey>, SurveyError> {
    let Some(requested) = &erasure.requested else {
        return Ok(None);
    };
    let asks = open(holds, active, erasure, requested).map_err(|source| SurveyError::Hold {
        rule: RULE.to_owned(),
        source,
    })?;
    let open = count(session, erasure, &asks).await?;
    let mut total = None;
    if open > 0 {
        let (table, key) = (erasure.subject.quoted(), quote_ident(&erasure.key.name));
        let all = Sql::text(format!("SELECT pg_catalog.count(DISTINCT t.{key}) FROM {table} AS t"));
        // Subjects may have come in between.
        total = Some(count(session, erasure, &all).await?.max(open));
    }
    Ok(Some(SubjectSurvey { open, total }))
}

/// What it is called where rules have names.
const RULE: &str = "erasure";

fn open(holds: &HoldRules, active: &Structure, erasure: &ResolvedErasure, requested: &Sql) -> Result<Sql, HoldError> {
    let held = |oid, deletes| holds.predicate(oid, deletes, active);
    let key = quote_ident(&erasure.key.name);
    let new = erasure.completed.as_ref().map_or_else(
        || "false".to_owned(),
        |completed| format!("t.{} IS NULL", quote_ident(&completed.name)),
    );
    let mut sql = Sql::text(format!(
        "WITH asked AS MATERIALIZED (SELECT t.{key}::{} AS key, {new} AS new FROM {} AS t WHERE t.{key} IS NOT NULL AND (",
        erasure.key.base_type,
        erasure.subject.quoted()
    ))
    .append(requested)
    .raw(")");
    if let Some(held) = held(erasure.subject.oid, false)? {
        sql = sql.raw(" AND NOT COALESCE(").append(&held).raw(", false)");
    }
    sql = sql.raw(") SELECT pg_catalog.count(*) FROM (SELECT asked.key FROM asked WHERE asked.new");
    for table in &erasure.tables {
        let template = table.template();
        let deletes = matches!(template.work, Work::Delete);
        let held = held(template.table.oid, deletes)?;
        sql = sql
            .raw(" UNION SELECT asked.key FROM asked WHERE ")
            .append(&table.left_of("asked.key", held.as_ref()));
    }
    Ok(sql.raw(") AS open"))
}

async fn count(session: &Session, erasure: &ResolvedErasure, sql: &Sql) -> Result<u64, SurveyError> {
    let counted = match read_only(session, Duration::ZERO, sql).await {
        Ok(row) => unsigned(&row, 0),
        Err(error) => Err(error),
    };
    counted.map_err(|source| SurveyError::Db {
        rule: RULE.to_owned(),
        table: erasure.subject.shown(),
        source,
    })
}
