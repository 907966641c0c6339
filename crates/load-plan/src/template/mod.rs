//! Text with `{{column}}` in it.
//!
//! | written | becomes |
//! |---|---|
//! | `{{column}}` | the row's value, as it is |
//! | `{{json column}}` | the same, escaped for the inside of a JSON string |
//! | `{{url column}}` | the same, percent-encoded for a path segment or a query value |
//! | `{{$seq}}` | the request's number in the run, from 0 |
//! | `{{$row}}` | the row's number in the data file, from 1 |
//! | `{{$open}}` | two opening braces, for text that needs them |
//!
//! Single braces are ordinary text, so GraphQL and JSON can be written as they are.

mod escape;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::{ROW, TemplateError};

use escape::Escape;
use std::fmt;

/// Text with places that are filled in for each request.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    /// A header from a variable or a file: never shown.
    secret: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place {
        value: Value,
        escapes: Vec<Escape>,
        /// Between the braces.
        written: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Column(usize),
    Seq,
}

impl Template {
    /// Reads a template. `columns` are the data file's, in the order of a row's values; [`ROW`] among them is `{{$row}}`.
    ///
    /// # Errors
    /// A placeholder that is not closed, empty, or names no column. The message points at it.
    pub fn parse(text: &str, columns: &[String]) -> Result<Self, TemplateError> {
        parse::parts(text, columns).map(|parts| Self { parts, secret: false })
    }

    /// Text without places, whatever is in it.
    pub fn literal(text: impl Into<String>) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
            secret: false,
        }
    }

    /// The text, if nothing has to be filled in.
    pub fn fixed(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the text for one request to `out`. A column without a value is empty.
    pub fn render(&self, row: Option<&[String]>, seq: u64, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Place { value, escapes, .. } => {
                    let number;
                    let text = match value {
                        Value::Column(index) => row.and_then(|row| row.get(*index)).map_or("", String::as_str),
                        Value::Seq => {
                            number = seq.to_string();
                            &number
                        }
                    };
                    escape::write(text, escapes, out);
                }
            }
        }
    }

    /// Marks it as never to be shown.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Whether it must never be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether it uses the row's value number `index`.
    pub fn uses_column(&self, index: usize) -> bool {
        let wanted = Value::Column(index);
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Place { value, .. } if *value == wanted))
    }

    /// Whether it uses any column.
    pub fn uses_data(&self) -> bool {
        self.parts.iter().any(|part| {
            matches!(
                part,
                Part::Place {
                    value: Value::Column(_),
                    ..
                }
            )
        })
    }

    /// As it was written, for people. Not for secrets.
    pub fn source(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Place { written, .. } => {
                    text.push_str("{{");
                    text.push_str(written);
                    text.push_str("}}");
                }
            }
        }
        text
    }

    /// The same text as the inside of a JSON string: what it is made of is escaped, what it is filled with will be.
    pub(crate) fn into_json_string(self) -> Self {
        let parts = self.parts.into_iter().map(|part| match part {
            Part::Text(text) => {
                let mut escaped = String::with_capacity(text.len());
                escape::write(&text, &[Escape::Json], &mut escaped);
                Part::Text(escaped)
            }
            Part::Place {
                value,
                mut escapes,
                written,
            } => {
                escapes.push(Escape::Json);
                Part::Place {
                    value,
                    escapes,
                    written,
                }
            }
        });
        Self {
            parts: parts.collect(),
            secret: self.secret,
        }
    }

    /// The same JSON, in which every place is in a string, so that what it is filled with is escaped.
    pub(crate) fn with_json_places(mut self) -> Self {
        for part in &mut self.parts {
            if let Part::Place { escapes, .. } = part
                && escapes.last() != Some(&Escape::Json)
            {
                escapes.push(Escape::Json);
            }
        }
        self
    }

    /// One after the other.
    pub(crate) fn join(pieces: impl IntoIterator<Item = Self>) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut secret = false;
        for piece in pieces {
            secret |= piece.secret;
            for part in piece.parts {
                match (parts.last_mut(), part) {
                    (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                    (_, part) => parts.push(part),
                }
            }
        }
        Self { parts, secret }
    }
}

/// Only its shape: it may hold a password.
impl fmt::Debug for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut bytes, mut places) = (0, 0);
        for part in &self.parts {
            match part {
                Part::Text(text) => bytes += text.len(),
                Part::Place { .. } => places += 1,
            }
        }
        write!(out, "Template({bytes} bytes, {places} places)")
    }
}
