//! What the files of a pack become, and packs whose files cannot stand together.

use pack_verify::Reason;
use pack_verify::json::JsonKind;
use pack_verify::layout::{Layout, OtherKind};
use pack_verify::limits::Limits;

use crate::archive_raw::{POLICY, Raw, unpack, unpack_within};

#[test]
fn a_pack_as_mc_builds_it() {
    let raw = Raw::default()
        .entry(b"./", b'5', b"")
        .entry(b"./opa/", b'5', b"")
        .file("./opa/cos.abac.rego", POLICY)
        .file("./opa/cos.abac_test.rego", b"package cos.abac_test\n")
        .file("./opa/lib/times.rego", b"package lib[\"times\"].x\n")
        .entry(b"./data/", b'5', b"")
        .file("./data/retention.json", b"{\"days\": 30}")
        .file("./data/purpose-tags.json", b"[\"billing\"]")
        .file("./data/by-region/eu-west.json", b"1")
        .file("./README.md", b"# hello")
        .file("./signing/cosign.pub", b"-----BEGIN PUBLIC KEY-----")
        .file("./signing/broken.json", b"{")
        .file("./pack.json", b"{\"id\":\"policy-pack-v0\",\"revision\":7}");
    let pack = unpack(raw.finish()).unwrap();

    let policies: Vec<_> = pack
        .policies()
        .iter()
        .map(|file| (file.path.as_str(), file.package.join("/")))
        .collect();
    assert_eq!(
        policies,
        [
            ("opa/cos.abac.rego", "cos/abac".into()),
            ("opa/lib/times.rego", "lib/times/x".into())
        ]
    );
    assert_eq!(pack.policies()[0].text().as_bytes(), POLICY);

    let data: Vec<_> = pack
        .data()
        .iter()
        .map(|file| (file.path.as_str(), file.document.join("/")))
        .collect();
    let expected = [
        ("data/by-region/eu-west.json", "cos/by_region/eu_west"),
        ("data/purpose-tags.json", "cos/purpose_tags"),
        ("data/retention.json", "cos/retention"),
    ];
    assert_eq!(data, expected.map(|(path, document)| (path, document.to_owned())));
    assert_eq!(pack.data()[2].json.as_ref(), b"{\"days\": 30}");
    assert_eq!(pack.data()[1].shape.kind, JsonKind::Array);

    let others: Vec<_> = pack
        .others()
        .iter()
        .map(|file| (file.path.as_str(), file.kind))
        .collect();
    let expected = [
        ("README.md", OtherKind::Unused),
        ("opa/cos.abac_test.rego", OtherKind::PolicyTest),
        ("signing/broken.json", OtherKind::Signing),
        ("signing/cosign.pub", OtherKind::Signing),
    ];
    assert_eq!(others, expected);
    assert_eq!(pack.manifest().and_then(|manifest| manifest.revision), Some(7));
}

#[test]
fn files_are_slices_of_the_pack() {
    let archive = bytes::Bytes::from(Raw::with_policy().file("data/x.json", b"{}").finish());
    let range = archive.as_ptr_range();
    let pack = unpack(archive.clone()).unwrap();
    for file in [&pack.policies()[0].text, &pack.data()[0].json] {
        assert!(range.contains(&file.as_ptr()), "a plain tar is not copied");
    }
}

#[test]
fn another_data_root() {
    let raw = Raw::with_policy().file("data/retention.json", b"{}").finish();
    let at = |root: &[&str]| {
        let layout = Layout {
            data_root: root.iter().map(|part| (*part).to_owned()).collect(),
        };
        unpack_within(
            raw.clone(),
            &Limits {
                layout,
                ..Limits::default()
            },
        )
    };
    assert_eq!(at(&["a", "b"]).unwrap().data()[0].document, ["a", "b", "retention"]);
    assert_eq!(at(&[]).unwrap().data()[0].document, ["retention"]);
    assert_eq!(at(&["system"]).unwrap_err().reason(), Reason::ReservedRoot);
}

type Files = Vec<(&'static str, &'static [u8])>;

#[test]
fn refused_layouts() {
    let one = |path: &'static str, body: &'static [u8]| vec![(path, body)];
    let cases: Vec<(Files, Reason, &str)> = vec![
        (
            one("opa/x.rego", b"package system.authz"),
            Reason::ReservedRoot,
            "system",
        ),
        (
            one("opa/x.rego", b"# a\npackage system[\"log\"]"),
            Reason::ReservedRoot,
            "system",
        ),
        (one("opa/x.rego", b"package data.system"), Reason::ReservedRoot, "data"),
        (
            one("opa/x.rego", b"allow = true"),
            Reason::PolicyInvalid,
            "package clause",
        ),
        (one("opa/x.rego", b""), Reason::PolicyInvalid, "package clause"),
        (
            one("opa/x.rego", b"package a\n# \xff"),
            Reason::PolicyNotUtf8,
            "offset 12",
        ),
        (one("opa/x_test.rego", b"\xff"), Reason::PolicyNotUtf8, "offset 0"),
        (one("x.rego", b"package a"), Reason::PolicyInvalid, "under opa/"),
        (one("data/x.rego", b"package a"), Reason::PolicyInvalid, "under opa/"),
        (one("signing/x.rego", b"package a"), Reason::PolicyInvalid, "under opa/"),
        (one("opa/x.REGO", b"package a"), Reason::PolicyInvalid, "lower case"),
        (
            one("data/x.json", b"{\"a\":1,}"),
            Reason::DataInvalid,
            "line 1, column 8",
        ),
        (one("data/x.json", b""), Reason::DataInvalid, "ends before"),
        (
            one("data/x.json", b"{\"a\":1,\"\\u0061\":2}"),
            Reason::DataInvalid,
            "\"a\" is there twice",
        ),
        (one("data/x.json", b"\xff"), Reason::DataInvalid, "UTF-8"),
        (one("data/x.JSON", b"{}"), Reason::DataInvalid, "lower case"),
        (one("data/.json", b"{}"), Reason::DataInvalid, "no name"),
        (one("Data/x.json", b"{}"), Reason::DataInvalid, "lower case"),
        (one("data/x.yaml", b"a: 1"), Reason::DataInvalid, "YAML"),
        (one("docs/x.json", b"{"), Reason::DataInvalid, "ends before"),
        (one("Pack.json", b"{}"), Reason::ManifestInvalid, "lower case"),
        (one("pack.json", b"{"), Reason::ManifestInvalid, "ends before"),
        (
            vec![("data/a-b.json", b"1"), ("data/a_b.json", b"1")],
            Reason::DataInvalid,
            "same document",
        ),
        (
            vec![("data/a.json", b"{}"), ("data/a/b.json", b"1")],
            Reason::DataInvalid,
            "inside the other",
        ),
        (
            vec![
                ("data/a.json", b"{}"),
                ("data/a-c.json", b"1"),
                ("data/a/b/c.json", b"1"),
            ],
            Reason::DataInvalid,
            "data.cos.a.b.c",
        ),
        (
            one("data/abac.json", b"[1]"),
            Reason::DataInvalid,
            "policy package cos.abac",
        ),
        (
            vec![
                ("data/abac.json", b"{\"x\":{\"y\":1}}"),
                ("opa/y.rego", b"package cos.abac.x.y.z"),
            ],
            Reason::DataInvalid,
            "policy package cos.abac.x.y.z",
        ),
    ];
    for (files, reason, says) in cases {
        let raw = files
            .iter()
            .fold(Raw::with_policy(), |raw, (path, body)| raw.file(path, body));
        let error = unpack(raw.finish()).expect_err(says);
        assert_eq!(error.reason(), reason, "{files:?}: {error}");
        assert!(
            error.to_string().contains(says),
            "{files:?}: expected {says:?} in {error}"
        );
    }
}

#[test]
fn data_beside_rules_is_for_the_compiler_to_judge() {
    let raw = Raw::with_policy()
        .file("data/abac.json", b"{\"limits\": {}}")
        .file("data/abac-2.json", b"1");
    assert_eq!(unpack(raw.finish()).unwrap().data().len(), 2);
}

#[test]
fn deep_json() {
    let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    let with = |json: &str| unpack(Raw::with_policy().file("data/x.json", json.as_bytes()).finish());
    assert_eq!(with(&nested(64)).unwrap().data()[0].shape.depth, 64);
    let error = with(&nested(65)).unwrap_err();
    assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");
}

#[test]
fn no_policy() {
    let only = |path: &str| {
        unpack(Raw::default().file(path, b"package a").finish())
            .unwrap_err()
            .reason()
    };
    assert_eq!(unpack(vec![0; 10240]).unwrap_err().reason(), Reason::NoPolicy);
    assert_eq!(only("README.md"), Reason::NoPolicy);
    assert_eq!(only("opa/x_test.rego"), Reason::NoPolicy);
}
