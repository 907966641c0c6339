//! Owns who: the keys of subjects, page by page, from the subject table, the waiting requests, and the ledger.

use super::{ErasureError, ErasureReport, PAGE, Page};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::ledger::Ledger;
use pg_session::{DbError, Session, Sql};
use retention_plan::resolve::ResolvedErasure;
use retention_store::erasure::Pending;
use std::collections::BTreeSet;

impl Engine {
    /// The database is older than the ledger: every subject that it has is looked up.
    pub(super) async fn erase_again(
        &mut self,
        erasure: &ResolvedErasure,
        ledger: &mut Ledger,
        report: &mut ErasureReport,
    ) -> Result<(), ErasureError> {
        tracing::warn!(
            "this database has carried out less than the ledger says: its subjects are looked up and erased again"
        );
        let mut after: Option<String> = None;
        let mut page = Page::default();
        while !report.stopped {
            let keys = self.keys(erasure, None, after.as_deref()).await?;
            let ended = keys.len() < PAGE as usize;
            after = keys.last().cloned().or(after);
            for key in keys {
                if ledger.wants_again(&key) {
                    report.from_ledger += 1;
                    page.keys.push(key);
                }
            }
            if ended || page.keys.len() >= PAGE as usize {
                if !page.keys.is_empty() {
                    self.page(erasure, std::mem::take(&mut page), Some(&mut *ledger), report)
                        .await?;
                }
                if ended {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A page of the subject table's keys, in their order.
    pub(super) async fn keys(
        &mut self,
        erasure: &ResolvedErasure,
        requested: Option<&Sql>,
        after: Option<&str>,
    ) -> Result<Vec<String>, EngineError> {
        let (table, key) = (erasure.subject.quoted(), pg_session::quote_ident(&erasure.key.name));
        let mut sql = Sql::text(format!(
            "SELECT t.{key}::pg_catalog.text FROM {table} AS t WHERE t.{key} IS NOT NULL"
        ));
        if let Some(requested) = requested {
            sql = sql.and(requested);
        }
        if let Some(after) = after {
            sql = sql
                .raw(format!(" AND t.{key} > "))
                .param(after, erasure.key.type_name.as_str());
        }
        sql = sql.raw(format!(" GROUP BY t.{key} ORDER BY t.{key} LIMIT {PAGE}"));
        loop {
            match self.work.query(&sql).await {
                Ok(rows) => {
                    return rows
                        .iter()
                        .map(|row| row.try_get(0).map_err(|error| EngineError::Store(error.into())))
                        .collect();
                }
                Err(error) if error.kind == pg_session::Kind::Lost => self.regain(error).await?,
                Err(source) => {
                    return Err(EngineError::Rule {
                        rule: "erasure".to_owned(),
                        table: erasure.subject.shown(),
                        source,
                    });
                }
            }
        }
    }

    /// Whose own row is under a hold: nothing is written to it, and the request stays.
    pub(super) async fn held_among(
        &mut self,
        erasure: &ResolvedErasure,
        keys: &[String],
    ) -> Result<Vec<String>, EngineError> {
        loop {
            let found = async {
                self.holds.load(&self.work).await.map_err(Ok)?;
                let held = self.holds.predicate(erasure.subject.oid, false).map_err(Err)?;
                let Some(held) = held else { return Ok(Vec::new()) };
                let key = pg_session::quote_ident(&erasure.key.name);
                let sql = Sql::text(format!(
                    "SELECT t.{key}::pg_catalog.text FROM {} AS t WHERE t.{key} {} ANY (",
                    erasure.subject.quoted(),
                    erasure.key.operator("=")
                ))
                .param(pg_session::array_literal(keys), format!("{}[]", erasure.key.base_type))
                .raw(")")
                .and(&held);
                let rows = self.work.query(&sql).await.map_err(Ok)?;
                rows.iter()
                    .map(|row| row.try_get(0).map_err(|error| Ok(DbError::from(error))))
                    .collect()
            }
            .await;
            match found {
                Ok(keys) => return Ok(keys),
                Err(Err(error)) => return Err(error),
                Err(Ok(error)) if error.kind == pg_session::Kind::Lost => self.regain(error).await?,
                Err(Ok(source)) => {
                    return Err(EngineError::Rule {
                        rule: "erasure".to_owned(),
                        table: erasure.subject.shown(),
                        source,
                    });
                }
            }
        }
    }
}

/// Keys as PostgreSQL prints them: `' 42'` and `042` are 42, and a UUID is in lower case. Where a subject has an equal key that
/// is printed otherwise (`7.50`, `citext`), as it is there. The ledger's MACs, requests and comparisons are all of this form.
///
/// # Errors
/// A key is none of the key column's type ([`pg_session::Kind::Value`]); nothing was written.
pub async fn canonical_keys(
    session: &Session,
    erasure: &ResolvedErasure,
    keys: &[String],
) -> Result<Vec<String>, DbError> {
    let mut canonical = BTreeSet::new();
    for key in keys {
        let key_column = pg_session::quote_ident(&erasure.key.name);
        let sql = Sql::text(format!(
            "SELECT coalesce((SELECT pg_catalog.min(s.{key_column}::pg_catalog.text) FROM {} AS s WHERE s.{key_column} {} (",
            erasure.subject.quoted(),
            erasure.key.operator("=")
        ))
        .secret(key, erasure.key.base_type.as_str())
        .raw(")), (")
        .secret(key, erasure.key.base_type.as_str())
        .raw(")::pg_catalog.text)");
        canonical.insert(session.one(&sql).await?.try_get(0)?);
    }
    Ok(canonical.into_iter().collect())
}

/// Waiting requests as a page; a subject may have asked twice.
pub(super) fn requests(waiting: Vec<Pending>) -> Page {
    let mut page = Page::default();
    for request in waiting {
        let ids = page.pending.entry(request.subject.clone()).or_default();
        if ids.is_empty() {
            page.keys.push(request.subject);
        }
        ids.push(request.id);
    }
    page
}
