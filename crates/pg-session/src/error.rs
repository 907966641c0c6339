//! Owns how PostgreSQL's complaints are sorted: by what the caller can do about them.

use tokio_postgres::error::SqlState;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A lock was not had in time (55P03), or a deadlock was broken (40P01): try again, smaller or later.
    Locked,
    /// `statement_timeout`, or somebody cancelled the statement (57014).
    Cancelled,
    /// Serialization failure (40001): try again.
    Conflict,
    /// The connection is gone, or the server is going down or coming up (class 08, 57P01, 57P02, 57P03): what was being
    /// committed may or may not have happened.
    Lost,
    /// Disk or memory is full (class 53): nothing was done.
    Full,
    /// A standby, or a read-only transaction (25006).
    ReadOnly,
    /// Insufficient privilege (42501).
    Privilege,
    /// Wrong user, password or database (class 28, 3D000).
    Login,
    /// A constraint of the table stands against it (class 23).
    Constraint,
    /// A value cannot be read as the type (class 22).
    Value,
    /// The table, column or type is not there (class 42).
    Missing,
    /// Anything else.
    Other,
}

/// An error of the database, or on the way to it. Display says what PostgreSQL said, never a value of a row: PostgreSQL
/// puts values into `DETAIL`, which is left out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DbError {
    /// What can be done.
    pub kind: Kind,
    /// SQLSTATE, if the server said anything.
    pub code: Option<String>,
    message: String,
}

impl DbError {
    /// An error of our own making, such as a timeout on our side.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
        }
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let kind =
                if error.is_closed() || std::error::Error::source(&error).is_some_and(|s| s.is::<std::io::Error>()) {
                    Kind::Lost
                } else {
                    Kind::Other
                };
            return Self::new(kind, runtime::exit::chain_of(&error));
        };
        let code = said.code();
        Self {
            kind: kind_of(code),
            code: Some(code.code().to_owned()),
            message: format!("{} (SQLSTATE {})", said.message(), code.code()),
        }
    }
}

fn kind_of(code: &SqlState) -> Kind {
    match code.code() {
        "55P03" | "40P01" => Kind::Locked,
        "57014" => Kind::Cancelled,
        "40001" => Kind::Conflict,
        "57P01" | "57P02" | "57P03" => Kind::Lost,
        "25006" => Kind::ReadOnly,
        "42501" => Kind::Privilege,
        "3D000" => Kind::Login,
        other => match other.get(..2) {
            Some("08") => Kind::Lost,
            Some("53") => Kind::Full,
            Some("28") => Kind::Login,
            Some("23") => Kind::Constraint,
            Some("22") => Kind::Value,
            Some("42") => Kind::Missing,
            _ => Kind::Other,
        },
    }
}
