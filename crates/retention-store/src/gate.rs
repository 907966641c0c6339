//! Owns the gate: see the crate's documentation.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};

/// The advisory lock of the gate: "retgate" in ASCII.
pub const GATE: i64 = 0x0072_6574_6761_7465;
/// The advisory lock that a run holds for its session: "retrun".
pub const RUN: i64 = 0x7265_7472_756e;

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

/// Begins a batch's transaction and passes the gate. The three statements travel together.
///
/// # Errors
/// The lock was not had in `lock_timeout` ([`pg_session::Kind::Locked`]), or anything else. The caller rolls back.
pub async fn begin(session: &Session) -> Result<Gate, DbError> {
    session
        .batch(&format!(
            "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock_shared({GATE})"
        ))
        .await?;
    // A statement of its own: its snapshot must be taken after the lock is had.
    let row = session
        .one(&Sql::text(
            "SELECT fence, holds_epoch, pg_catalog.clock_timestamp() FROM retention.gate WHERE id = 1",
        ))
        .await?;
    Ok(Gate {
        fence: row.try_get(0)?,
        holds_epoch: row.try_get(1)?,
        now: row.try_get(2)?,
    })
}
