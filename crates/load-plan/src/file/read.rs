//! Reading a file of options. An error says which file, where in it, and which name was probably meant.

use crate::{error::PlanError, text::nearest};
use serde::de::DeserializeOwned;
use std::{fmt::Display, path::Path};

/// Largest file of options.
const MAX_BYTES: usize = 8 << 20;

/// A scenario file: JSON if it looks like JSON, else YAML.
pub(crate) fn scenario<T: DeserializeOwned>(path: &Path) -> Result<T, PlanError> {
    let content = content(path, "scenario file")?;
    if content.trim_start().starts_with('{') {
        return json(path, &content);
    }
    let reader = yaml_serde::Deserializer::from_str(&content);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let (at, inner) = (error.path().to_string(), error.inner());
        refuse(path, &at, inner.location().map(|at| (at.line(), at.column())), inner)
    })
}

/// k6's options.
pub(crate) fn k6_options<T: DeserializeOwned>(path: &Path) -> Result<T, PlanError> {
    let content = content(path, "k6 options")?;
    if !content.trim_start().starts_with(['{', '[']) {
        return Err(PlanError::invalid(format!(
            "the k6 options {} are not JSON: expected what `k6 inspect SCRIPT` prints, or the script's `options` as JSON",
            path.display()
        )));
    }
    json(path, &content)
}

fn content(path: &Path, what: &'static str) -> Result<String, PlanError> {
    let content = text(path, what)?;
    if content.len() > MAX_BYTES {
        return Err(PlanError::invalid(format!(
            "the {what} {} is {} bytes long, and {MAX_BYTES} is most",
            path.display(),
            content.len()
        )));
    }
    if content.trim().is_empty() {
        return Err(PlanError::invalid(format!(
            "the {what} {} is empty: expected at least a rate, a duration and a url (see `load-gate schema scenario`)",
            path.display()
        )));
    }
    Ok(content)
}

/// A file as text, without a byte order mark.
pub(crate) fn text(path: &Path, what: &'static str) -> Result<String, PlanError> {
    let read = std::fs::read_to_string(path);
    let content = read.map_err(|source| PlanError::File {
        what,
        path: path.to_owned(),
        source,
    })?;
    match content.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(content),
    }
}

fn json<T: DeserializeOwned>(path: &Path, content: &str) -> Result<T, PlanError> {
    let mut reader = serde_json::Deserializer::from_str(content);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (at, inner) = (error.path().to_string(), error.inner());
        refuse(path, &at, Some((inner.line(), inner.column())), inner)
    })?;
    let end = reader.end();
    end.map_err(|error| refuse(path, ".", Some((error.line(), error.column())), &error))?;
    Ok(value)
}

/// A part of a file that was read as any JSON before.
pub(crate) fn value<T: DeserializeOwned>(path: &Path, at: &str, value: serde_json::Value) -> Result<T, PlanError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inside = error.path().to_string();
        let at = if inside == "." {
            at.to_owned()
        } else {
            format!("{at}.{inside}")
        };
        refuse(path, &at, None, error.inner())
    })
}

fn refuse(path: &Path, at: &str, place: Option<(usize, usize)>, error: &dyn Display) -> PlanError {
    let said = error.to_string();
    // Both parsers add the place to their message, each in its own way; it is said once, in front.
    let said = said.split(" at line ").next().unwrap_or(&said);
    let said = said.strip_prefix(&format!("{at}: ")).unwrap_or(said);
    let place = match place {
        Some((line, column)) if line > 0 => format!("{}:{line}:{column}", path.display()),
        _ => path.display().to_string(),
    };
    let whereabouts = if matches!(at, "." | "?") {
        place
    } else {
        format!("{place}: {at}")
    };
    PlanError::Syntax {
        whereabouts,
        message: unknown(said).or_else(|| unfit(said)).unwrap_or_else(|| said.to_owned()),
    }
}

/// serde's "unknown field `x`, expected one of `a`, `b`", as a person would say it.
fn unknown(said: &str) -> Option<String> {
    let what = if said.contains("unknown field `") {
        "key"
    } else if said.contains("unknown variant `") {
        "value"
    } else {
        return None;
    };
    let mut quoted = said.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    let listed: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let expected = if listed.is_empty() {
        "nothing".to_owned()
    } else {
        listed.join(", ")
    };
    Some(match nearest(found, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{found}`: did you mean `{near}`? Expected one of {expected}"),
        None => format!("unknown {what} `{found}`: expected one of {expected}"),
    })
}

/// serde's "invalid type: string \"x\", expected f64" and "duplicate field `x`", without the words of programmers.
pub(crate) fn unfit(said: &str) -> Option<String> {
    if let Some(name) = said.strip_prefix("duplicate field ") {
        return Some(format!("{name} is given twice: keep one of them"));
    }
    let rest = said
        .strip_prefix("invalid type: ")
        .or_else(|| said.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.split_once(", expected ")?;
    let expected = match expected {
        "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "a sequence" => "a list",
        "a map" => "names with values",
        "a string" => "a text",
        "a boolean" => "true or false",
        other => other.strip_prefix("struct ").map_or(other, |_| "names with values"),
    };
    let found = match found {
        "sequence" => "a list",
        "map" => "names with values",
        "unit value" | "null" => "nothing",
        other => other,
    };
    Some(format!("expected {expected}, found {found}"))
}
