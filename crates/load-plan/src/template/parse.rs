//! Reads templates. Every error points at the placeholder.

use super::{Part, Value, escape::Escape};
use crate::text::{caret, list, nearest};

/// The name of the column that holds the row's number.
pub const ROW: &str = "$row";

const PLACES: &str = "{{column}}, {{json column}}, {{url column}}, {{$seq}}, {{$row}} or {{$open}}";

/// Why a template cannot be used. The last lines of the message show where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error(
        "the placeholder is not closed: expected }}}} after it; write {{{{$open}}}} for two braces that are text\n{shown}"
    )]
    Open {
        /// The line, with a caret under the place.
        shown: String,
    },
    /// Not what a placeholder can be.
    #[error(
        "{found:?} is no placeholder: expected {PLACES}; write {{{{$open}}}} for two braces that are text\n{shown}"
    )]
    Unknown {
        /// What is between the braces.
        found: String,
        /// The line, with a caret under the place.
        shown: String,
    },
    /// There is no data file.
    #[error(
        "no data file has a column {column:?}, because none is given: name one (--data FILE), or write {{{{$open}}}} for two braces that are text\n{shown}"
    )]
    NoData {
        /// The column.
        column: String,
        /// The line, with a caret under the place.
        shown: String,
    },
    /// No such column.
    #[error("the data file has no column {column:?}: {help}\n{shown}")]
    NoColumn {
        /// The column.
        column: String,
        /// The nearest name, and all.
        help: String,
        /// The line, with a caret under the place.
        shown: String,
    },
}

pub(super) fn parts(text: &str, columns: &[String]) -> Result<Vec<Part>, TemplateError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        let open = at + found;
        literal.push_str(&text[at..open]);
        let inside = open + 2;
        let Some(length) = text[inside..].find("}}") else {
            return Err(TemplateError::Open {
                shown: caret(text, open, 2),
            });
        };
        let written = &text[inside..inside + length];
        match place(written, columns, || caret(text, open, length + 4))? {
            None => literal.push_str("{{"),
            Some(part) => {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(part);
            }
        }
        at = inside + length + 2;
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// `None` is `{{$open}}`.
fn place(written: &str, columns: &[String], shown: impl Fn() -> String) -> Result<Option<Part>, TemplateError> {
    let mut escapes = Vec::new();
    let mut name = written.trim();
    // A column may have spaces in its name, and may be called "json".
    if !columns.iter().any(|column| column == name)
        && let Some((word, rest)) = name.split_once(char::is_whitespace)
    {
        let escape = match word {
            "json" => Some(Escape::Json),
            "url" => Some(Escape::Url),
            _ => None,
        };
        if let Some(escape) = escape {
            escapes.push(escape);
            name = rest.trim();
        }
    }
    let value = match name {
        "$open" if escapes.is_empty() => return Ok(None),
        "$seq" => Value::Seq,
        _ => match columns.iter().position(|column| column == name) {
            Some(index) => Value::Column(index),
            None => return Err(unknown(name, columns, shown())),
        },
    };
    Ok(Some(Part::Place {
        value,
        escapes,
        written: written.trim().to_owned(),
    }))
}

fn unknown(name: &str, columns: &[String], shown: String) -> TemplateError {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ' ');
    let no_name = name.is_empty() || !name.chars().all(plain);
    if no_name && name != ROW {
        return TemplateError::Unknown {
            found: name.to_owned(),
            shown,
        };
    }
    let column = name.to_owned();
    let known: Vec<&str> = columns.iter().map(String::as_str).filter(|name| *name != ROW).collect();
    if known.is_empty() {
        return TemplateError::NoData { column, shown };
    }
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}? It has {}", list(&known)),
        None => format!("it has {}", list(&known)),
    };
    TemplateError::NoColumn { column, help, shown }
}
