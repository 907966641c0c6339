//! Which file of a pack is what: policies under `opa/`, data under `data/`, the manifest `pack.json`, and the rest,
//! which decides nothing. A file that somebody could expect to decide, and that would not, is refused.

mod documents;
mod package;

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::json;
use crate::limits::Limits;
use crate::manifest::PackManifest;
use crate::refusal::Refusal;
use crate::unpack::PackFile;

/// The root that OPA keeps for its own configuration (`system.authz`, `system.log`).
const RESERVED: &str = "system";

/// Where a pack's data goes in OPA's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The document under which all data files lie: `["cos"]` puts `data/retention.json` at `data.cos.retention`.
    pub data_root: Vec<String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            data_root: vec!["cos".to_owned()],
        }
    }
}

/// A policy that decides.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFile {
    /// Path in the pack, for example `opa/cos.abac.rego`; unique, and so fit to be its id in OPA.
    pub path: String,
    /// The source, checked to be UTF-8.
    pub text: Bytes,
    /// The path that its `package` clause names: `["cos", "abac"]`.
    pub package: Vec<String>,
}

// Debug shows sizes, not content: a pack of 60 MiB must not end up in a log line.
impl fmt::Debug for PolicyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PolicyFile({:?}, {} bytes, package {:?})",
            self.path,
            self.text.len(),
            self.package
        )
    }
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DataFile({:?}, {} bytes, document {:?})",
            self.path,
            self.json.len(),
            self.document
        )
    }
}

impl PolicyFile {
    /// The source as text.
    pub fn text(&self) -> &str {
        // Checked when the file was sorted in; the field cannot be set from outside.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

/// A data file that decides.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataFile {
    /// Path in the pack, for example `data/purpose-tags.json`.
    pub path: String,
    /// The document it becomes, for example `["cos", "purpose_tags"]`.
    pub document: Vec<String>,
    /// The content: sound JSON, byte for byte as it was signed.
    pub json: Bytes,
    /// What the check has seen.
    pub shape: json::JsonShape,
}

/// A file that does not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OtherFile {
    /// Path in the pack.
    pub path: String,
    /// Bytes.
    pub size: usize,
    /// Why it does not decide.
    pub kind: OtherKind,
}

/// Why a file does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherKind {
    /// A `*_test.rego` file: for the author's tests.
    PolicyTest,
    /// Under `signing/`.
    Signing,
    /// Documentation and everything else.
    Unused,
}

/// The sorted files of one pack.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pub(crate) policies: Vec<PolicyFile>,
    pub(crate) data: Vec<DataFile>,
    pub(crate) manifest: Option<PackManifest>,
    pub(crate) others: Vec<OtherFile>,
}

impl Contents {
    /// Sorts and checks. The result does not depend on the order of the files.
    pub(crate) fn sort(mut files: Vec<PackFile>, limits: &Limits) -> Result<Self, Refusal> {
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut contents = Self::default();
        for file in files {
            contents.add(file, limits)?;
        }
        if contents.policies.is_empty() {
            return Err(Refusal::NoPolicy);
        }
        documents::no_collisions(&contents.data, &contents.policies)?;
        Ok(contents)
    }

    fn add(&mut self, file: PackFile, limits: &Limits) -> Result<(), Refusal> {
        let PackFile { path, bytes } = file;
        let kind = match Role::of(&path)? {
            Role::Policy => {
                self.policies.push(policy(path, bytes)?);
                return Ok(());
            }
            Role::Data => {
                self.data.push(data(path, bytes, limits)?);
                return Ok(());
            }
            Role::Manifest => {
                self.manifest = Some(PackManifest::parse(&bytes, limits.max_json_depth)?);
                return Ok(());
            }
            Role::PolicyTest => {
                utf8(&path, &bytes)?;
                OtherKind::PolicyTest
            }
            // Nothing loads it, but whoever wrote broken JSON should hear of it before it is moved to data/.
            Role::OtherJson => {
                json::check(&bytes, limits.max_json_depth).map_err(|error| data_invalid(&path, &error.to_string()))?;
                OtherKind::Unused
            }
            Role::Signing => OtherKind::Signing,
            Role::Unused => OtherKind::Unused,
        };
        self.others.push(OtherFile {
            path,
            size: bytes.len(),
            kind,
        });
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Role {
    Policy,
    PolicyTest,
    Data,
    Manifest,
    Signing,
    OtherJson,
    Unused,
}

impl Role {
    /// By the path alone. `Err` for files that look as if they decided but would not.
    fn of(path: &str) -> Result<Self, Refusal> {
        if path == "pack.json" {
            return Ok(Self::Manifest);
        }
        if path.eq_ignore_ascii_case("pack.json") {
            let why = format!("expected the name pack.json in lower case, found {path:?}");
            return Err(Refusal::ManifestInvalid { why });
        }
        let extension = extension(path);
        let top = path.split_once('/').map_or("", |(top, _)| top);
        match extension.to_ascii_lowercase().as_str() {
            "rego" if extension != "rego" => Err(policy_invalid(path, "the extension is not .rego in lower case")),
            "rego" if top != "opa" => Err(policy_invalid(
                path,
                "expected policies under opa/, nothing loads it here",
            )),
            "rego" if path.ends_with("_test.rego") => Ok(Self::PolicyTest),
            "rego" => Ok(Self::Policy),
            _ if top == "signing" => Ok(Self::Signing),
            "json" if top == "data" && extension != "json" => {
                Err(data_invalid(path, "the extension is not .json in lower case"))
            }
            "json" if top == "data" => Ok(Self::Data),
            "json" if top.eq_ignore_ascii_case("data") => Err(data_invalid(
                path,
                "expected data under data/ in lower case, nothing loads it here",
            )),
            "yaml" | "yml" if top.eq_ignore_ascii_case("data") => {
                Err(data_invalid(path, "data must be JSON, and this is YAML"))
            }
            "json" => Ok(Self::OtherJson),
            _ => Ok(Self::Unused),
        }
    }
}

fn extension(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn policy(path: String, text: Bytes) -> Result<PolicyFile, Refusal> {
    let package = package::of(utf8(&path, &text)?).map_err(|why| policy_invalid(&path, &why))?;
    match package.first() {
        // `package data.system` reads as data.system to some, and as data.data.system to OPA.
        Some(root) if root == RESERVED || root == "data" => Err(Refusal::ReservedRoot {
            path,
            root: root.clone(),
        }),
        _ => Ok(PolicyFile { path, text, package }),
    }
}

fn data(path: String, json: Bytes, limits: &Limits) -> Result<DataFile, Refusal> {
    let document = documents::of(&path, &limits.layout).map_err(|why| data_invalid(&path, why))?;
    if document.first().is_some_and(|root| root == RESERVED) {
        return Err(Refusal::ReservedRoot {
            path,
            root: RESERVED.to_owned(),
        });
    }
    match json::check(&json, limits.max_json_depth) {
        Ok(shape) => Ok(DataFile {
            path,
            document,
            json,
            shape,
        }),
        Err(error) => Err(data_invalid(&path, &error.to_string())),
    }
}

fn utf8<'b>(path: &str, bytes: &'b [u8]) -> Result<&'b str, Refusal> {
    std::str::from_utf8(bytes).map_err(|error| Refusal::PolicyNotUtf8 {
        path: path.to_owned(),
        offset: error.valid_up_to(),
    })
}

fn policy_invalid(path: &str, why: &str) -> Refusal {
    Refusal::PolicyInvalid {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

fn data_invalid(path: &str, why: &str) -> Refusal {
    Refusal::DataInvalid {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}
