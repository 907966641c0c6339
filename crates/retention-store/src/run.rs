//! Owns runs: how one begins, that there is one at a time, how it ends, and what it leaves to the next.

use std::time::Duration;

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};
use tokio_postgres::Row;

use crate::audit::sql_time;
use crate::gate::{self, Gate, commit, undo};
pub use crate::lock::{Holder, holder, lock, unlock};
use crate::receipt::{self, LastReceipt};

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// The policy.
    Run,
    /// One erasure request.
    Erase,
}

impl RunKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Erase => "erase",
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It works, or it was killed and nobody has looked since.
    Running,
    /// Everything due is gone.
    Complete,
    /// A budget was used up, or it was told to stop.
    Partial,
    /// Rows that are due are left.
    Residue,
    /// It ended by an error.
    Failed,
    /// It was killed or lost the database.
    Interrupted,
}

impl RunState {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Residue => "residue",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    fn read(text: &str) -> Result<Self, DbError> {
        [
            Self::Running,
            Self::Complete,
            Self::Partial,
            Self::Residue,
            Self::Failed,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| crate::odd(format!("retention.run has the state {text:?}, which no release writes")))
    }
}

/// What a run begins with.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// What it is for.
    pub kind: RunKind,
    /// The moment from which ages are counted.
    pub as_of: Timestamp,
    /// SHA-256 of the policy, hex.
    pub policy_digest: &'a str,
    /// This program's version.
    pub tool_version: &'a str,
}

/// A run that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// A UUID.
    pub run_id: String,
    /// Grows with every run.
    pub number: i64,
    /// A batch that finds another one at the gate stops: a newer run has taken over.
    pub fence: i64,
    /// What the gate said when the run began.
    pub holds_epoch: i64,
    /// The moment from which ages are counted.
    pub as_of: Timestamp,
    /// By the database's clock.
    pub started_at: Timestamp,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoredRun {
    /// A UUID.
    pub run_id: String,
    /// Grows with every run.
    pub number: i64,
    /// What it was for.
    pub kind: RunKind,
    /// How it stands.
    pub state: RunState,
    /// The moment from which ages were counted.
    pub as_of: Timestamp,
    /// By the database's clock.
    pub started_at: Timestamp,
    /// By the database's clock; of an interrupted run, the end of its last batch.
    pub finished_at: Option<Timestamp>,
    /// SHA-256 of the policy, hex.
    pub policy_digest: String,
    /// The program's version.
    pub tool_version: String,
}

/// Why a run cannot begin, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another run is at work.
    #[error("another run is at work on this database: {}", match holder {
        Some(holder) => holder.to_string(),
        None => "it has just ended, or this role may not see it".to_owned(),
    })]
    Busy {
        /// Who, if that can be seen.
        holder: Option<Holder>,
    },
    /// A newer run has taken over.
    #[error("a newer run has taken over (fence {found}, ours is {ours}): this one changes nothing more")]
    Fenced {
        /// Ours.
        ours: i64,
        /// At the gate.
        found: i64,
    },
    /// The database.
    #[error("the run cannot be recorded")]
    Db(#[from] DbError),
}

/// Begins a run: takes the lock, waits at most `patience` for batches of a run that was replaced, counts the fence up
/// and writes the run down, durably.
///
/// # Errors
/// Another run is at work, or the database. Nothing is written, and the lock is given back.
pub async fn begin(session: &Session, new: &NewRun<'_>, patience: Duration) -> Result<Run, RunError> {
    lock(session).await?;
    match write_down(session, new, patience).await {
        Ok(run) => Ok(run),
        Err(error) => {
            let error = undo(session, error).await;
            // If this fails too, the session is gone, and the lock with it.
            let _ = unlock(session).await;
            Err(error.into())
        }
    }
}

async fn write_down(session: &Session, new: &NewRun<'_>, patience: Duration) -> Result<Run, DbError> {
    let before = gate::exclusive(session, patience).await?;
    let fence: i64 = session
        .one(&Sql::text(
            "UPDATE retention.gate SET fence = fence + 1 WHERE id = 1 RETURNING fence",
        ))
        .await?
        .try_get(0)?;
    let row = session
        .one(
            &Sql::text(
                "INSERT INTO retention.run (run_id, kind, state, fence, as_of, started_at, policy_digest, tool_version) \
                 VALUES (pg_catalog.gen_random_uuid()::pg_catalog.text, ",
            )
            .param(new.kind.as_str(), "text")
            .raw(", 'running', ")
            .param(fence.to_string(), "bigint")
            .raw(", ")
            .param(sql_time(new.as_of), "timestamptz")
            .raw(", pg_catalog.clock_timestamp(), ")
            .param(new.policy_digest, "text")
            .raw(", ")
            .param(new.tool_version, "text")
            .raw(") RETURNING run_id, number, as_of, started_at"),
        )
        .await?;
    let run = Run {
        run_id: row.try_get(0)?,
        number: row.try_get(1)?,
        fence,
        holds_epoch: before.holds_epoch,
        as_of: row.try_get(2)?,
        started_at: row.try_get(3)?,
    };
    commit(session).await?;
    Ok(run)
}

/// After a lost connection: takes the lock again in the new session and looks whether the run is still ours.
///
/// # Errors
/// [`RunError::Busy`]: the server has not noticed the old connection's end yet (try again), or another run is at work.
/// [`RunError::Fenced`]: another run has taken over.
pub async fn rejoin(session: &Session, run: &Run) -> Result<(), RunError> {
    lock(session).await?;
    match check_fence(run.fence, gate::peek(session).await?) {
        Ok(_) => Ok(()),
        Err(error) => {
            unlock(session).await?;
            Err(error)
        }
    }
}

/// Whether the gate still has our fence.
///
/// # Errors
/// [`RunError::Fenced`].
pub fn check_fence(ours: i64, gate: Gate) -> Result<Gate, RunError> {
    if gate.fence == ours {
        Ok(gate)
    } else {
        Err(RunError::Fenced {
            ours,
            found: gate.fence,
        })
    }
}

/// Finds runs that were killed, marks them as interrupted, durably, and gives those that have no receipt yet, oldest
/// first: the caller writes one for each, from the audit rows that they left. Only for who holds the run's lock.
///
/// # Errors
/// A newer run has taken over, or the database.
pub async fn unfinished(session: &Session, run: &Run) -> Result<Vec<StoredRun>, RunError> {
    match mark_interrupted(session, run).await {
        Ok(found) => Ok(found),
        Err(error) => Err(undo(session, error).await),
    }
}

async fn mark_interrupted(session: &Session, run: &Run) -> Result<Vec<StoredRun>, RunError> {
    check_fence(run.fence, gate::begin_durable(session).await?)?;
    session
        .execute(
            &Sql::text(
                "UPDATE retention.run AS r SET state = 'interrupted', finished_at = (SELECT pg_catalog.max(a.finished_at) \
                 FROM retention.audit AS a WHERE a.run_id = r.run_id) WHERE r.state = 'running' AND r.fence < ",
            )
            .param(run.fence.to_string(), "bigint"),
        )
        .await?;
    let rows = session
        .query(&Sql::text(format!(
            "SELECT {STORED} FROM retention.run AS r WHERE r.state IN ('interrupted', 'failed') \
             AND NOT EXISTS (SELECT FROM retention.receipt AS p WHERE p.run_id = r.run_id) ORDER BY r.number"
        )))
        .await?;
    let found = rows.iter().map(stored).collect::<Result<_, _>>()?;
    commit(session).await?;
    Ok(found)
}

/// What a receipt follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What the gate said.
    pub gate: Gate,
    /// The newest receipt; `None`: this will be the first.
    pub last: Option<LastReceipt>,
}

/// Begins the transaction that ends a run (or writes the receipt of an interrupted one); its commit is durable, and
/// makes durable what the run's batches committed. The caller then calls [`finish`] and [`receipt::append`], and ends
/// with `COMMIT`; after any error, with `ROLLBACK`.
///
/// # Errors
/// A newer run has taken over, or the database; the transaction is rolled back.
pub async fn closing(session: &Session, fence: i64) -> Result<Closing, RunError> {
    match async {
        let gate = check_fence(fence, gate::begin_durable(session).await?)?;
        let last = receipt::last(session).await?;
        Ok(Closing { gate, last })
    }
    .await
    {
        Ok(closing) => Ok(closing),
        Err(error) => Err(undo(session, error).await),
    }
}

/// Sets how a run ended, inside the closing transaction; gives when, by the database's clock.
///
/// # Errors
/// There is no such run that is running, or the database.
pub async fn finish(session: &Session, run_id: &str, state: RunState) -> Result<Timestamp, DbError> {
    session
        .maybe(
            &Sql::text("UPDATE retention.run SET finished_at = pg_catalog.clock_timestamp(), state = ")
                .param(state.as_str(), "text")
                .raw(" WHERE state = 'running' AND run_id = ")
                .param(run_id, "text")
                .raw(" RETURNING finished_at"),
        )
        .await?
        .ok_or_else(|| crate::odd(format!("the run {run_id} is not running any more")))?
        .try_get(0)
        .map_err(DbError::from)
}

/// One run.
///
/// # Errors
/// The database cannot be asked.
pub async fn get(session: &Session, run_id: &str) -> Result<Option<StoredRun>, DbError> {
    session
        .maybe(&Sql::text(format!("SELECT {STORED} FROM retention.run AS r WHERE r.run_id = ")).param(run_id, "text"))
        .await?
        .as_ref()
        .map(stored)
        .transpose()
}

/// The newest runs, newest first.
///
/// # Errors
/// The database cannot be asked.
pub async fn newest(session: &Session, limit: u32) -> Result<Vec<StoredRun>, DbError> {
    session
        .query(&Sql::text(format!(
            "SELECT {STORED} FROM retention.run AS r ORDER BY r.number DESC LIMIT {limit}"
        )))
        .await?
        .iter()
        .map(stored)
        .collect()
}

/// The columns that [`stored`] reads.
const STORED: &str =
    "r.run_id, r.number, r.kind, r.state, r.as_of, r.started_at, r.finished_at, r.policy_digest, r.tool_version";

fn stored(row: &Row) -> Result<StoredRun, DbError> {
    Ok(StoredRun {
        run_id: row.try_get(0)?,
        number: row.try_get(1)?,
        kind: match row.try_get::<_, &str>(2)? {
            "erase" => RunKind::Erase,
            _ => RunKind::Run,
        },
        state: RunState::read(row.try_get(3)?)?,
        as_of: row.try_get(4)?,
        started_at: row.try_get(5)?,
        finished_at: row.try_get(6)?,
        policy_digest: row.try_get(7)?,
        tool_version: row.try_get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_as_it_is_written() {
        assert_eq!(RunState::read("partial").unwrap(), RunState::Partial);
        assert_eq!(RunState::read("interrupted").unwrap(), RunState::Interrupted);
        assert!(RunState::read("done").is_err());
    }
}
