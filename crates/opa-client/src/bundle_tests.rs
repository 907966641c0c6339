//! What the writer writes, read back with the libraries it was written with. That OPA loads it is shown in `tests/e2e`.

use std::io::Read;

use flate2::read::GzDecoder;
use proptest::prelude::*;

use super::*;

const POLICY: &[u8] = b"package cos.abac\n\ndefault allow := false\n";

fn builder() -> BundleBuilder {
    BundleBuilder::new("7@sha256:0123", ["cos"], RegoVersion::V1)
}

fn sample() -> BundleBuilder {
    builder()
        .policy("opa/cos.abac.rego", Bytes::from_static(POLICY))
        .policy_of_version("opa/old.rego", Bytes::from_static(b"package cos.old"), RegoVersion::V0)
        .data(["cos", "retention"], Bytes::from_static(b"{ \"days\": 1.50e2 }\n"))
        .data(["cos", "a", "b", "c"], Bytes::from_static(b"[1]"))
        .metadata("pack", serde_json::json!("policy-pack-v0"))
}

fn entries(bundle: &BundleBytes) -> Vec<(String, Vec<u8>)> {
    let bytes = bundle.chunks().to_bytes();
    let mut archive = tar::Archive::new(GzDecoder::new(&bytes[..]));
    let read = |entry: io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!(
            (header.mtime().unwrap(), header.uid().unwrap(), header.mode().unwrap()),
            (0, 0, 0o644)
        );
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (name, content)
    };
    archive.entries().unwrap().map(read).collect()
}

#[test]
fn the_layout_is_the_one_opa_loads_and_documents_are_not_touched() {
    let entries = entries(&sample().write().unwrap());
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        ".manifest",
        "cos/a/b/c/data.json",
        "cos/retention/data.json",
        "opa/cos.abac.rego",
        "opa/old.rego",
    ];
    assert_eq!(names, expected);
    assert_eq!(entries[2].1, b"{ \"days\": 1.50e2 }\n");
    assert_eq!(entries[3].1, POLICY);
    let manifest: serde_json::Value = serde_json::from_slice(&entries[0].1).unwrap();
    assert_eq!(
        manifest,
        serde_json::json!({"revision": "7@sha256:0123", "roots": ["cos"], "rego_version": 1,
            "file_rego_versions": {"opa/old.rego": 0}, "metadata": {"pack": "policy-pack-v0"}})
    );
}

#[test]
fn the_same_content_is_the_same_bytes_in_whatever_order_it_comes() {
    let one = sample().write().unwrap();
    let other = builder()
        .metadata("pack", serde_json::json!("policy-pack-v0"))
        .data(["cos", "a", "b", "c"], Bytes::from_static(b"[1]"))
        .data(["cos", "retention"], Bytes::from_static(b"{ \"days\": 1.50e2 }\n"))
        .policy_of_version("opa/old.rego", Bytes::from_static(b"package cos.old"), RegoVersion::V0)
        .policy("opa/cos.abac.rego", Bytes::from_static(POLICY))
        .write()
        .unwrap();
    assert_eq!(one.chunks().to_bytes(), other.chunks().to_bytes());
    assert_eq!(one.etag(), other.etag());
    let changed = sample().metadata("pack", serde_json::json!("another")).write().unwrap();
    assert_ne!(one.etag(), changed.etag());
}

#[test]
fn the_etag_is_the_digest_of_the_bytes() {
    let bundle = sample().write().unwrap();
    let hex = hex::encode(Sha256::digest(bundle.chunks().to_bytes()));
    assert_eq!(bundle.sha256_hex(), hex);
    assert_eq!(bundle.etag(), format!("\"sha256:{hex}\""));
}

#[test]
fn long_names_and_glob_characters_survive() {
    let long = format!("opa/{}/x.rego", "deep-folder/".repeat(20).trim_end_matches('/'));
    let odd = "opa/a[b]*{c}.rego";
    let bundle = builder()
        .policy(long.as_str(), Bytes::from_static(POLICY))
        .policy_of_version(odd, Bytes::from_static(b"package cos.x"), RegoVersion::V0)
        .write()
        .unwrap();
    let entries = entries(&bundle);
    assert!(entries.iter().any(|(name, _)| *name == long));
    let manifest: serde_json::Value = serde_json::from_slice(&entries[0].1).unwrap();
    assert_eq!(
        manifest["file_rego_versions"],
        serde_json::json!({r"opa/a\[b\]\*\{c\}.rego": 0})
    );
}

#[test]
fn what_opa_would_refuse_or_ignore_is_refused_here() {
    let json = || Bytes::from_static(b"{}");
    let roots = |roots: &[&str]| {
        BundleBuilder::new("r", roots.iter().copied(), RegoVersion::V1)
            .write()
            .unwrap_err()
    };
    assert!(matches!(roots(&[]), BundleError::NoRoots));
    for bad in ["", "/cos", "cos/", "a//b", "a/../b", "c%d", ".cos"] {
        assert!(matches!(roots(&[bad]), BundleError::BadRoot { .. }), "{bad}");
    }
    assert!(matches!(roots(&["cos/abac", "cos"]), BundleError::RootsOverlap { .. }));
    assert!(
        BundleBuilder::new("r", ["cos", "cosmos", "cos"], RegoVersion::V1)
            .write()
            .is_ok()
    );

    for bad in [
        "",
        "/opa/x.rego",
        "../x.rego",
        "opa/./x.rego",
        "opa/x.txt",
        "opa/%41.rego",
        ".rego",
        "data.json",
        ".manifest",
    ] {
        let error = builder().policy(bad, json()).write().unwrap_err();
        assert!(matches!(error, BundleError::BadPolicyPath { .. }), "{bad}: {error}");
    }
    for bad in [
        vec![],
        vec!["cos", ""],
        vec!["cos", ".."],
        vec!["cos", "a/b"],
        vec!["cos", "c%d"],
        vec![".cos"],
    ] {
        let error = builder().data(bad.clone(), json()).write().unwrap_err();
        assert!(matches!(error, BundleError::BadDataPath { .. }), "{bad:?}: {error}");
    }
    for outside in [vec!["other"], vec!["cosmos", "x"], vec!["system"]] {
        let error = builder().data(outside.clone(), json()).write().unwrap_err();
        assert!(
            matches!(error, BundleError::OutsideRoots { .. }),
            "{outside:?}: {error}"
        );
    }
    let twice = builder()
        .data(["cos"], json())
        .data(["cos"], json())
        .write()
        .unwrap_err();
    assert!(matches!(twice, BundleError::Duplicate { .. }), "{twice}");
    let twice = builder()
        .policy("a.rego", json())
        .policy("a.rego", json())
        .write()
        .unwrap_err();
    assert!(matches!(twice, BundleError::Duplicate { .. }), "{twice}");
}

proptest! {
    #[test]
    fn every_document_comes_back_byte_for_byte(
        documents in proptest::collection::btree_map("[a-zA-Z0-9 _~é.]{1,20}x", proptest::collection::vec(any::<u8>(), 0..70_000), 0..5)
    ) {
        let filled = documents.iter().fold(builder(), |builder, (name, content)| {
            builder.data(["cos", name.as_str()], Bytes::copy_from_slice(content))
        });
        let found = entries(&filled.write().unwrap());
        prop_assert_eq!(found.len(), documents.len() + 1);
        for (name, content) in &documents {
            let entry = format!("cos/{name}/data.json");
            prop_assert!(found.iter().any(|(path, bytes)| *path == entry && bytes == content));
        }
    }
}
