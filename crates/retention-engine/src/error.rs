//! Owns why the engine stops, by what the caller does about it.

use pg_session::DbError;
use retention_plan::holds::HoldError;

/// Why the engine stopped. What was committed before stays, and is in the audit.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A newer run has taken over; this one must not touch another row.
    #[error("another run took over (fence {found}, ours is {ours}); nothing was changed after that")]
    Fenced {
        /// Ours.
        ours: i64,
        /// The gate's.
        found: i64,
    },
    /// The server is gone and did not come back in time, or came back as a standby.
    #[error("the database was lost and did not come back in time")]
    Lost(#[source] DbError),
    /// Disk or memory of the server is full.
    #[error("the server has no room left")]
    Full(#[source] DbError),
    /// It cannot be said which rows are held, so none may be touched.
    #[error("it cannot be said which rows are held")]
    Holds(#[source] HoldError),
    /// One rule cannot be carried out; others may.
    #[error("rule {rule} cannot be applied to {table}")]
    Rule {
        /// The rule.
        rule: String,
        /// The table or partition.
        table: String,
        /// What the database said.
        #[source]
        source: DbError,
    },
    /// Our own tables cannot be read or written.
    #[error("the tables of schema retention cannot be used")]
    Store(#[source] DbError),
}
