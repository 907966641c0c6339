//! Owns what happens when the server is lost: connect again, take the run's lock again, look whether the run is still
//! ours and how far the audit goes.

use crate::batch::Chain;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::wire;
use pg_session::{DbError, Kind, Session};
use retention_proof::ChainHash;
use retention_store::{RunError, audit, gate, run};
use std::time::{Duration, Instant};

/// Between two tries; grows.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

impl Engine {
    /// Gets a session again, or gives up after [`crate::Options::reconnect`]. Afterwards `chain` says what was committed.
    ///
    /// # Errors
    /// The server does not come back, or another run has taken over.
    pub(crate) async fn regain(&mut self, cause: DbError) -> Result<(), EngineError> {
        tracing::warn!(error = %cause, "the database is lost; connecting again");
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let last = match self.rejoin().await {
                Ok(session) => {
                    self.work = session;
                    self.ahead = None;
                    self.holds.forget();
                    self.watcher.work_is(wire::pid(&self.work).await.unwrap_or(0));
                    return Ok(());
                }
                Err(Rejoin::Fenced { ours, found }) => return Err(EngineError::Fenced { ours, found }),
                Err(Rejoin::Final(error)) => return Err(EngineError::Lost(error)),
                Err(Rejoin::Later(error)) => error,
            };
            if begun.elapsed() + wait > self.options.reconnect || self.shutdown.is_draining() {
                return Err(EngineError::Lost(last));
            }
            let shutdown = self.shutdown.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.recv() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn rejoin(&mut self) -> Result<Session, Rejoin> {
        let session = self.target.connect(&self.session_options).await.map_err(|error| {
            let may_pass = error.is_passing();
            let error = DbError::new(Kind::Lost, runtime::exit::chain_of(&error));
            if may_pass {
                Rejoin::Later(error)
            } else {
                Rejoin::Final(error)
            }
        })?;
        // The old session keeps the lock until the server has noticed that it is gone. Once we have it, nothing of the
        // old one can be committed any more, so what the audit says is final.
        match run::lock(&session).await {
            Ok(()) => {}
            Err(RunError::Busy { .. }) => {
                return Err(Rejoin::Later(DbError::new(
                    Kind::Lost,
                    "the server still keeps the run's lock for the lost connection",
                )));
            }
            Err(RunError::Fenced { ours, found }) => return Err(Rejoin::Fenced { ours, found }),
            Err(RunError::Db(error)) => return Err(Rejoin::Later(error)),
        }
        let gate = gate::peek(&session).await.map_err(Rejoin::Later)?;
        if gate.fence != self.context.fence {
            return Err(Rejoin::Fenced {
                ours: self.context.fence,
                found: gate.fence,
            });
        }
        let tail = audit::tail(&session, &self.context.run_id)
            .await
            .map_err(Rejoin::Later)?;
        // A crash takes back the last commits that were answered (`synchronous_commit = off`): they count for no budget.
        // One that was not answered is counted by whoever waits for it.
        let (run_id, rule) = (&self.context.run_id, &self.task_rule);
        let (all, of_task) = audit::rows_until(&session, run_id, rule, self.task_after, self.chain.seq)
            .await
            .map_err(Rejoin::Later)?;
        if all < self.total_rows {
            tracing::warn!(
                rows = self.total_rows - all,
                "the server's crash took commits back; their rows are due again"
            );
        }
        (self.total_rows, self.task_rows) = (all, of_task);
        self.chain = match tail {
            Some((seq, link)) => Chain { seq, link },
            None => Chain {
                seq: 0,
                link: ChainHash::start(&self.context.run_id),
            },
        };
        // What comes next has the numbers that are free again.
        self.task_after = self.task_after.min(self.chain.seq);
        Ok(session)
    }
}

enum Rejoin {
    /// Try again.
    Later(DbError),
    /// Trying again does not help.
    Final(DbError),
    Fenced {
        ours: i64,
        found: i64,
    },
}
