//! Headers, also from variables and files.

use super::Environment;
use crate::error::PlanError;
use crate::file::values::{HeaderFrom, HeaderSource, Pairs};
use crate::template::Template;
use http::{HeaderName, HeaderValue, header};

/// Headers whose values are secrets wherever they come from.
const SECRET: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-amz-security-token",
];

/// Whether a header of this name holds a secret.
fn is_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    SECRET.contains(&name)
        || ["token", "secret", "password", "apikey"]
            .iter()
            .any(|word| name.contains(word))
}

/// Headers that belong to the connection: the engine writes them.
const CONNECTION: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
];

/// Reads headers of one place. `what` says which, for messages.
pub(super) fn read(
    what: &str,
    written: Option<&Pairs<HeaderSource>>,
    columns: &[String],
    environment: Environment<'_>,
) -> Result<Vec<(HeaderName, Template)>, PlanError> {
    let mut headers: Vec<(HeaderName, Template)> = Vec::new();
    for (name, source) in written.into_iter().flat_map(|pairs| &pairs.0) {
        let parsed: HeaderName = name.trim().parse().map_err(|_| {
            PlanError::invalid(format!(
                "{name:?} of {what} is no name of a header: expected letters, digits and dashes, such as Content-Type"
            ))
        })?;
        if CONNECTION.contains(&parsed) {
            return Err(PlanError::invalid(format!(
                "the header {name} of {what} cannot be set: it belongs to the connection, and is written by load-gate itself"
            )));
        }
        if headers.iter().any(|(known, _)| *known == parsed) {
            return Err(PlanError::invalid(format!(
                "the header {name} of {what} is given twice: keep one of them"
            )));
        }
        let mut value = match source {
            HeaderSource::Text(text) => Template::parse(text.expose(), columns).map_err(|source| {
                // The excerpt would show the value.
                if is_secret(&parsed) {
                    PlanError::invalid(format!(
                        "the header {name} of {what} has a placeholder that cannot be used"
                    ))
                } else {
                    PlanError::Template {
                        what: format!("the header {name} of {what}"),
                        source,
                    }
                }
            })?,
            HeaderSource::From(from) => Template::literal(fetch(name, from, environment)?).secret(),
        };
        if let Some(fixed) = value.fixed()
            && HeaderValue::from_str(fixed).is_err()
        {
            return Err(PlanError::invalid(format!(
                "the value of the header {name} of {what} cannot be sent: expected text without line ends and control characters"
            )));
        }
        if is_secret(&parsed) {
            value = value.secret();
        }
        headers.push((parsed, value));
    }
    Ok(headers)
}

fn fetch(name: &str, from: &HeaderFrom, environment: Environment<'_>) -> Result<String, PlanError> {
    let (value, place) = match (&from.env, &from.file) {
        (Some(variable), _) => {
            let value = environment(variable).ok_or_else(|| {
                PlanError::invalid(format!("the variable {variable} for the header {name} is not set"))
            })?;
            (value, format!("the variable {variable}"))
        }
        (None, Some(path)) => {
            let value = crate::file::read::text(path, "header file")?;
            (value, format!("the file {}", path.display()))
        }
        (None, None) => {
            return Err(PlanError::invalid(format!(
                "the header {name} says neither `env` nor `file`"
            )));
        }
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(PlanError::invalid(format!("{place} for the header {name} is empty")));
    }
    Ok(format!("{}{value}", from.prefix))
}

/// `more` comes in where `headers` has none of that name.
pub(super) fn fill_up(headers: &mut Vec<(HeaderName, Template)>, more: &[(HeaderName, Template)]) {
    for (name, value) in more {
        if !headers.iter().any(|(known, _)| known == name) {
            headers.push((name.clone(), value.clone()));
        }
    }
}
