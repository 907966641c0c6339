//! The result document: what a run leaves behind, and what is said of a file that is not one.
//!
//! Files written by one version of the schema are read by every later tool that knows that version: fields are added,
//! never renamed or given another meaning. Unknown fields are ignored, so an older tool reads a newer file's known part.

use crate::environment::Environment;
use jiff::Timestamp;
use load_verdict::Judgement;
use load_verdict::summary::Summary;
use load_verdict::tally::TallyDump;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the field `schema` of a result document says.
pub const SCHEMA: &str = "load-gate/result/v1";

/// Everything before the version in [`SCHEMA`].
const FAMILY: &str = "load-gate/result/";

/// One run: what was asked, where, what came out, and what that means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResultDoc {
    /// Always `load-gate/result/v1`.
    pub schema: String,
    /// What wrote it.
    pub tool: Tool,
    /// What was measured, in one line without secrets: `POST https://host/graphql at 50/s for 5m`.
    pub subject: String,
    /// When the schedule began, RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When the last request ended, RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub finished_at: Timestamp,
    /// What was asked for; secrets are `[redacted]`.
    pub config: Value,
    /// Where it ran.
    pub environment: Environment,
    /// The verdict, with reasons.
    pub judgement: Judgement,
    /// The figures for people.
    pub summary: Summary,
    /// The histograms and counts that results are merged, compared and judged again from.
    // Kept as it is: only `report`, `compare` and `merge` look into it, and they say what they miss.
    #[schemars(with = "TallyDump")]
    pub tally: Value,
    /// The exit code that the run ended with.
    pub exit_code: u8,
    /// Whether a signal ended the run before its time.
    pub partial: bool,
}

/// What wrote a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `load-gate`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Why a file cannot be read as a result. `name` is the file as the user named it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It ends too early.
    #[error(
        "{name} is torn: it ends in the middle of a value, after {bytes} bytes; the run that wrote it was killed, or it was copied in part: copy it again or run again"
    )]
    Torn {
        /// The file.
        name: String,
        /// Its size.
        bytes: usize,
        /// Where it broke off.
        #[source]
        source: serde_json::Error,
    },
    /// It has nothing in it.
    #[error("{name} is empty: expected the result of `load-gate run --result FILE`")]
    Empty {
        /// The file.
        name: String,
    },
    /// It is something else.
    #[error("{name} is not a load-gate result: {found}; expected the file that `load-gate run --result FILE` writes")]
    Foreign {
        /// The file.
        name: String,
        /// What it looks like.
        found: &'static str,
    },
    /// It has another version of the schema.
    #[error(
        "{name} has the schema `{found}`, and this load-gate reads `{SCHEMA}`: use the version of load-gate that wrote it"
    )]
    OtherVersion {
        /// The file.
        name: String,
        /// What it says.
        found: String,
    },
    /// It says that it is one, and a field is missing or of the wrong type.
    #[error("{name} says that it is a `{SCHEMA}` and does not keep to it: it was edited, or written by something else")]
    Malformed {
        /// The file.
        name: String,
        /// Which field, and where.
        #[source]
        source: serde_json::Error,
    },
}

/// Why a result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// JSON has no word for a figure that is not a number; writing `null` in its place would make the file unreadable.
    #[error(
        "the result holds a figure that is not a number and was not written: this is a mistake in load-gate, please report it"
    )]
    NotFinite {
        /// Which one, as the reader would have said it.
        #[source]
        source: serde_json::Error,
    },
}

impl ResultDoc {
    /// The document as JSON, indented, with a newline at the end. What is written can always be read.
    pub fn to_json(&self) -> Result<String, WriteError> {
        let mut text = serde_json::to_string_pretty(self).map_err(|source| WriteError::NotFinite { source })?;
        // Infinite and undefined figures become `null`, which an optional field may be and no other: see that it reads.
        serde_json::from_str::<Self>(&text).map_err(|source| WriteError::NotFinite { source })?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a document; `name` is for the message.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let name = || name.to_owned();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ReadError::Empty { name: name() });
        }
        let value: Value = match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(source) if source.is_eof() && bytes.trim_ascii_start().starts_with(b"{") => {
                return Err(ReadError::Torn {
                    name: name(),
                    bytes: bytes.len(),
                    source,
                });
            }
            Err(_) => {
                return Err(ReadError::Foreign {
                    name: name(),
                    found: if bytes.starts_with(&[0x1f, 0x8b]) {
                        "it is compressed with gzip"
                    } else {
                        "it is not JSON"
                    },
                });
            }
        };
        match value.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => {}
            Some(found) if found.starts_with(FAMILY) => {
                return Err(ReadError::OtherVersion {
                    name: name(),
                    found: crate::text::shorten(&crate::text::printable(found), 60),
                });
            }
            _ => {
                return Err(ReadError::Foreign {
                    name: name(),
                    found: looks_like(&value),
                });
            }
        }
        // From the bytes again, not from the value: only so does a message know line and column.
        serde_json::from_slice(bytes).map_err(|source| ReadError::Malformed { name: name(), source })
    }

    /// Seconds from start to end, warm-up included; 0 when the clock went backwards.
    pub fn elapsed_s(&self) -> f64 {
        (self.finished_at.as_millisecond() - self.started_at.as_millisecond()).max(0) as f64 / 1000.0
    }
}

/// Names files that are easily taken for a result.
fn looks_like(value: &Value) -> &'static str {
    let has = |key: &str| value.get(key).is_some();
    if has("metrics") && has("root_group") {
        "it looks like a summary of k6 (or of --summary-export), which has no histograms to judge again"
    } else if has("scenarios") || has("requests") {
        "it looks like a scenario or k6 options"
    } else if has("ok") && has("verdict") {
        "it looks like load-gate's final line, which has no histograms to judge again"
    } else if value.is_object() {
        "its field `schema` is not there or says something else"
    } else {
        "it is JSON and no object"
    }
}

/// The JSON Schema (2020-12) of a result document.
pub fn result_schema() -> Value {
    let mut schema = schemars::schema_for!(ResultDoc);
    schema.insert("$id".to_owned(), Value::from(SCHEMA));
    schema.insert("title".to_owned(), Value::from("load-gate result"));
    // Whoever reads by the schema must not take another version for this one.
    if let Some(field) = schema.pointer_mut("/properties/schema").and_then(Value::as_object_mut) {
        field.insert("const".to_owned(), Value::from(SCHEMA));
    }
    schema.to_value()
}
