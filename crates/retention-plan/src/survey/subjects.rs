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
    let held: Held<'_> = &|oid, deletes| holds.predicate(oid, deletes, active);
    let asks = open(held, erasure, requested).map_err(|source| SurveyError::Hold {
        rule: RULE.to_owned(),
        source,
    })?;
    let asks = Sql::text("SELECT pg_catalog.count(*) FROM (")
        .append(&asks)
        .raw(") AS open");
    let shown = erasure.subject.shown();
    let open = count(session, &shown, &asks).await?;
    let mut total = None;
    if open > 0 {
        let (table, key) = (erasure.subject.quoted(), quote_ident(&erasure.key.name));
        let all = Sql::text(format!("SELECT pg_catalog.count(DISTINCT t.{key}) FROM {table} AS t"));
        // Subjects may have come in between.
        total = Some(count(session, &shown, &all).await?.max(open));
    }
    Ok(Some(SubjectSurvey { open, total }))
}

/// What it is called where rules have names.
const RULE: &str = "erasure";

/// Whether it is held: over `t`, by the table's OID and whether its rows are deleted.
type Held<'a> = &'a dyn Fn(u32, bool) -> Result<Option<Sql>, HoldError>;

fn open(held: Held<'_>, erasure: &ResolvedErasure, requested: &Sql) -> Result<Sql, HoldError> {
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
    sql = sql.raw(") SELECT asked.key::pg_catalog.text FROM asked WHERE asked.new");
    for table in &erasure.tables {
        let template = table.template();
        let held = held(template.table.oid, matches!(template.work, Work::Delete))?;
        sql = sql
            .raw(" UNION SELECT asked.key::pg_catalog.text FROM asked WHERE ")
            .append(&table.left_of("asked.key", held.as_ref()));
    }
    Ok(sql)
}

/// How many subjects are not done, held ones and requests that wait in `retention.erasure` included; the end of a run
/// tells it. `erasure` is `None` where the policy has none: requests may wait all the same.
///
/// # Errors
/// See [`SurveyError`].
pub async fn unfinished(session: &Session, erasure: Option<&ResolvedErasure>) -> Result<u64, SurveyError> {
    let hold = |source| SurveyError::Hold {
        rule: RULE.to_owned(),
        source,
    };
    let waiting = "SELECT e.subject FROM retention.erasure AS e WHERE e.completed_at IS NULL";
    let mut sql = Sql::text("SELECT pg_catalog.count(*) FROM (").raw(waiting);
    if let Some((erasure, requested)) = erasure.and_then(|erasure| Some((erasure, erasure.requested.as_ref()?))) {
        let nobody_is_held: Held<'_> = &|_, _| Ok(None);
        sql = sql
            .raw(" UNION (")
            .append(&open(nobody_is_held, erasure, requested).map_err(hold)?)
            .raw(")");
    }
    let table = erasure.map_or_else(|| "retention.erasure".to_owned(), |erasure| erasure.subject.shown());
    count(session, &table, &sql.raw(") AS open")).await
}

async fn count(session: &Session, table: &str, sql: &Sql) -> Result<u64, SurveyError> {
    let counted = match read_only(session, Duration::ZERO, sql).await {
        Ok(row) => unsigned(&row, 0),
        Err(error) => Err(error),
    };
    counted.map_err(|source| SurveyError::Db {
        rule: RULE.to_owned(),
        table: table.to_owned(),
        source,
    })
}
