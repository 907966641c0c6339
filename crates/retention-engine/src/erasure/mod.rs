//! Owns the right to be forgotten: a run over all subjects that ask, or over those that are named.
//!
//! | module | owns |
//! |---|---|
//! | `asking` | how many ask |
//! | `subjects` | who |
//! | `reach` | which rows |
//! | `complete` | when a subject is done |
//!
//! A subject is done when a count, after its rows were erased, finds none left in any table of the policy. Subjects that
//! are done are looked at again in every run: somebody may have written a late row.

mod asking;
mod complete;
mod reach;
mod subjects;

pub use subjects::canonical_keys;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::ledger::{Ledger, LedgerFailure};
use retention_plan::resolve::ResolvedErasure;
use retention_proof::RuleResult;
use retention_proof::receipt::SubjectOutcome;
use retention_store::erasure::Source;
use retention_store::{erasure as store, gate};
use std::collections::{BTreeMap, BTreeSet};
use subjects::requests;

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
        let for_holds = self.rows(erasure, &page.keys, report).await?;
        let (mut open, mut done) = (BTreeMap::new(), Vec::new());
        if let Some(for_holds) = for_holds {
            self.open(erasure, &erasure.tables, &page.keys, &mut open).await?;
            // A night more would change nothing: it is the holds that keep what leads to held rows.
            for key in for_holds {
                open.entry(key).and_modify(|outcome| *outcome = SubjectOutcome::Held);
            }
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
        } else {
            report.stopped = true;
            open.extend(page.keys.iter().map(|key| (key.clone(), SubjectOutcome::Left)));
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
}
