//! Owns how SQL text comes to be: fragments with bound parameters, and quoted names. Nobody else writes a `$1`.

use std::fmt;

/// A name as PostgreSQL reads it: always quoted, quotes doubled. `pii"x` becomes `"pii""x"`.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value for a parameter that is cast to an array: `.param(array_literal(["a", "b"]), "text[]")`. Every element is
/// quoted, so that an empty one, the word NULL, commas, braces, quotes and backslashes stay what they are. For types
/// whose elements are divided by commas, which is all of PostgreSQL's but `box`.
pub fn array_literal<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let mut text = String::from("{");
    for (index, value) in values.into_iter().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ",\"" });
        for c in value.as_ref().chars() {
            if c == '"' || c == '\\' {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Param {
        value: Option<String>,
        cast: String,
        secret: bool,
    },
}

/// A piece of SQL with its parameters. Pieces are put together in any order; parameters get their numbers when the
/// whole is rendered, so a fragment can be used twice.
///
/// Every parameter travels as text and is cast by the server, so its type is named in the SQL and checked there:
/// `.param("2026-01-01T00:00:00Z", "pg_catalog.timestamptz")` renders `$1::pg_catalog.text::pg_catalog.timestamptz`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sql {
    pieces: Vec<Piece>,
}

impl Sql {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts with fixed text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new().raw(text)
    }

    /// Adds text that we wrote ourselves: keywords, or names that went through [`quote_ident`]. Never a user's value.
    #[must_use]
    pub fn raw(mut self, text: impl Into<String>) -> Self {
        self.pieces.push(Piece::Text(text.into()));
        self
    }

    /// Adds a quoted name.
    #[must_use]
    pub fn ident(self, name: &str) -> Self {
        self.raw(quote_ident(name))
    }

    /// Adds a value, bound as text and cast to `cast`, which is a type's name as we or the catalog (`format_type`) wrote it.
    #[must_use]
    pub fn param(mut self, value: impl Into<String>, cast: impl Into<String>) -> Self {
        self.pieces.push(Piece::Param {
            value: Some(value.into()),
            cast: cast.into(),
            secret: false,
        });
        self
    }

    /// Adds a value that may be NULL.
    #[must_use]
    pub fn maybe(mut self, value: Option<String>, cast: impl Into<String>) -> Self {
        self.pieces.push(Piece::Param {
            value,
            cast: cast.into(),
            secret: false,
        });
        self
    }

    /// Adds a value that must not be shown (a key).
    #[must_use]
    pub fn secret(mut self, value: impl Into<String>, cast: impl Into<String>) -> Self {
        self.pieces.push(Piece::Param {
            value: Some(value.into()),
            cast: cast.into(),
            secret: true,
        });
        self
    }

    /// Adds another fragment.
    #[must_use]
    pub fn append(mut self, other: &Self) -> Self {
        self.pieces.extend(other.pieces.iter().cloned());
        self
    }

    /// Adds ` AND (other)`.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        self.raw(" AND (").append(other).raw(")")
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The statement and its parameters, in the order of their numbers.
    pub fn render(&self) -> (String, Vec<Option<&str>>) {
        let mut text = String::new();
        let mut params = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Param {
                    value: Some(value),
                    cast,
                    secret: false,
                } if is_moment(cast, value) => text.extend(["'", value, "'::", cast]),
                Piece::Param { value, cast, .. } => {
                    params.push(value.as_deref());
                    text.push('$');
                    text.push_str(&params.len().to_string());
                    text.push_str("::pg_catalog.text::");
                    text.push_str(cast);
                }
            }
        }
        (text, params)
    }

    /// For people: values in place, secrets as `[redacted]`. Never sent to a server.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Param { secret: true, .. } => text.push_str("[redacted]"),
                Piece::Param { value: None, .. } => text.push_str("NULL"),
                Piece::Param { value: Some(value), .. } => {
                    text.push('\'');
                    text.push_str(&value.replace('\'', "''"));
                    text.push('\'');
                }
            }
        }
        text
    }
}

/// A moment is written as a constant. Read from a parameter's text, it depends on settings in PostgreSQL's eyes and is read
/// again for every row, which takes twice as long as looking at the row. Only what cannot end the literal is written so.
fn is_moment(cast: &str, value: &str) -> bool {
    matches!(
        cast,
        "timestamptz" | "pg_catalog.timestamptz" | "timestamp with time zone"
    ) && value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" :+-.".contains(&byte))
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_a_name() {
        assert_eq!(quote_ident("x\"; drop table y; --"), "\"x\"\"; drop table y; --\"");
    }

    #[test]
    fn fragments_are_numbered_when_rendered() {
        let due = Sql::new().ident("at").raw(" < ").param("2026-01-01", "date");
        let sql = Sql::text("DELETE FROM ")
            .ident("t")
            .raw(" WHERE true")
            .and(&due)
            .and(&due);
        let (text, params) = sql.render();
        assert_eq!(
            text,
            "DELETE FROM \"t\" WHERE true AND (\"at\" < $1::pg_catalog.text::date) AND (\"at\" < $2::pg_catalog.text::date)"
        );
        assert_eq!(params, [Some("2026-01-01"), Some("2026-01-01")]);
    }

    #[test]
    fn elements_of_an_array_are_quoted() {
        assert_eq!(array_literal([""; 0]), "{}");
        assert_eq!(
            array_literal(["a", "", "NULL", "b,{c}", "d\"e", "f\\g"]),
            r#"{"a","","NULL","b,{c}","d\"e","f\\g"}"#
        );
    }

    #[test]
    fn moments_are_constants_unless_they_are_none() {
        let render = |value: &str, cast: &str| Sql::new().param(value, cast).render().0;
        assert_eq!(render("-infinity", "timestamptz"), "'-infinity'::timestamptz");
        assert_eq!(
            render("2026-01-01T00:00:00.5Z", "pg_catalog.timestamptz"),
            "'2026-01-01T00:00:00.5Z'::pg_catalog.timestamptz"
        );
        assert_eq!(render("now'; drop", "timestamptz"), "$1::pg_catalog.text::timestamptz");
        assert_eq!(render("2026-01-01", "text"), "$1::pg_catalog.text::text");
    }

    #[test]
    fn secrets_are_not_shown() {
        let sql = Sql::text("SELECT ").secret("hunter2", "text");
        assert_eq!(format!("{sql:?}"), "SELECT [redacted]");
    }
}
