//! Owns the gate: see the crate's documentation.

use std::time::Duration;

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};
use tokio_postgres::Row;

/// The advisory lock of the gate: "retgate" in ASCII.
pub const GATE: i64 = 0x0072_6574_6761_7465;
/// The advisory lock that a run holds for its session: "retrun".
pub const RUN: i64 = 0x7265_7472_756e;
/// The advisory lock under which the layout is made: "retinit".
pub const INIT: i64 = 0x0072_6574_696e_6974;

/// What a batch finds when it passes the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// The newest run's number.
    pub fence: i64,
    /// Changes with every hold.
    pub holds_epoch: i64,
    /// The database's clock.
    pub now: Timestamp,
}

/// Begins a batch's transaction and passes the gate, in one round trip. The commit will not wait for the disk
/// (`synchronous_commit = off`): rows and audit row are one transaction, so a crash loses both or neither.
///
/// # Errors
/// The lock was not had in `lock_timeout` ([`pg_session::Kind::Locked`]), or anything else. The caller rolls back.
pub async fn begin(session: &Session) -> Result<Gate, DbError> {
    shared(session, "off").await
}

/// As [`begin`], but the commit is durable, and with it everything that was committed before.
///
/// # Errors
/// As [`begin`].
pub async fn begin_durable(session: &Session) -> Result<Gate, DbError> {
    shared(session, "on").await
}

// READ COMMITTED is said aloud: under a role's default of REPEATABLE READ the snapshot would be older than the lock, and
// a hold that was placed while we waited would not be seen.
async fn shared(session: &Session, synchronous_commit: &str) -> Result<Gate, DbError> {
    let opening = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = {synchronous_commit}; \
         SELECT pg_catalog.pg_advisory_xact_lock_shared({GATE})"
    );
    let glance = look();
    // Sent together, answered in order. The second is a statement of its own, so its snapshot is younger than the lock.
    let (began, seen) = tokio::join!(biased; session.batch(&opening), session.one(&glance));
    began?;
    read(&seen?)
}

/// Begins a transaction that no batch runs beside: waits until all that passed the gate have ended, and lets none in
/// until this one ends. For holds and for the beginning of a run; its commit is durable.
///
/// # Errors
/// Batches did not end within `patience` ([`pg_session::Kind::Locked`]), or anything else. The caller rolls back.
pub async fn exclusive(session: &Session, patience: Duration) -> Result<Gate, DbError> {
    // 0 would mean: wait for ever.
    let patience_ms = patience.as_millis().clamp(1, 1 << 30);
    let opening = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = {patience_ms}"
    );
    let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({GATE})");
    let glance = look();
    // The timeouts hold from the next message on, so the lock is a message of its own.
    let (began, locked, seen) =
        tokio::join!(biased; session.batch(&opening), session.batch(&lock), session.one(&glance));
    began?;
    locked?;
    read(&seen?)
}

/// Passes the gate for the session instead of a transaction, for what cannot be part of one (`DETACH CONCURRENTLY`).
/// Holds wait until [`leave_session`], or until the session ends.
///
/// # Errors
/// The lock was not had in `lock_timeout`, or anything else; the gate is then not passed.
pub async fn enter_session(session: &Session) -> Result<Gate, DbError> {
    session
        .batch(&format!("SELECT pg_catalog.pg_advisory_lock_shared({GATE})"))
        .await?;
    match session.one(&look()).await.and_then(|row| read(&row)) {
        Ok(gate) => Ok(gate),
        Err(error) => {
            // If this fails too, the session is gone, and the lock with it.
            let _ = leave_session(session).await;
            Err(error)
        }
    }
}

/// Ends what [`enter_session`] began.
///
/// # Errors
/// The database cannot be asked.
pub async fn leave_session(session: &Session) -> Result<(), DbError> {
    session
        .batch(&format!("SELECT pg_catalog.pg_advisory_unlock_shared({GATE})"))
        .await
}

/// What the gate says now, without passing it: for `status` and `plan`.
///
/// # Errors
/// The database cannot be asked.
pub async fn peek(session: &Session) -> Result<Gate, DbError> {
    read(&session.one(&look()).await?)
}

fn look() -> Sql {
    Sql::text("SELECT fence, holds_epoch, pg_catalog.clock_timestamp() FROM retention.gate WHERE id = 1")
}

fn read(row: &Row) -> Result<Gate, DbError> {
    Ok(Gate {
        fence: row.try_get(0)?,
        holds_epoch: row.try_get(1)?,
        now: row.try_get(2)?,
    })
}

/// Runs `COMMIT`. An aborted transaction answers `COMMIT` with `ROLLBACK` and no error: callers must have seen all
/// their statements succeed.
pub(crate) async fn commit(session: &Session) -> Result<(), DbError> {
    session.batch("COMMIT").await
}

/// Rolls back after an error, and gives the error back. A rollback that fails means that the session is gone.
pub(crate) async fn undo<E>(session: &Session, error: E) -> E {
    let _ = session.rollback().await;
    error
}
