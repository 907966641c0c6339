//! Owns which exit code an error leads to.

use pg_session::{DbError, Kind, TargetError};
use retention_engine::{EngineError, ErasureError, LedgerFailure};
use retention_proof::LedgerError;
use retention_store::RunError;
use retention_store::hold::HoldError;
use retention_store::init::InitError;
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

/// The ledger cannot be used.
pub(crate) fn ledger(error: LedgerFailure) -> Failure {
    let exit = match &error {
        LedgerFailure::Database(error) => exit_of(error.kind),
        LedgerFailure::SameDatabase => Exit::Usage,
        // A ledger that is damaged or another one: nothing may be erased by it, and a person has to look.
        LedgerFailure::Damaged { .. } | LedgerFailure::Another { .. } => Exit::Negative,
        LedgerFailure::File(error) => match error {
            LedgerError::InUse { .. } => Exit::Partial,
            LedgerError::Damaged { .. } => Exit::Negative,
            LedgerError::Io { .. } | LedgerError::Broken { .. } => Exit::Dependency,
        },
    };
    Failure::new(exit, error)
}

/// The engine stopped.
pub(crate) fn engine(error: EngineError) -> Failure {
    let exit = match &error {
        EngineError::Fenced { .. } => Exit::Partial,
        EngineError::Lost(_) | EngineError::Full(_) => Exit::Dependency,
        EngineError::Holds(_) => Exit::Negative,
        EngineError::Rule { source, .. } | EngineError::Store(source) => exit_of(source.kind),
    };
    Failure::new(exit, error)
}

/// Erasing stopped.
pub(crate) fn erasure(error: ErasureError) -> Failure {
    match error {
        ErasureError::Engine(error) => engine(error),
        ErasureError::Ledger(error) => ledger(error),
    }
}
