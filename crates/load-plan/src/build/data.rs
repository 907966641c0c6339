//! The data file: CSV with a header, a JSON list of objects, or one JSON object a line.

use crate::error::PlanError;
use crate::file::{DataSpec, Order, read};
use crate::plan::{Data, Request};
use crate::template::{ROW, Template};
use serde_json::{Map, Value};
use std::path::Path;

/// Reads it. The last column is [`ROW`], without values until [`finish`].
pub(super) fn load(spec: &DataSpec) -> Result<Data, PlanError> {
    let path = &spec.file;
    let text = read::text(path, "data file")?;
    let refuse = |problem: String| PlanError::invalid(format!("the data file {} {problem}", path.display()));
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let (mut columns, rows) = match kind.to_ascii_lowercase().as_str() {
        "json" => objects(list(&text, path)?, path)?,
        "jsonl" | "ndjson" => objects(lines(&text, path)?, path)?,
        "csv" | "tsv" | "txt" | "" => csv(&text, if kind == "tsv" { b'\t' } else { b',' }, path)?,
        _ => {
            return Err(refuse(format!(
                "has the unknown ending .{kind}: expected .csv, .tsv, .json, .jsonl or .ndjson"
            )));
        }
    };
    if rows.is_empty() {
        return Err(refuse("is empty: expected at least one row of values".to_owned()));
    }
    for (index, column) in columns.iter().enumerate() {
        if column.is_empty() || column.starts_with('$') || column.contains(['{', '}']) {
            return Err(refuse(format!(
                "has a column named {column:?}: expected a name without braces that does not begin with $"
            )));
        }
        if columns[..index].contains(column) {
            return Err(refuse(format!("has two columns named {column:?}: rename one of them")));
        }
    }
    columns.push(ROW.to_owned());
    Ok(Data {
        columns,
        rows,
        random: spec.order == Order::Random,
    })
}

type Table = (Vec<String>, Vec<Vec<String>>);

fn csv(text: &str, delimiter: u8, path: &Path) -> Result<Table, PlanError> {
    let refuse = |error: csv::Error| PlanError::Syntax {
        whereabouts: match error.position() {
            Some(at) => format!("{}:{}", path.display(), at.line()),
            None => path.display().to_string(),
        },
        message: match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!(
                    "this row has {len} values, and the header has {expected_len}: every row needs a value for every column"
                )
            }
            _ => error.to_string(),
        },
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let columns = reader
        .headers()
        .map_err(refuse)?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(record.map_err(refuse)?.iter().map(str::to_owned).collect());
    }
    Ok((columns, rows))
}

/// The parser's message without the place, which is said in front.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    read::unfit(text).unwrap_or_else(|| text.to_owned())
}

fn syntax(path: &Path, line: usize, message: String) -> PlanError {
    PlanError::Syntax {
        whereabouts: format!("{}:{line}", path.display()),
        message,
    }
}

fn list(text: &str, path: &Path) -> Result<Vec<Map<String, Value>>, PlanError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).map_err(|error| {
        syntax(
            path,
            error.line(),
            format!("this is no JSON list of objects: {}", said(&error)),
        )
    })
}

fn lines(text: &str, path: &Path) -> Result<Vec<Map<String, Value>>, PlanError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                syntax(
                    path,
                    index + 1,
                    format!("this is not one JSON object a line: {}", said(&error)),
                )
            })
        })
        .collect()
}

fn objects(objects: Vec<Map<String, Value>>, path: &Path) -> Result<Table, PlanError> {
    let columns: Vec<String> = objects
        .first()
        .map(|first| first.keys().cloned().collect())
        .unwrap_or_default();
    let mut rows = Vec::with_capacity(objects.len());
    for (index, mut object) in objects.into_iter().enumerate() {
        let refuse = |problem: String| {
            PlanError::invalid(format!(
                "row {} of the data file {} {problem}",
                index + 1,
                path.display()
            ))
        };
        let mut row = Vec::with_capacity(columns.len() + 1);
        for column in &columns {
            let value = object
                .remove(column)
                .ok_or_else(|| refuse(format!("has no {column:?}, which the first row has")))?;
            row.push(match value {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            });
        }
        if let Some(more) = object.keys().next() {
            return Err(refuse(format!("has a {more:?}, which the first row has not")));
        }
        rows.push(row);
    }
    Ok((columns, rows))
}

/// Whether a request needs a row.
pub(super) fn uses(request: &Request) -> bool {
    templates(request).any(Template::uses_data)
}

fn templates(request: &Request) -> impl Iterator<Item = &Template> {
    let headers = request.headers.iter().map(|(_, value)| value);
    std::iter::once(&request.target).chain(headers).chain(&request.body)
}

/// Gives rows their numbers if a template wants them, and looks whether every row makes valid HTTP.
pub(super) fn finish(data: &mut Data, requests: &[Request]) -> Result<(), PlanError> {
    let row = data.columns.len() - 1;
    if requests
        .iter()
        .flat_map(templates)
        .any(|template| template.uses_column(row))
    {
        for (index, values) in data.rows.iter_mut().enumerate() {
            values.push((index + 1).to_string());
        }
    } else {
        data.columns.pop();
    }
    let mut text = String::new();
    for request in requests {
        let refuse = |row: usize, what: &str| {
            PlanError::invalid(format!(
                "row {} of the data file makes {what} of the request {} invalid: write {{{{url COLUMN}}}} so that values are escaped, or correct the row",
                row + 1,
                request.name
            ))
        };
        let moving = request.headers.iter().filter(|(_, value)| value.uses_data());
        let moving: Vec<_> = moving.collect();
        let target = Some(&request.target).filter(|target| target.uses_data());
        for (index, values) in data.rows.iter().enumerate() {
            if let Some(target) = target {
                text.clear();
                target.render(Some(values), 0, &mut text);
                if !text.starts_with('/') || text.parse::<http::uri::PathAndQuery>().is_err() {
                    return Err(refuse(index, "the path"));
                }
            }
            for (name, value) in &moving {
                text.clear();
                value.render(Some(values), 0, &mut text);
                if http::HeaderValue::from_str(&text).is_err() {
                    return Err(refuse(index, &format!("the header {name}")));
                }
            }
        }
    }
    Ok(())
}
