//! Owns how PostgreSQL's complaints are sorted: by what the caller can do about them.

use std::error::Error as _;

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
    /// Disk or memory is full, or there are too many connections (class 53): nothing was done.
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
    /// The table, column, function or type is not there, or is another one (class 42).
    Missing,
    /// Anything else.
    Other,
}

/// An error of the database, or on the way to it. Display says what PostgreSQL said, never a value of a row: `DETAIL`, where
/// PostgreSQL puts values, is left out, and so are the values that stand in the messages of class 22. What a trigger or
/// function of the users raises is shown as they wrote it.
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
            let kind = if error.is_closed() || has_io(&error) {
                Kind::Lost
            } else {
                Kind::Other
            };
            return Self::new(kind, runtime::exit::chain_of(&error));
        };
        let code = said.code().code();
        let kind = kind_of(code);
        let message = match kind {
            Kind::Value => without_value(said.message(), code),
            _ => said.message().to_owned(),
        };
        Self {
            kind,
            code: Some(code.to_owned()),
            message: format!("{message} (SQLSTATE {code})"),
        }
    }
}

/// Whether the connection itself failed. TLS errors come as I/O errors too.
fn has_io(error: &tokio_postgres::Error) -> bool {
    error
        .source()
        .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Complaints about values quote them in the message itself: `invalid input syntax for type inet: "..."`. What stands before
/// the value is kept where it is known not to be one; the server may speak another language, so everything else is ours.
fn without_value(message: &str, code: &str) -> String {
    const KEPT: &str = "invalid input syntax for type ";
    if message.starts_with(KEPT)
        && let Some((before, _)) = message.split_once(':')
    {
        return before.to_owned();
    }
    let what = match code {
        "22001" => "a value is too long for the column",
        "22003" => "a number is out of range for the type",
        "22007" | "22008" => "a date or time cannot be read, or is out of range",
        "22021" => "a value is not valid in the encoding",
        "22P02" => "a value cannot be read as the type",
        _ => "a value does not fit",
    };
    what.to_owned()
}

fn kind_of(code: &str) -> Kind {
    match code {
        "55P03" | "40P01" => Kind::Locked,
        "57014" => Kind::Cancelled,
        "40001" => Kind::Conflict,
        // 25P03: idle too long in a transaction; 57P04: the database was dropped; 57P05: idle too long.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" => Kind::Lost,
        "25006" => Kind::ReadOnly,
        "42501" => Kind::Privilege,
        "3D000" => Kind::Login,
        "3F000" => Kind::Missing,
        // A mistake of ours in the SQL, and things that are there already.
        "42601" | "42P03" | "42P04" | "42P05" | "42P06" | "42P07" | "42701" | "42710" | "42712" | "42723" => {
            Kind::Other
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_about_values_do_not_show_them() {
        for (message, code, expected) in [
            (
                "invalid input syntax for type inet: \"canary\"",
                "22P02",
                "invalid input syntax for type inet",
            ),
            (
                "value \"canary\" is out of range for type integer",
                "22003",
                "a number is out of range for the type",
            ),
            (
                "date/time field value out of range: \"canary\"",
                "22008",
                "a date or time cannot be read, or is out of range",
            ),
            (
                "ungültige Eingabesyntax für Typ inet: »canary«",
                "22P02",
                "a value cannot be read as the type",
            ),
            ("canary", "22999", "a value does not fit"),
        ] {
            assert_eq!(without_value(message, code), expected);
        }
    }
}
