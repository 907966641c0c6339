//! Owns one batch: attempts, until one is committed. What to do when an attempt fails is decided here only where every
//! strategy would decide the same.

use crate::attempt::{Failed, Onward};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::job::Job;
use crate::statement::{Scope, Taking};
use crate::wire;
use pg_session::{DbError, Kind, Session, Sql};
use retention_proof::ChainHash;
use std::time::Duration;

/// So often a batch is begun anew for reasons that pass by themselves (holds changed, serialization).
const ANEW: u32 = 20;
/// So often because rows that must stay would have gone along. If they came meanwhile, the predicate sees them the next time;
/// if not, it never does (they are in a partition that this run detached), and trying again only takes long.
const CAME: u32 = 2;

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is committed.
    Done(Done),
    /// Somebody else's lock, or somebody cancelled it: nothing was changed.
    Locked,
    /// It would have changed more rows than there were left to change: nothing was changed.
    TooMany,
    /// A foreign key stands against it, though the predicate saw nothing: nothing was changed.
    Referenced,
}

/// A committed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Done {
    /// Rows of the leaf.
    pub(crate) rows: u64,
    /// Of those, changed without touching an index.
    pub(crate) hot: u64,
    /// Rows of other tables.
    pub(crate) cascaded: u64,
    /// From the first message to the commit's answer.
    pub(crate) elapsed: Duration,
}

/// What the next audit row's number and link follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) seq: u64,
    pub(crate) link: ChainHash,
}

impl Engine {
    /// Runs a batch. `position` goes into the audit row. Where the sweep goes `onward`, the next batch may be opened with
    /// this one's commit: then it is to be run next, and [`Engine::opened_ahead`] tells how far it reaches.
    pub(crate) async fn batch(
        &mut self,
        job: &Job<'_>,
        taking: &Taking,
        position: Option<String>,
        onward: Option<Onward<'_>>,
    ) -> Result<Ended, EngineError> {
        let deletes = job.task.work.removes();
        let (mut anew, mut touched) = (0, 0);
        // Whoever goes around such rows tries smaller places, not the same again.
        let came = if matches!(taking.scope, Scope::Places { .. }) {
            0
        } else {
            CAME
        };
        let mut locked_gate = 0;
        loop {
            if self.holds.epoch().is_none()
                && let Err(error) = self.holds.load(&self.work).await
            {
                self.regain(error).await?;
                continue;
            }
            let held = self.holds.predicate(job.leaf.relation.oid, deletes)?;
            let opened = match self.ahead.take() {
                Some(ahead) if ahead.taking == *taking => ahead.outcome,
                Some(_) => Err(Failed::Abandoned),
                None => {
                    self.attempts += 1;
                    self.open_attempt(job, taking, held.as_ref(), self.attempts).await
                }
            };
            let closed = match opened {
                Ok(opened) => {
                    let place = (position.clone(), onward);
                    self.close_attempt(job, taking, opened, place, held.as_ref()).await
                }
                Err(failed) => Err(failed),
            };
            let failed = match closed {
                Ok(done) => return Ok(self.ended(job, done)),
                Err(failed) => failed,
            };
            if let Failed::Unknown(error, pending) = failed {
                self.regain(error).await?;
                if self.chain.seq == pending.seq && self.chain.link == pending.link {
                    return Ok(self.ended(job, pending.done));
                }
                continue;
            }
            let error = match failed {
                Failed::Db(ref error) | Failed::Gate(ref error) if lost(error) => None,
                _ => self.work.rollback().await.err(),
            };
            if let Some(error) = error {
                self.regain(error).await?;
            }
            anew += 1;
            match failed {
                Failed::Unknown(..) | Failed::Abandoned => {}
                Failed::Fenced(found) => {
                    return Err(EngineError::Fenced {
                        ours: self.context.fence,
                        found,
                    });
                }
                Failed::Epoch => {
                    tracing::info!("holds have changed; they are read again");
                    self.holds.forget();
                }
                Failed::TooMany => return Ok(Ended::TooMany),
                Failed::ChildrenTouched if touched < came => touched += 1,
                Failed::ChildrenTouched => return Ok(Ended::Referenced),
                Failed::Gate(error) if lost(&error) => self.regain(error).await?,
                Failed::Gate(error) if error.kind == Kind::Locked => {
                    locked_gate += 1;
                    if self.options.lock_timeout * locked_gate > self.options.lock_patience {
                        return Err(EngineError::Store(error));
                    }
                    // Whoever holds the gate is a hold being placed: it is short, and goes first.
                }
                Failed::Gate(error) => return Err(EngineError::Store(error)),
                Failed::Db(error) => match error.kind {
                    Kind::Lost => self.regain(error).await?,
                    Kind::Locked | Kind::Cancelled => return Ok(Ended::Locked),
                    Kind::Conflict if anew <= ANEW => {}
                    Kind::Full => return Err(EngineError::Full(error)),
                    Kind::ReadOnly => return Err(EngineError::Lost(error)),
                    Kind::Constraint if error.code.as_deref() == Some("23503") => return Ok(Ended::Referenced),
                    _ => return Err(job.failed(error)),
                },
            }
        }
    }

    fn ended(&mut self, job: &Job<'_>, done: Done) -> Ended {
        *self.changed.entry(job.leaf.relation.oid).or_default() += done.rows;
        self.rest = self.options.throttle.rest(done.elapsed);
        Ended::Done(done)
    }
}

/// Whether it is not known what became of the transaction.
pub(crate) fn lost(error: &DbError) -> bool {
    error.kind == Kind::Lost
}

/// Runs a statement that must see the whole table, however long that takes.
pub(crate) async fn unhurried(session: &Session, sql: &Sql) -> Result<tokio_postgres::Row, DbError> {
    let (begun, row, ended) = tokio::join!(
        biased;
        session.batch("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = 0"),
        wire::one(session, sql),
        session.batch("COMMIT"),
    );
    begun?;
    let row = row?;
    ended?;
    Ok(row)
}
