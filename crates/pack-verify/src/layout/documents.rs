//! Which document a data file becomes, and whether two files want the same place.

use std::collections::BTreeSet;

use super::{DataFile, Layout, PolicyFile, data_invalid};
use crate::json::{Lookup, lookup};
use crate::refusal::Refusal;

/// `data/a-b/c-d.json` becomes `[root.., "a_b", "c_d"]`: files are kebab-case, documents are snake_case, because Rego
/// reads `data.cos.purpose-tags` as a subtraction.
pub(super) fn of(path: &str, layout: &Layout) -> Result<Vec<String>, &'static str> {
    let inner = path.strip_prefix("data/").and_then(|rest| rest.strip_suffix(".json"));
    let inner = inner.ok_or("expected a .json file under data/")?;
    if inner.is_empty() || inner.ends_with('/') {
        return Err("the file has no name before .json");
    }
    let parts = inner.split('/').map(|part| part.replace('-', "_"));
    Ok(layout.data_root.iter().cloned().chain(parts).collect())
}

/// Refuses two data files for one document, one inside another, and a policy whose package lies inside something
/// that is not an object. Whether a rule has the same name as a value can only be told by who parses the policy.
pub(super) fn no_collisions(data: &[DataFile], policies: &[PolicyFile]) -> Result<(), Refusal> {
    let mut by_document: Vec<&DataFile> = data.iter().collect();
    by_document.sort_unstable_by(|a, b| a.document.cmp(&b.document));
    // In this order a document stands directly before those that begin with it.
    for pair in by_document.windows(2) {
        if let [first, second] = pair
            && second.document.starts_with(&first.document)
        {
            let same = first.document.len() == second.document.len();
            let relation = if same {
                "become the same document"
            } else {
                "become one document inside the other"
            };
            let (mine, other) = (first.document.join("."), second.document.join("."));
            let why = format!("it and {:?} {relation}: data.{mine} and data.{other}", second.path);
            return Err(data_invalid(&first.path, &why));
        }
    }
    data.iter().try_for_each(|file| room_for_packages(file, policies))
}

fn room_for_packages(file: &DataFile, policies: &[PolicyFile]) -> Result<(), Refusal> {
    let inside: BTreeSet<Vec<&str>> = policies
        .iter()
        .filter_map(|policy| policy.package.strip_prefix(file.document.as_slice()))
        .map(|rest| rest.iter().map(String::as_str).collect())
        .collect();
    if inside.is_empty() {
        return Ok(());
    }
    let paths: Vec<&[&str]> = inside.iter().map(Vec::as_slice).collect();
    for (path, found) in paths.iter().zip(lookup(&file.json, &paths)) {
        if matches!(found, Lookup::Blocked | Lookup::Other) {
            let mut package = file.document.join(".");
            for part in *path {
                package.push('.');
                package.push_str(part);
            }
            let why = format!("it has a value that is not an object where the policy package {package} lies");
            return Err(data_invalid(&file.path, &why));
        }
    }
    Ok(())
}
