//! Owns reading packs from a folder: what MC puts into a pack, and nothing else that lies there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::store::PACK_ID;

/// What MC packs (`./opa ./data ./README.md ./signing`), and `pack.json`.
const PACKED: [&str; 5] = ["opa", "data", "README.md", "signing", "pack.json"];

/// Files of a pack by their path inside it, with `/` between the parts.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A folder with packs: either one pack (it has an `opa` folder; the id is the one in use), or one folder a pack, whose
/// name is the id.
#[derive(Debug, Clone)]
pub struct Packs(PathBuf);

impl Packs {
    /// Reads nothing yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Reads all packs, by id.
    pub fn read(&self) -> Result<BTreeMap<String, Files>> {
        let root = &self.0;
        if root.join("opa").is_dir() {
            return Ok(BTreeMap::from([(PACK_ID.to_owned(), read_pack(root)?)]));
        }
        let mut packs = BTreeMap::new();
        for (name, path) in list(root)? {
            if path.join("opa").is_dir() {
                packs.insert(name, read_pack(&path)?);
            }
        }
        if packs.is_empty() {
            bail!(
                "no pack in {}: expected a folder `opa` in it, or in folders below it that are named like the pack",
                root.display()
            );
        }
        Ok(packs)
    }
}

/// Reads the files of one pack.
pub fn read_pack(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for name in PACKED {
        let path = folder.join(name);
        if path.exists() {
            add(&path, name, &mut files)?;
        }
    }
    Ok(files)
}

fn add(path: &Path, name: &str, files: &mut Files) -> Result<()> {
    if path.is_dir() {
        for (child, path) in list(path)? {
            add(&path, &format!("{name}/{child}"), files)?;
        }
    } else {
        let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        files.insert(name.to_owned(), bytes);
    }
    Ok(())
}

fn list(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("reading the folder {}", folder.display()))?;
        let Ok(name) = entry.file_name().into_string() else {
            bail!(
                "a name in {} is not UTF-8: {}",
                folder.display(),
                entry.path().display()
            );
        };
        found.insert(name, entry.path());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pack_or_one_folder_a_pack() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
        let single = Packs::new(root.join("v1")).read().unwrap();
        assert_eq!(single.keys().collect::<Vec<_>>(), [PACK_ID]);
        let names: Vec<_> = single[PACK_ID].keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "README.md",
                "data/purpose-tags.json",
                "data/retention.json",
                "opa/cos.abac.rego",
                "pack.json"
            ]
        );
        let several = Packs::new(&root).read().unwrap();
        assert_eq!(several.keys().collect::<Vec<_>>(), ["v0", "v1"]);
    }

    #[test]
    fn a_folder_without_packs_is_an_error_that_says_what_was_expected() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let error = Packs::new(folder).read().unwrap_err().to_string();
        assert!(error.contains("expected a folder `opa`"), "{error}");
    }
}
