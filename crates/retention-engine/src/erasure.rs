//! Owns the right to be forgotten: which subjects, page by page; their rows; and when a subject is done.
//!
//! A subject is done when a count, after its rows were erased, finds none left in any table of the policy. Subjects that
//! are done are looked at again in every run: somebody may have written a late row.

mod asking;

use crate::engine::{Counted, Engine};
use crate::error::EngineError;
use crate::ledger::{Ledger, LedgerFailure};
use crate::verify::Left;
use pg_session::{DbError, Session, Sql};
use retention_plan::Task;
use retention_plan::resolve::{ReachedTable, ResolvedErasure, erasure_task};
use retention_proof::receipt::SubjectOutcome;
use retention_proof::{AuditRow, RuleResult};
use retention_store::erasure::{Pending, Source};
use retention_store::{audit, erasure as store, gate};
use std::collections::{BTreeMap, BTreeSet};

/// Subjects that are erased together.
const PAGE: u32 = 1000;

/// What became of the subjects of a run.
#[derive(Debug, Default)]
pub struct ErasureReport {
    /// One a table, over all subjects.
    pub results: Vec<RuleResult>,
    /// For the receipt.
    pub subjects: retention_proof::receipt::Erasures,
    /// Subjects that the ledger brought back.
    pub from_ledger: u64,
    /// Not everything was looked at: a budget, or SIGTERM.
    pub stopped: bool,
}

/// Why erasing stopped.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The ledger: nothing is erased that it does not know of.
    #[error(transparent)]
    Ledger(#[from] LedgerFailure),
}

/// A page of subjects.
#[derive(Debug, Default)]
struct Page {
    /// Keys as text.
    keys: Vec<String>,
    /// Requests that wait in the store, by key.
    pending: BTreeMap<String, Vec<i64>>,
}

impl Engine {
    /// Erases what was asked for: marked subjects of the subject table, waiting requests, and what the ledger knows and this
    /// database does not.
    ///
    /// # Errors
    /// See [`ErasureError`].
    pub async fn erase_all(
        &mut self,
        erasure: &ResolvedErasure,
        mut ledger: Option<&mut Ledger>,
    ) -> Result<ErasureReport, ErasureError> {
        let mut report = ErasureReport::default();
        if let Some(ledger) = ledger.as_deref_mut()
            && ledger.is_ahead()
        {
            self.erase_again(erasure, ledger, &mut report).await?;
        }
        if let Some(requested) = erasure.requested.as_ref() {
            let mut after: Option<String> = None;
            while !report.stopped {
                let keys = self.keys(erasure, Some(requested), after.as_deref()).await?;
                let Some(last) = keys.last() else { break };
                after = Some(last.clone());
                let page = Page {
                    keys,
                    pending: BTreeMap::new(),
                };
                self.page(erasure, page, ledger.as_deref_mut(), &mut report).await?;
            }
        }
        let mut after = 0;
        while !report.stopped {
            let waiting = store::pending(&self.work, after, PAGE)
                .await
                .map_err(EngineError::Store)?;
            let Some(last) = waiting.last() else { break };
            after = last.id;
            self.page(erasure, requests(waiting), ledger.as_deref_mut(), &mut report)
                .await?;
        }
        self.caught_up(ledger.as_deref(), &report).await?;
        Ok(report)
    }

    /// Erases these subjects now.
    ///
    /// # Errors
    /// See [`ErasureError`].
    pub async fn erase_subjects(
        &mut self,
        erasure: &ResolvedErasure,
        subjects: &[String],
        mut ledger: Option<&mut Ledger>,
    ) -> Result<ErasureReport, ErasureError> {
        let mut report = ErasureReport::default();
        let was_ahead = ledger.as_deref().is_some_and(Ledger::is_ahead);
        for subject in subjects {
            let mac = ledger.as_deref().map(|ledger| ledger.mac(subject).to_hex());
            store::request(&self.work, subject, mac.as_deref(), Source::Request)
                .await
                .map_err(EngineError::Store)?;
        }
        let wanted: BTreeSet<&String> = subjects.iter().collect();
        let mut after = 0;
        while !report.stopped {
            let mut waiting = store::pending(&self.work, after, PAGE)
                .await
                .map_err(EngineError::Store)?;
            let Some(last) = waiting.last() else { break };
            after = last.id;
            waiting.retain(|request| wanted.contains(&request.subject));
            if !waiting.is_empty() {
                self.page(erasure, requests(waiting), ledger.as_deref_mut(), &mut report)
                    .await?;
            }
        }
        if !was_ahead {
            self.caught_up(ledger.as_deref(), &report).await?;
        }
        Ok(report)
    }

    /// Writes down that this database has carried out the whole ledger, if it has.
    async fn caught_up(&mut self, ledger: Option<&Ledger>, report: &ErasureReport) -> Result<(), EngineError> {
        match ledger {
            Some(ledger) if !report.stopped && report.subjects.left == 0 && report.subjects.held == 0 => {
                store::set_ledger(&self.work, &ledger.position())
                    .await
                    .map_err(EngineError::Store)
            }
            _ => Ok(()),
        }
    }

    /// The database is older than the ledger: every subject that it has is looked up.
    async fn erase_again(
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
    async fn keys(
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

    /// Erases the rows of a page of subjects, and completes those of whom nothing is left.
    async fn page(
        &mut self,
        erasure: &ResolvedErasure,
        page: Page,
        ledger: Option<&mut Ledger>,
        report: &mut ErasureReport,
    ) -> Result<(), ErasureError> {
        let mut macs = BTreeMap::new();
        if let Some(ledger) = ledger {
            // Before the first row: from here on it must be done, whatever happens to this database.
            let now = gate::peek(&self.work).await.map_err(EngineError::Store)?.now;
            ledger.remember(&page.keys, !page.pending.is_empty(), now).await?;
            for key in &page.keys {
                macs.insert(key.clone(), ledger.mac(key).to_hex());
            }
        }
        let stopped = self.rows(erasure, &page.keys, report).await?;
        let (mut open, mut done) = (BTreeMap::new(), Vec::new());
        if stopped {
            report.stopped = true;
            open.extend(page.keys.iter().map(|key| (key.clone(), SubjectOutcome::Left)));
        } else {
            self.open(erasure, &erasure.tables, &page.keys, &mut open).await?;
            for key in self.held_among(erasure, &page.keys).await? {
                open.entry(key).or_insert(SubjectOutcome::Held);
            }
            done = page
                .keys
                .iter()
                .filter(|key| !open.contains_key(*key))
                .cloned()
                .collect();
            self.complete(erasure, &done, &page, &macs).await?;
        }
        for key in &page.keys {
            let outcome = open.get(key).copied().unwrap_or(SubjectOutcome::Completed);
            report.subjects.add(macs.get(key).map(String::as_str), outcome);
        }
        tracing::info!(
            subjects = page.keys.len(),
            completed = done.len(),
            "a page of subjects is erased"
        );
        Ok(())
    }

    /// Erases the rows of these subjects, table by table; true: stopped before the end.
    async fn rows(
        &mut self,
        erasure: &ResolvedErasure,
        keys: &[String],
        report: &mut ErasureReport,
    ) -> Result<bool, EngineError> {
        // Subjects of whom a table kept something (held, referred to): what leads to it must stay for them.
        let mut kept: Vec<(usize, BTreeSet<String>)> = Vec::new();
        for (at, table) in erasure.tables.iter().enumerate() {
            let stays: BTreeSet<&String> = kept
                .iter()
                .filter(|(before, _)| table.leads_to(&erasure.tables[*before], erasure))
                .flat_map(|(_, keys)| keys)
                .collect();
            let keys: Vec<String> = keys.iter().filter(|key| !stays.contains(key)).cloned().collect();
            let task = erasure_task(erasure, table, &keys);
            let left = self.count(&task).await?;
            let counted = Counted {
                todo: left.free + left.held + left.blocked,
                held: left.held,
                blocked: left.blocked,
                undated: 0,
            };
            let result = self.apply(&task, &counted).await?;
            let (residue, rest) = (result.residue, result.held + result.blocked);
            add(&mut report.results, result);
            let Some(residue) = residue else {
                return Ok(true);
            };
            if residue + rest > 0 {
                let mut open = BTreeMap::new();
                self.open(erasure, &erasure.tables[at..=at], &keys, &mut open).await?;
                kept.push((at, open.into_keys().collect()));
            }
        }
        Ok(false)
    }

    /// Which of these subjects still have rows: all of them are counted together, and halves of them only where some are
    /// left.
    async fn open(
        &mut self,
        erasure: &ResolvedErasure,
        tables: &[ReachedTable],
        keys: &[String],
        open: &mut BTreeMap<String, SubjectOutcome>,
    ) -> Result<(), EngineError> {
        let mut look_at: Vec<&[String]> = vec![keys];
        while let Some(keys) = look_at.pop() {
            let mut left = Left::default();
            for table in tables {
                left = left.plus(&self.count(&erasure_task(erasure, table, keys)).await?);
            }
            if left.free + left.held + left.blocked == 0 {
                continue;
            }
            if let [key] = keys {
                let outcome = if left.free + left.blocked == 0 {
                    SubjectOutcome::Held
                } else {
                    SubjectOutcome::Left
                };
                open.insert(key.clone(), outcome);
            } else {
                let (first, second) = keys.split_at(keys.len() / 2);
                look_at.extend([first, second]);
            }
        }
        Ok(())
    }

    /// Whose own row is under a hold: nothing is written to it, and the request stays.
    async fn held_among(&mut self, erasure: &ResolvedErasure, keys: &[String]) -> Result<Vec<String>, EngineError> {
        loop {
            let found = async {
                self.holds.load(&self.work).await.map_err(Ok)?;
                let held = self.holds.predicate(erasure.subject.oid, false).map_err(Err)?;
                let Some(held) = held else { return Ok(Vec::new()) };
                let key = pg_session::quote_ident(&erasure.key.name);
                let sql = Sql::text(format!(
                    "SELECT t.{key}::pg_catalog.text FROM {} AS t WHERE t.{key} = ANY (",
                    erasure.subject.quoted()
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

    async fn count(&mut self, task: &Task) -> Result<Left, EngineError> {
        let mut sum = Left::default();
        for leaf in &task.leaves {
            sum = sum.plus(&self.left(task, leaf).await?);
        }
        Ok(sum)
    }

    /// Says that subjects are done: in their own rows, in the requests, and in the audit. Once more does no harm.
    async fn complete(
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

/// Keys as PostgreSQL prints them: `' 42'` and `042` are 42, and a UUID is in lower case. The ledger's MACs, requests and
/// comparisons are all of this form.
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
        let sql = Sql::text("SELECT (")
            .secret(key, erasure.key.base_type.as_str())
            .raw(")::pg_catalog.text");
        canonical.insert(session.one(&sql).await?.try_get(0)?);
    }
    Ok(canonical.into_iter().collect())
}

/// Waiting requests as a page; a subject may have asked twice.
fn requests(waiting: Vec<Pending>) -> Page {
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

/// Adds a page's result to that of the pages before.
fn add(results: &mut Vec<RuleResult>, new: RuleResult) {
    let Some(known) = results.iter_mut().find(|known| known.rule == new.rule) else {
        results.push(new);
        return;
    };
    for strategy in new.strategies {
        if !known.strategies.contains(&strategy) {
            known.strategies.push(strategy);
        }
    }
    known.due += new.due;
    known.rows += new.rows;
    known.cascaded += new.cascaded;
    known.held += new.held;
    known.blocked += new.blocked;
    known.undated += new.undated;
    known.residue = known.residue.zip(new.residue).map(|(a, b)| a + b);
    known.batches += new.batches;
    known.duration_ms += new.duration_ms;
}
