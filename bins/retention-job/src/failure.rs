//! Owns which exit code an error leads to.

use pg_session::{DbError, Kind, TargetError};
use retention_store::{HoldError, InitError, RunError};
use runtime::exit::{Exit, Failure};

/// What the database said.
pub(crate) fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::Login | Kind::Privilege | Kind::Missing | Kind::ReadOnly | Kind::Value => Exit::Usage,
        Kind::Locked | Kind::Cancelled | Kind::Conflict | Kind::Lost | Kind::Full | Kind::Constraint | Kind::Other => {
            Exit::Dependency
        }
    }
}

/// No session.
pub(crate) fn target(error: TargetError) -> Failure {
    let exit = if error.is_configuration() {
        Exit::Usage
    } else {
        Exit::Dependency
    };
    Failure::new(exit, error)
}

/// A statement failed while `doing`.
pub(crate) fn db(doing: &'static str) -> impl FnOnce(DbError) -> Failure {
    move |error| {
        let exit = exit_of(error.kind);
        Failure::new(exit, anyhow::Error::new(error).context(doing))
    }
}

/// The tool's own schema cannot be used.
pub(crate) fn init(error: InitError) -> Failure {
    let exit = match &error {
        InitError::Db(error) => exit_of(error.kind),
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}

/// A run cannot begin or go on.
pub(crate) fn run(error: RunError) -> Failure {
    let exit = match &error {
        // The other one does the work.
        RunError::Busy { .. } | RunError::Fenced { .. } => Exit::Partial,
        RunError::Db(error) => exit_of(error.kind),
    };
    Failure::new(exit, error)
}

/// A hold cannot be placed or released.
pub(crate) fn hold(error: HoldError) -> Failure {
    let exit = match &error {
        HoldError::Db(error) => exit_of(error.kind),
        _ => Exit::Usage,
    };
    Failure::new(exit, error)
}
