//! Owns the bundle format: [`BundleBuilder`] writes the gzipped tar that OPA activates in one transaction.
//!
//! Facts it rests on, tried on OPA 1.22.2:
//! - only files named `data.json` are loaded as data, at the path of their folder, so the document
//!   `cos/retention` is the file `cos/retention/data.json`; its value may be of any JSON type;
//! - a policy may lie anywhere; its entry name without a leading slash is what errors and policy ids show;
//! - `file_rego_versions` has **glob patterns** matched against the entry name exactly as written
//!   (a leading slash on one side only makes OPA ignore the entry silently), so names are escaped here;
//! - data outside the manifest's `roots` refuses the whole bundle, so it is refused here first;
//! - names are percent-decoded when a downloaded bundle is activated, and dots at the start of a path are dropped, so
//!   neither is written;
//! - roots that overlap refuse the bundle; absent or empty roots own all of `data`, so they are refused here.
//!
//! The same content gives the same bytes (sorted entries, no times, no owners), so the ETag made from them
//! is the same after a restart of the reloader, and OPA need not load anything again.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::body::{ChunkWriter, Chunks};

/// The syntax of a policy file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegoVersion {
    /// Rego as before OPA 1.0.
    V0,
    /// Rego as of OPA 1.0: `if` and `contains` are keywords.
    V1,
}

impl RegoVersion {
    /// The number the manifest has for it.
    pub fn number(self) -> u8 {
        match self {
            Self::V0 => 0,
            Self::V1 => 1,
        }
    }
}

/// What makes a bundle that OPA would refuse, or would load otherwise than meant.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A bundle without roots would own all data in OPA, also what others put there.
    #[error("a bundle needs at least one root, such as `cos`")]
    NoRoots,
    /// A root that OPA cannot use.
    #[error("bundle root `{root}` is not usable: expected segments joined by `/`, without `%`")]
    BadRoot {
        /// The root as given.
        root: String,
    },
    /// One root lies inside another.
    #[error("bundle roots `{first}` and `{second}` overlap")]
    RootsOverlap {
        /// The outer root.
        first: String,
        /// The root inside it.
        second: String,
    },
    /// A policy path that is not a plain relative path ending in `.rego`.
    #[error(
        "policy path `{path}` is not usable in a bundle: expected a relative path without `%` that ends in `.rego`"
    )]
    BadPolicyPath {
        /// The path as given.
        path: String,
    },
    /// A document path that OPA would read as another one.
    #[error(
        "data path `{path}` is not usable in a bundle: a segment is empty, `.`, `..`, holds `/` or `%`, or the first one \
         begins with a dot"
    )]
    BadDataPath {
        /// The path, its segments joined by `/`.
        path: String,
    },
    /// The document does not lie under a root.
    #[error("data `{path}` is outside the bundle's roots {roots:?}")]
    OutsideRoots {
        /// The document's path.
        path: String,
        /// The roots of the bundle.
        roots: Vec<String>,
    },
    /// Two files with one name.
    #[error("the bundle has `{path}` twice")]
    Duplicate {
        /// Name of the entry.
        path: String,
    },
    /// Writing into memory failed; no input is known to cause it.
    #[error("cannot write bundle entry `{entry}`")]
    Write {
        /// Name of the entry.
        entry: String,
        /// What the archive writer said.
        #[source]
        source: io::Error,
    },
}

/// Collects policies and data documents and writes them as one bundle.
#[derive(Clone, Debug)]
pub struct BundleBuilder {
    revision: String,
    roots: Vec<String>,
    rego_version: RegoVersion,
    file_rego_versions: BTreeMap<String, RegoVersion>,
    metadata: BTreeMap<String, serde_json::Value>,
    entries: BTreeMap<String, Bytes>,
    documents: Vec<Vec<String>>,
    duplicate: Option<String>,
}

/// A written bundle. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct BundleBytes {
    chunks: Chunks,
    sha256_hex: String,
}

impl BundleBytes {
    /// The gzipped tar in pieces; as an `http_body::Body` it is the answer to OPA's request.
    pub fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// SHA-256 of the gzipped tar, 64 hex digits.
    pub fn sha256_hex(&self) -> &str {
        &self.sha256_hex
    }

    /// A strong ETag, quotes included. OPA sends it back byte for byte in `If-None-Match` once it has activated it.
    pub fn etag(&self) -> String {
        format!("\"sha256:{}\"", self.sha256_hex)
    }
}

#[derive(Serialize)]
struct Manifest<'a> {
    revision: &'a str,
    roots: &'a [String],
    rego_version: u8,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    file_rego_versions: BTreeMap<String, u8>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, serde_json::Value>,
}

impl BundleBuilder {
    /// A bundle with this revision (OPA reports it in status and provenance) that owns the given
    /// roots (`cos`, `cos/abac`) and whose policies are of one syntax unless said otherwise.
    pub fn new<S: Into<String>>(
        revision: impl Into<String>,
        roots: impl IntoIterator<Item = S>,
        rego_version: RegoVersion,
    ) -> Self {
        let mut roots: Vec<String> = roots.into_iter().map(Into::into).collect();
        roots.sort();
        roots.dedup();
        Self {
            revision: revision.into(),
            roots,
            rego_version,
            file_rego_versions: BTreeMap::new(),
            metadata: BTreeMap::new(),
            entries: BTreeMap::new(),
            documents: Vec::new(),
            duplicate: None,
        }
    }

    /// Adds a policy under its path in the pack, such as `opa/cos.abac.rego`.
    #[must_use]
    pub fn policy(mut self, path: impl Into<String>, text: Bytes) -> Self {
        self.insert(path.into(), text);
        self
    }

    /// Adds a policy whose syntax differs from the bundle's.
    #[must_use]
    pub fn policy_of_version(mut self, path: impl Into<String>, text: Bytes, version: RegoVersion) -> Self {
        let path = path.into();
        self.file_rego_versions.insert(path.clone(), version);
        self.insert(path, text);
        self
    }

    /// Adds a data document byte for byte: `["cos", "retention"]` becomes `data.cos.retention`.
    /// The caller has checked that it is JSON; OPA refuses the bundle otherwise.
    #[must_use]
    pub fn data<S: Into<String>>(mut self, document: impl IntoIterator<Item = S>, json: Bytes) -> Self {
        let document: Vec<String> = document.into_iter().map(Into::into).collect();
        self.insert(format!("{}/data.json", document.join("/")), json);
        self.documents.push(document);
        self
    }

    /// Adds a value to the manifest's `metadata`, which OPA keeps and shows but does not use.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: serde_json::Value) -> Self {
        self.metadata.insert(key.into(), value);
        self
    }

    /// Writes the bundle. Needs memory for the compressed result and small buffers, not for the tar.
    ///
    /// # Errors
    /// Every [`BundleError`]: roots, names and documents are checked here, before a byte is written.
    pub fn write(&self) -> Result<BundleBytes, BundleError> {
        self.check()?;
        let manifest = serde_json::to_vec(&Manifest {
            revision: &self.revision,
            roots: &self.roots,
            rego_version: self.rego_version.number(),
            file_rego_versions: self
                .file_rego_versions
                .iter()
                .map(|(path, version)| (escape_glob(path), version.number()))
                .collect(),
            metadata: &self.metadata,
        })
        .map_err(|error| BundleError::Write {
            entry: MANIFEST.to_owned(),
            source: error.into(),
        })?;

        // Level 1: on JSON of a million entries it is several times faster than the default and little larger.
        let gzip = GzEncoder::new(HashingWriter::default(), Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        append(&mut tar, MANIFEST, &manifest)?;
        for (path, bytes) in &self.entries {
            append(&mut tar, path, bytes)?;
        }
        let write_error = |source| BundleError::Write {
            entry: "end of archive".to_owned(),
            source,
        };
        let writer = tar.into_inner().and_then(GzEncoder::finish).map_err(write_error)?;
        Ok(writer.finish())
    }

    fn insert(&mut self, path: String, bytes: Bytes) {
        match self.entries.entry(path) {
            Entry::Vacant(free) => {
                free.insert(bytes);
            }
            Entry::Occupied(taken) => {
                self.duplicate.get_or_insert_with(|| taken.key().clone());
            }
        }
    }

    fn check(&self) -> Result<(), BundleError> {
        if self.roots.is_empty() {
            return Err(BundleError::NoRoots);
        }
        for root in &self.roots {
            if root.starts_with('.') || !root.split('/').all(is_plain_segment) {
                return Err(BundleError::BadRoot { root: root.clone() });
            }
            if let Some(outer) = self.roots.iter().find(|other| *other != root && is_under(root, other)) {
                return Err(BundleError::RootsOverlap {
                    first: outer.clone(),
                    second: root.clone(),
                });
            }
        }
        if let Some(path) = &self.duplicate {
            return Err(BundleError::Duplicate { path: path.clone() });
        }
        for document in &self.documents {
            let path = document.join("/");
            if document.is_empty() || path.starts_with('.') || !document.iter().all(|segment| is_plain_segment(segment))
            {
                return Err(BundleError::BadDataPath { path });
            }
            if !self.roots.iter().any(|root| is_under(&path, root)) {
                return Err(BundleError::OutsideRoots {
                    path,
                    roots: self.roots.clone(),
                });
            }
        }
        let data_files: BTreeSet<String> = self
            .documents
            .iter()
            .map(|path| path.join("/") + "/data.json")
            .collect();
        for path in self.entries.keys().filter(|path| !data_files.contains(*path)) {
            let stem = path.strip_suffix(".rego").unwrap_or_default();
            if stem.is_empty() || stem.ends_with('/') || !path.split('/').all(is_plain_segment) {
                return Err(BundleError::BadPolicyPath { path: path.clone() });
            }
        }
        Ok(())
    }
}

const MANIFEST: &str = ".manifest";

/// OPA decodes percent signs in the names of a bundle that it downloads (but not of one given to `opa eval`).
fn is_plain_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && !segment.contains(['/', '%', '\0'])
}

/// Whether `path` is `root` or lies below it.
fn is_under(path: &str, root: &str) -> bool {
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// OPA reads the keys of `file_rego_versions` as glob patterns; a file name is meant literally.
fn escape_glob(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for character in path.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | ',' | '!' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

fn append<W: Write>(tar: &mut tar::Builder<W>, path: &str, bytes: &[u8]) -> Result<(), BundleError> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
        .map_err(|source| BundleError::Write {
            entry: path.to_owned(),
            source,
        })
}

/// Hashes the compressed bytes as they come, so that they are not read a second time for the ETag.
#[derive(Default)]
struct HashingWriter {
    chunks: ChunkWriter,
    hash: Sha256,
}

impl HashingWriter {
    fn finish(self) -> BundleBytes {
        let sha256_hex = hex::encode(self.hash.finalize());
        BundleBytes {
            chunks: self.chunks.finish(),
            sha256_hex,
        }
    }
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.chunks.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
