//! `pack.json`: what a pack says about itself. It lies inside the archive and so under the signature.
//!
//! ```json
//! {"id": "policy-pack-v0", "revision": 42, "created": "2026-01-02T03:04:05Z", "expires": "2026-04-02T03:04:05Z",
//!  "regoVersion": "v1", "golden": [{"name": "same tenant reads", "path": "cos/abac/allow", "input": {}, "expect": true}]}
//! ```
//!
//! Every field may be missing. A field that is there has its type, and `null` is not "missing". Unknown fields are
//! kept by name, so that a newer pack loads in an older reloader and somebody can see what was not understood.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::json;
use crate::refusal::Refusal;

/// A manifest is small; its golden decisions are kept as trees.
const MAX_BYTES: usize = 1 << 20;
const MAX_ID_CHARS: usize = 128;

/// The typed content of `pack.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PackManifest {
    /// The name of the pack, equal in all its revisions.
    pub id: Option<String>,
    /// Grows with every publication.
    pub revision: Option<u64>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// From when on it may no longer be taken up.
    pub expires: Option<Timestamp>,
    /// The language of its policies.
    pub rego_version: Option<RegoVersion>,
    /// Decisions that the pack must give before it is activated.
    pub golden: Vec<Golden>,
    /// Fields that this version does not know, as `name` or `golden[0].name`.
    pub unknown_fields: Vec<String>,
}

/// The version of the Rego language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegoVersion {
    /// Before OPA 1.0.
    V0,
    /// With `if` and `contains`.
    V1,
}

impl RegoVersion {
    /// `v0` or `v1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
        }
    }
}

/// One decision with its expected answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Golden {
    /// For people.
    pub name: Option<String>,
    /// The document to ask for, with slashes: `cos/abac/allow`.
    pub path: String,
    /// The input of the decision.
    pub input: Value,
    /// The answer it must give.
    pub expect: Value,
}

impl PackManifest {
    /// Reads and checks `pack.json`.
    pub fn parse(bytes: &[u8], max_json_depth: usize) -> Result<Self, Refusal> {
        Self::read(bytes, max_json_depth).map_err(|why| Refusal::ManifestInvalid { why })
    }

    fn read(bytes: &[u8], max_json_depth: usize) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("expected at most {MAX_BYTES} bytes, found {}", bytes.len()));
        }
        json::check(bytes, max_json_depth).map_err(|error| error.to_string())?;
        let mut fields = match serde_json::from_slice(bytes).map_err(|error| error.to_string())? {
            Value::Object(fields) => Fields {
                fields,
                place: String::new(),
            },
            other => return Err(format!("expected an object, found {}", kind(&other))),
        };
        let mut manifest = Self {
            id: fields.id()?,
            revision: fields.revision()?,
            created: fields.time("created")?,
            expires: fields.time("expires")?,
            rego_version: fields.rego_version()?,
            golden: Vec::new(),
            unknown_fields: Vec::new(),
        };
        if let (Some(created), Some(expires)) = (manifest.created, manifest.expires)
            && expires <= created
        {
            return Err(format!(
                "it expires at {expires}, which is not after it was created, at {created}"
            ));
        }
        match fields.fields.remove("golden") {
            None => {}
            Some(Value::Array(items)) => {
                for (index, item) in items.into_iter().enumerate() {
                    let (golden, unknown) = Golden::read(index, item)?;
                    manifest.golden.push(golden);
                    manifest.unknown_fields.extend(unknown);
                }
            }
            Some(other) => return Err(format!("golden: expected an array, found {}", kind(&other))),
        }
        manifest.unknown_fields.extend(fields.unknown());
        manifest.unknown_fields.sort_unstable();
        Ok(manifest)
    }
}

impl Golden {
    fn read(index: usize, item: Value) -> Result<(Self, Vec<String>), String> {
        let mut fields = match item {
            Value::Object(fields) => Fields {
                fields,
                place: format!("golden[{index}]."),
            },
            other => return Err(format!("golden[{index}]: expected an object, found {}", kind(&other))),
        };
        let name = fields.text("name")?;
        let path = fields.text("path")?.ok_or_else(|| fields.missing("path"))?;
        if path.split('/').any(str::is_empty) {
            return Err(format!(
                "golden[{index}].path: expected a path such as cos/abac/allow, found {path:?}"
            ));
        }
        let input = fields.fields.remove("input").ok_or_else(|| fields.missing("input"))?;
        let expect = fields.fields.remove("expect").ok_or_else(|| fields.missing("expect"))?;
        Ok((
            Self {
                name,
                path,
                input,
                expect,
            },
            fields.unknown().collect(),
        ))
    }
}

/// The fields that are not yet read, and where they are.
struct Fields {
    fields: Map<String, Value>,
    place: String,
}

impl Fields {
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.fields.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{}{name}: expected text, found {}", self.place, kind(&other))),
        }
    }

    fn id(&mut self) -> Result<Option<String>, String> {
        let id = self.text("id")?;
        match &id {
            Some(id) if id.is_empty() || id.chars().count() > MAX_ID_CHARS || id.chars().any(char::is_control) => Err(
                format!("id: expected 1 to {MAX_ID_CHARS} printable characters, found {id:.200?}"),
            ),
            _ => Ok(id),
        }
    }

    fn revision(&mut self) -> Result<Option<u64>, String> {
        match self.fields.remove("revision") {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(revision) => Ok(Some(revision)),
                None => Err(format!(
                    "revision: expected a whole number from 0 to {}, found {}",
                    u64::MAX,
                    kind(&value)
                )),
            },
        }
    }

    fn time(&mut self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(time) => Ok(Some(time)),
            Err(error) => Err(format!(
                "{name}: expected an RFC 3339 time with its zone, found {text:?}: {error}"
            )),
        }
    }

    fn rego_version(&mut self) -> Result<Option<RegoVersion>, String> {
        match self.fields.remove("regoVersion") {
            None => Ok(None),
            Some(Value::String(text)) if text == "v0" => Ok(Some(RegoVersion::V0)),
            Some(Value::String(text)) if text == "v1" => Ok(Some(RegoVersion::V1)),
            Some(Value::Number(number)) if number.as_u64() == Some(0) => Ok(Some(RegoVersion::V0)),
            Some(Value::Number(number)) if number.as_u64() == Some(1) => Ok(Some(RegoVersion::V1)),
            Some(other) => Err(format!(
                "regoVersion: expected \"v0\" or \"v1\", found {}",
                kind(&other)
            )),
        }
    }

    fn missing(&self, name: &str) -> String {
        format!("{}{name}: expected a value, found none", self.place)
    }

    fn unknown(self) -> impl Iterator<Item = String> {
        self.fields
            .into_iter()
            .map(move |(name, _)| format!("{}{name}", self.place))
    }
}

/// A value for a message: short ones as they are, others by their kind.
fn kind(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
