//! Owns the end of a run: the receipt, in the transaction that ends the run.

use super::prepare::Prepared;
use super::remains;
use crate::failure;
use crate::summary::ReceiptRef;
use jiff::Timestamp;
use pg_session::{DbError, Session};
use retention_plan::catalog::Server;
use retention_policy::LoadedPolicy;
use retention_proof::audit::to_microseconds;
use retention_proof::receipt::{Database, Erasures, PolicyRef, ReceiptKind, Tool, Unapplied};
use retention_proof::{Envelope, Outcome, Receipt, RuleResult, SigningKey};
use retention_store::audit::Totals;
use retention_store::progress::LastCutoff;
use retention_store::run::{Closing, RunKind, RunState, StoredRun};
use retention_store::{Run, RunError, audit, progress, receipt, run};
use runtime::exit::{Exit, Failure};

/// What every receipt of this process says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notary<'a> {
    pub(crate) server: &'a Server,
    pub(crate) policy: &'a LoadedPolicy,
    pub(crate) key: Option<&'a SigningKey>,
    /// Of this process: the gate lets nobody else write.
    pub(crate) fence: i64,
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Did<'a> {
    pub(crate) kind: RunKind,
    pub(crate) outcome: Outcome,
    pub(crate) rules: Vec<RuleResult>,
    pub(crate) erasures: &'a Erasures,
    pub(crate) unapplied: Vec<Unapplied>,
}

impl Notary<'_> {
    /// Ends the run: state, cutoffs and receipt in one durable transaction.
    ///
    /// # Errors
    /// The database, or a newer run.
    pub(crate) async fn close(
        &self,
        session: &Session,
        of: &Run,
        prepared: &Prepared,
        did: Did<'_>,
    ) -> Result<ReceiptRef, Failure> {
        let remains = remains::sentences(session, &did.rules, prepared).await;
        let closing = run::closing(session, self.fence).await.map_err(failure::run)?;
        let ended = self.end(session, of, prepared, did, remains, closing).await;
        commit(session, ended).await
    }

    async fn end(
        &self,
        session: &Session,
        of: &Run,
        prepared: &Prepared,
        did: Did<'_>,
        remains: Vec<String>,
        closing: Closing,
    ) -> Result<ReceiptRef, DbError> {
        let state = match did.outcome {
            Outcome::Complete => RunState::Complete,
            Outcome::Partial => RunState::Partial,
            Outcome::Residue => RunState::Residue,
            Outcome::Interrupted => RunState::Interrupted,
        };
        let finished_at = run::finish(session, &of.run_id, state).await?;
        if did.kind == RunKind::Run {
            for task in &prepared.tasks {
                if let Some(cutoff) = task.cutoff {
                    let last = LastCutoff {
                        rule: task.rule.clone(),
                        table_name: task.table.shown(),
                        cutoff,
                        as_of: of.as_of,
                    };
                    progress::set_cutoff(session, &of.run_id, &last).await?;
                }
            }
        }
        let receipt = Receipt {
            kind: kind(did.kind),
            as_of: of.as_of,
            started_at: of.started_at,
            finished_at: to_microseconds(finished_at),
            outcome: did.outcome,
            rules: did.rules,
            erasures: did.erasures.clone(),
            unapplied: did.unapplied,
            remains,
            ..self.blank(session, &of.run_id, &closing).await?
        };
        self.keep(session, &receipt).await
    }

    /// Ends a run that broke off, with the receipt of what it had done. The next run does it if this one cannot.
    ///
    /// # Errors
    /// The database, or a newer run.
    pub(crate) async fn close_failed(&self, session: &Session, run_id: &str) -> Result<ReceiptRef, Failure> {
        let closing = run::closing(session, self.fence).await.map_err(failure::run)?;
        let ended = async {
            run::finish(session, run_id, RunState::Failed).await?;
            let of = run::get(session, run_id)
                .await?
                .ok_or_else(|| DbError::new(pg_session::Kind::Other, "the run is not there any more"))?;
            self.end_interrupted(session, &of, closing).await
        }
        .await;
        commit(session, ended).await
    }

    /// Writes the receipt of a run that was killed, from the audit rows that it left.
    ///
    /// # Errors
    /// The database, or a newer run.
    pub(crate) async fn close_interrupted(&self, session: &Session, of: &StoredRun) -> Result<ReceiptRef, Failure> {
        let closing = run::closing(session, self.fence).await.map_err(failure::run)?;
        let ended = self.end_interrupted(session, of, closing).await;
        commit(session, ended).await
    }

    async fn end_interrupted(
        &self,
        session: &Session,
        of: &StoredRun,
        closing: Closing,
    ) -> Result<ReceiptRef, DbError> {
        let totals = audit::totals(session, &of.run_id).await?;
        let mut receipt = self.blank(session, &of.run_id, &closing).await?;
        receipt.kind = kind(of.kind);
        receipt.as_of = of.as_of;
        receipt.started_at = of.started_at;
        receipt.finished_at = of.finished_at.unwrap_or(of.started_at);
        receipt.outcome = Outcome::Interrupted;
        receipt.policy.digest.clone_from(&of.policy_digest);
        if of.policy_digest != self.policy.digest {
            "not known any more".clone_into(&mut receipt.policy.source);
            receipt.policy.revision = None;
        }
        receipt.rules = totals.into_iter().map(from_totals).collect();
        self.keep(session, &receipt).await
    }

    /// A receipt with everything that does not depend on what was done.
    async fn blank(&self, session: &Session, run_id: &str, closing: &Closing) -> Result<Receipt, DbError> {
        Ok(Receipt {
            format: Receipt::FORMAT,
            number: closing.last.as_ref().map_or(1, |last| last.number + 1),
            previous: closing.last.as_ref().map(|last| last.sha256.clone()),
            run_id: run_id.to_owned(),
            kind: ReceiptKind::Run,
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            database: Database {
                name: self.server.database.clone(),
                system_identifier: self
                    .server
                    .system_identifier
                    .clone()
                    .unwrap_or_else(|| "not readable".to_owned()),
                oid: self.server.database_oid,
                server_version: self.server.version.clone(),
            },
            policy: PolicyRef {
                digest: self.policy.digest.clone(),
                source: self.policy.source.to_string(),
                revision: self.policy.policy.revision,
            },
            as_of: Timestamp::UNIX_EPOCH,
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Interrupted,
            rules: Vec::new(),
            erasures: Erasures::default(),
            audit: audit::summary(session, run_id).await?,
            unapplied: Vec::new(),
            remains: Vec::new(),
        })
    }

    async fn keep(&self, session: &Session, receipt: &Receipt) -> Result<ReceiptRef, DbError> {
        let envelope = Envelope::seal(receipt, self.key)
            .map_err(|error| DbError::new(pg_session::Kind::Other, runtime::exit::chain_of(&error)))?;
        let sha256 = receipt::append(session, receipt.number, &receipt.run_id, &envelope.to_json()).await?;
        Ok(ReceiptRef {
            number: receipt.number,
            sha256,
            signed: self.key.is_some(),
        })
    }
}

async fn commit(session: &Session, ended: Result<ReceiptRef, DbError>) -> Result<ReceiptRef, Failure> {
    let committed = match ended {
        Ok(receipt) => session.batch("COMMIT").await.map(|()| receipt),
        Err(error) => {
            // What went wrong first is what is told.
            let _ = session.rollback().await;
            Err(error)
        }
    };
    committed.map_err(|error| failure::run(RunError::Db(error)))
}

fn kind(kind: RunKind) -> ReceiptKind {
    match kind {
        RunKind::Run => ReceiptKind::Run,
        RunKind::Erase => ReceiptKind::Erase,
    }
}

/// Nobody counted what is left: `residue` is not known, and neither is what was due.
fn from_totals(totals: Totals) -> RuleResult {
    let elapsed = totals.finished_at.duration_since(totals.started_at);
    RuleResult {
        rule: totals.rule,
        table: totals.tables.join(", "),
        action: totals.action,
        strategies: totals.strategies,
        cutoff: totals.cutoff,
        due: 0,
        rows: totals.rows,
        cascaded: totals.cascaded,
        held: 0,
        blocked: 0,
        undated: 0,
        residue: None,
        batches: totals.batches,
        duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(0),
    }
}

/// The exit code of an outcome.
pub(crate) fn exit(outcome: Outcome, held_subject: bool) -> Exit {
    match outcome {
        // Somebody asked for this subject and did not get it.
        Outcome::Complete if held_subject => Exit::Negative,
        Outcome::Complete => Exit::Done,
        Outcome::Residue => Exit::Negative,
        Outcome::Partial | Outcome::Interrupted => Exit::Partial,
    }
}
