//! Owns the sample packs: the files under `packs/`, at any revision, and variants that tests need.
//!
//! `data.cos.abac.decision` of every sample is `{"allow", "reasons", "revisions": {"policy", "data", "purpose_tags"}}`.
//! The three revisions come from three files of the pack, so they differ only in an answer that mixes two packs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::folder::Files;

const POLICY: &str = "opa/cos.abac.rego";
const RETENTION: &str = "data/retention.json";
const PURPOSE_TAGS: &str = "data/purpose-tags.json";
const MANIFEST: &str = "pack.json";

/// The path of the answer `true` or `false`, as in `POST /v1/data/{path}`.
pub const ALLOW: &str = "cos/abac/allow";
/// The path of the answer with reasons and revisions.
pub const DECISION: &str = "cos/abac/decision";
/// The path of the revisions alone.
pub const REVISIONS: &str = "cos/abac/revisions";

/// The samples allow this; [`deny_by_policy`] and [`deny_by_data`] do not.
pub const INPUT_ALLOWED: &str = r#"{
  "subject": {"tenant": "acme", "environment": "staging", "purpose": "support", "roles": ["agent"]},
  "resource": {
    "tenant": "acme", "environment": "staging", "retention_until": "2199-01-01T00:00:00Z", "labels": ["customer"]
  },
  "input_action": "read"
}"#;

/// Every sample denies this: the subject belongs to another tenant.
pub const INPUT_DENIED: &str = r#"{
  "subject": {"tenant": "globex", "environment": "staging", "purpose": "support", "roles": ["agent"]},
  "resource": {
    "tenant": "acme", "environment": "staging", "retention_until": "2199-01-01T00:00:00Z", "labels": ["customer"]
  },
  "input_action": "read"
}"#;

/// The files hold revision 1 in these words; each is replaced where it stands.
const MARKS: [(&str, &str, &str); 4] = [
    (POLICY, "policy_revision := 1\n", "policy_revision := {revision}\n"),
    (RETENTION, "\"revision\": 1,", "\"revision\": {revision},"),
    (PURPOSE_TAGS, "\"revision\": 1,", "\"revision\": {revision},"),
    (MANIFEST, "\"revision\": 1,", "\"revision\": {revision},"),
];

macro_rules! files {
    ($version:literal) => {
        [
            (
                POLICY,
                include_str!(concat!("../packs/", $version, "/opa/cos.abac.rego")),
            ),
            (
                RETENTION,
                include_str!(concat!("../packs/", $version, "/data/retention.json")),
            ),
            (
                PURPOSE_TAGS,
                include_str!(concat!("../packs/", $version, "/data/purpose-tags.json")),
            ),
            (MANIFEST, include_str!(concat!("../packs/", $version, "/pack.json"))),
            ("README.md", include_str!(concat!("../packs/", $version, "/README.md"))),
        ]
    };
}

/// The sample in the syntax of Rego v1.
pub fn v1(revision: u64) -> Files {
    at_revision(&files!("v1"), revision)
}

/// The sample in the syntax of Rego v0: the same rules, the same answers.
pub fn v0(revision: u64) -> Files {
    at_revision(&files!("v0"), revision)
}

fn at_revision(files: &[(&str, &str)], revision: u64) -> Files {
    let mut files: Files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
        .collect();
    for (path, mark, template) in MARKS {
        replace(
            &mut files,
            path,
            mark,
            &template.replace("{revision}", &revision.to_string()),
        );
    }
    files
}

/// Replaces text in a file; false if the file or the text is not there.
pub fn replace(files: &mut Files, path: &str, from: &str, to: &str) -> bool {
    let Some(text) = files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
        return false;
    };
    if !text.contains(from) {
        return false;
    }
    let changed = text.replace(from, to).into_bytes();
    files.insert(path.to_owned(), changed);
    true
}

/// Refuses [`INPUT_ALLOWED`], because the policy no longer permits its environment (reason `environment_not_permitted`).
pub fn deny_by_policy(revision: u64) -> Files {
    let mut files = v1(revision);
    replace(
        &mut files,
        POLICY,
        r#"{"development", "staging", "production"}"#,
        r#"{"development", "production"}"#,
    );
    expect_denied(files)
}

/// Refuses [`INPUT_ALLOWED`], because the data no longer covers its purpose (reason `purpose_not_permitted`). The policy
/// differs from [`v1`] in nothing but the revision.
pub fn deny_by_data(revision: u64) -> Files {
    let mut files = v1(revision);
    replace(
        &mut files,
        PURPOSE_TAGS,
        r#""support": ["customer", "internal"]"#,
        r#""support": ["internal"]"#,
    );
    expect_denied(files)
}

fn expect_denied(mut files: Files) -> Files {
    replace(&mut files, MANIFEST, "\"expect\": true", "\"expect\": false");
    files
}

/// Its Rego does not compile: a variable that nothing binds.
pub fn broken_rego(revision: u64) -> Files {
    let mut files = v1(revision);
    replace(
        &mut files,
        POLICY,
        "allow if count(reasons) == 0",
        "allow if count(reasons) == nowhere",
    );
    files
}

/// One of its golden decisions is not what its policy decides.
pub fn wrong_golden(revision: u64) -> Files {
    expect_denied(v1(revision))
}

/// Expired in 2024.
pub fn expired(revision: u64) -> Files {
    with_manifest(v1(revision), "expires", json!("2024-06-01T00:00:00Z"))
}

/// Without `pack.json`.
pub fn without_manifest(revision: u64) -> Files {
    let mut files = v1(revision);
    files.remove(MANIFEST);
    files
}

/// Sets one field of `pack.json`.
pub fn with_manifest(mut files: Files, field: &str, value: Value) -> Files {
    let manifest = files
        .get(MANIFEST)
        .and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let mut fields = match manifest {
        Some(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    fields.insert(field.to_owned(), value);
    files.insert(MANIFEST.to_owned(), Value::Object(fields).to_string().into_bytes());
    files
}

/// A large pack: `data.cos.entries` has this many entries, about 30 bytes each (1,000,000 make about 30 MB).
pub fn big(revision: u64, entries: usize) -> Files {
    let mut text = String::with_capacity(entries * 30 + 64);
    text.push_str("{\n");
    for number in 0..entries {
        let end = if number + 1 == entries { "\n" } else { ",\n" };
        // Writing to a String cannot fail.
        let _ = write!(text, "\"e{number:07}\":\"0123456789abcdef\"{end}");
    }
    text.push_str("}\n");
    let mut files = v1(revision);
    files.insert("data/entries.json".to_owned(), text.into_bytes());
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(files: &'a Files, path: &str) -> &'a str {
        std::str::from_utf8(&files[path]).unwrap()
    }

    #[test]
    fn the_revision_stands_in_four_files_and_nowhere_else() {
        for make in [v0, v1] {
            let (one, other) = (make(1), make(4_711));
            for (path, mark, _) in MARKS {
                assert_eq!(text(&one, path).matches(mark).count(), 1, "{path}");
                assert_eq!(text(&other, path).matches("4711").count(), 1, "{path}");
            }
            assert_eq!(one["README.md"], other["README.md"]);
        }
    }

    #[test]
    fn every_variant_differs_from_the_sample_where_it_says() {
        let changed = |files: &Files| -> Vec<String> {
            let sample = v1(3);
            files
                .keys()
                .chain(sample.keys())
                .filter(|path| files.get(*path) != sample.get(*path))
                .cloned()
                .fold(Vec::new(), |mut paths, path| {
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                    paths
                })
        };
        assert_eq!(changed(&deny_by_policy(3)), [POLICY, MANIFEST]);
        assert_eq!(changed(&deny_by_data(3)), [PURPOSE_TAGS, MANIFEST]);
        assert_eq!(changed(&broken_rego(3)), [POLICY]);
        assert_eq!(changed(&wrong_golden(3)), [MANIFEST]);
        assert_eq!(changed(&expired(3)), [MANIFEST]);
        assert_eq!(changed(&without_manifest(3)), [MANIFEST]);
    }

    #[test]
    fn inputs_are_json_and_differ_in_the_tenant_alone() {
        let allowed: Value = serde_json::from_str(INPUT_ALLOWED).unwrap();
        let mut denied: Value = serde_json::from_str(INPUT_DENIED).unwrap();
        assert_ne!(allowed, denied);
        denied["subject"]["tenant"] = json!("acme");
        assert_eq!(allowed, denied);
    }

    #[test]
    fn the_big_pack_is_as_big_as_it_says() {
        let files = big(1, 1000);
        let entries: Value = serde_json::from_slice(&files["data/entries.json"]).unwrap();
        assert_eq!(entries.as_object().unwrap().len(), 1000);
        assert!((29_000..32_000).contains(&files["data/entries.json"].len()));
    }
}
