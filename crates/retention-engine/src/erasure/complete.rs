//! Owns when a subject is done, and the transaction that says so.

use super::Page;
use crate::engine::Engine;
use crate::error::EngineError;
use pg_session::{DbError, Sql};
use retention_plan::resolve::ResolvedErasure;
use retention_proof::AuditRow;
use retention_store::{audit, erasure as store, gate};
use std::collections::BTreeMap;

impl Engine {
    /// Says that subjects are done: in their own rows, in the requests, and in the audit. Once more does no harm.
    pub(super) async fn complete(
        &mut self,
        erasure: &ResolvedErasure,
        done: &[String],
        page: &Page,
        macs: &BTreeMap<String, String>,
    ) -> Result<(), EngineError> {
        if done.is_empty() || (erasure.completed.is_none() && page.pending.is_empty()) {
            return Ok(());
        }
        loop {
            match self.try_complete(erasure, done, page, macs).await {
                Ok(()) => return Ok(()),
                Err(Stopped::Fenced(found)) => {
                    return Err(EngineError::Fenced {
                        ours: self.context.fence,
                        found,
                    });
                }
                Err(Stopped::Held) => {
                    // A hold came: the next run looks who is held now.
                    self.holds.forget();
                    return Ok(());
                }
                Err(Stopped::Db(error)) if error.kind == pg_session::Kind::Lost => self.regain(error).await?,
                Err(Stopped::Db(source)) => {
                    // A rollback that fails is found by the next statement.
                    let _ = self.work.rollback().await;
                    return Err(EngineError::Rule {
                        rule: "erasure".to_owned(),
                        table: erasure.subject.shown(),
                        source,
                    });
                }
            }
        }
    }

    async fn try_complete(
        &mut self,
        erasure: &ResolvedErasure,
        done: &[String],
        page: &Page,
        macs: &BTreeMap<String, String>,
    ) -> Result<(), Stopped> {
        let gate = gate::begin_durable(&self.work).await?;
        if gate.fence != self.context.fence {
            self.work.rollback().await?;
            return Err(Stopped::Fenced(gate.fence));
        }
        if self.holds.epoch() != Some(gate.holds_epoch) {
            self.work.rollback().await?;
            return Err(Stopped::Held);
        }
        let mut rows = 0;
        if let Some(column) = &erasure.completed {
            let (key, completed) = (
                pg_session::quote_ident(&erasure.key.name),
                pg_session::quote_ident(&column.name),
            );
            let sql = Sql::text(format!(
                "UPDATE {} AS t SET {completed} = pg_catalog.now() WHERE t.{completed} IS NULL AND t.{key} = ANY (",
                erasure.subject.quoted()
            ))
            .param(pg_session::array_literal(done), "pg_catalog.text[]")
            .raw(format!("::{}[])", erasure.key.type_name));
            rows = self.work.execute(&sql).await?;
        }
        for key in done {
            for id in page.pending.get(key).into_iter().flatten() {
                store::complete(&self.work, *id, &self.context.run_id, macs.get(key).map(String::as_str)).await?;
            }
        }
        let mut chain = self.chain;
        if rows > 0 {
            let row = AuditRow {
                run_id: self.context.run_id.clone(),
                seq: chain.seq + 1,
                rule: "erasure".to_owned(),
                table_name: erasure.subject.shown(),
                action: "complete-erasure".to_owned(),
                rows,
                cascaded: 0,
                cutoff: None,
                started_at: gate.now,
                finished_at: gate.now,
                policy_digest: self.context.policy_digest.clone(),
                strategy: "by-key".to_owned(),
                position: None,
            };
            chain.link = row.link(chain.link);
            chain.seq = row.seq;
            audit::append(&self.work, &row, chain.link).await?;
        }
        self.work.batch("COMMIT").await?;
        self.chain = chain;
        Ok(())
    }
}

enum Stopped {
    Fenced(i64),
    /// Holds have changed since it was looked who is held.
    Held,
    Db(DbError),
}

impl From<DbError> for Stopped {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}
