//! `pack.json`, and whether a pack may follow the last one.

use jiff::{SignedDuration, Timestamp};
use pack_verify::admit::{Accepted, Admission, VerifiedPack};
use pack_verify::manifest::{PackManifest, RegoVersion};
use pack_verify::{Reason, Refusal, Sha256Digest};

use crate::archive_raw::{Raw, unpack};

const NOW: &str = "2026-03-01T12:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn admission() -> Admission<'static> {
    Admission::at(time(NOW))
}

/// A pack with this manifest; `None` for none.
fn pack(manifest: Option<&str>) -> pack_verify::unpack::UnpackedPack {
    let raw = Raw::with_policy();
    unpack(
        manifest
            .map_or(raw.clone(), |json| raw.file("pack.json", json.as_bytes()))
            .finish(),
    )
    .unwrap()
}

fn admit(manifest: Option<&str>, admission: &Admission<'_>) -> Result<VerifiedPack, Refusal> {
    pack(manifest).admit(admission)
}

fn accepted(revision: Option<u64>) -> Accepted {
    Accepted {
        digest: Sha256Digest::of(b"the pack before"),
        revision,
        id: None,
    }
}

fn refused(manifest: Option<&str>, admission: &Admission<'_>, reason: Reason, says: &str) {
    let error = admit(manifest, admission).expect_err(says);
    assert_eq!(error.reason(), reason, "{error}");
    assert!(error.to_string().contains(says), "expected {says:?} in {error}");
}

#[test]
fn manifests_are_read() {
    let text = r#"{"id": "policy-pack-v0", "revision": 18446744073709551615, "created": "2026-01-02T03:04:05+01:00",
        "expires": "2027-01-01T00:00:00Z", "regoVersion": "v1", "owner": "x", "Revision": 1,
        "golden": [{"name": "n", "path": "cos/abac/allow", "input": {"a": [1]}, "expect": null, "why": 1},
                   {"path": "a", "input": null, "expect": false}]}"#;
    let manifest = PackManifest::parse(text.as_bytes(), 64).unwrap();
    assert_eq!(manifest.id.as_deref(), Some("policy-pack-v0"));
    assert_eq!(manifest.revision, Some(u64::MAX));
    assert_eq!(manifest.created, Some(time("2026-01-02T02:04:05Z")));
    assert_eq!(manifest.rego_version, Some(RegoVersion::V1));
    assert_eq!(manifest.golden.len(), 2);
    assert_eq!(manifest.golden[0].input, serde_json::json!({"a": [1]}));
    assert_eq!(manifest.unknown_fields, ["Revision", "golden[0].why", "owner"]);
    assert_eq!(PackManifest::parse(b"{}", 64).unwrap(), PackManifest::default());
    for (text, version) in [
        ("0", RegoVersion::V0),
        ("1", RegoVersion::V1),
        ("\"v0\"", RegoVersion::V0),
    ] {
        let manifest = PackManifest::parse(format!("{{\"regoVersion\":{text}}}").as_bytes(), 64).unwrap();
        assert_eq!(manifest.rego_version, Some(version));
    }
}

#[test]
fn manifests_are_refused() {
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(129));
    for (text, says) in [
        ("[]", "expected an object, found an array"),
        ("{", "ends before"),
        ("{\"id\":\"a\",\"id\":\"b\"}", "\"id\" is there twice"),
        ("{\"id\":7}", "id: expected text, found 7"),
        ("{\"id\":\"\"}", "id: expected 1 to 128"),
        ("{\"id\":\"a\\nb\"}", "id: expected 1 to 128"),
        (&long, "id: expected 1 to 128"),
        ("{\"revision\":-1}", "revision: expected a whole number from 0"),
        ("{\"revision\":1.5}", "found 1.5"),
        ("{\"revision\":\"7\"}", "found \"7\""),
        (
            "{\"revision\":18446744073709551616}",
            "revision: expected a whole number",
        ),
        ("{\"revision\":null}", "found null"),
        ("{\"created\":\"yesterday\"}", "created: expected an RFC 3339 time"),
        (
            "{\"created\":\"2026-01-01T00:00:00\"}",
            "created: expected an RFC 3339 time",
        ),
        ("{\"expires\":1767225600}", "expires: expected text"),
        (
            "{\"created\":\"2026-01-02T00:00:00Z\",\"expires\":\"2026-01-02T00:00:00Z\"}",
            "not after it was created",
        ),
        ("{\"regoVersion\":2}", "regoVersion: expected \"v0\" or \"v1\""),
        ("{\"golden\":{}}", "golden: expected an array"),
        ("{\"golden\":[1]}", "golden[0]: expected an object"),
        (
            "{\"golden\":[{\"input\":1,\"expect\":1}]}",
            "golden[0].path: expected a value, found none",
        ),
        (
            "{\"golden\":[{\"path\":\"a\",\"expect\":1}]}",
            "golden[0].input: expected a value, found none",
        ),
        (
            "{\"golden\":[{\"path\":\"a\",\"input\":1}]}",
            "golden[0].expect: expected a value, found none",
        ),
        (
            "{\"golden\":[{\"path\":\"/a\",\"input\":1,\"expect\":1}]}",
            "golden[0].path: expected a path",
        ),
    ] {
        let error = PackManifest::parse(text.as_bytes(), 64).expect_err(text);
        assert_eq!(error.reason(), Reason::ManifestInvalid);
        assert!(error.to_string().contains(says), "{text}: expected {says:?} in {error}");
    }
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1 << 20));
    assert!(PackManifest::parse(large.as_bytes(), 64).is_err());
}

#[test]
fn without_a_manifest() {
    let pack = admit(None, &admission()).unwrap();
    let label = pack.revision_label();
    assert_eq!(label, format!("sha256:{}", pack.digest().hex()));
    assert_eq!(
        pack.accepted(),
        Accepted {
            digest: pack.digest(),
            revision: None,
            id: None
        }
    );
    let required = Admission {
        require_manifest: true,
        ..admission()
    };
    refused(None, &required, Reason::ManifestMissing, "pack.json");
    admit(Some("{}"), &required).unwrap();
    admit(
        None,
        &Admission {
            expected_id: Some("a"),
            ..admission()
        },
    )
    .unwrap();
}

#[test]
fn identity() {
    let expecting = Admission {
        expected_id: Some("policy-pack-v0"),
        ..admission()
    };
    let pack = admit(Some("{\"id\":\"policy-pack-v0\",\"revision\":42}"), &expecting).unwrap();
    assert_eq!(pack.revision_label(), format!("42@sha256:{}", pack.digest().hex()));
    assert_eq!(pack.accepted().id.as_deref(), Some("policy-pack-v0"));
    assert!(pack.pack_bytes().len() > 1024);
    refused(Some("{\"id\":\"other\"}"), &expecting, Reason::WrongId, "\"other\"");
    admit(Some("{}"), &expecting).unwrap();
    let strict = Admission {
        require_manifest: true,
        ..expecting
    };
    refused(Some("{}"), &strict, Reason::WrongId, "policy-pack-v0");
    admit(Some("{\"id\":\"other\"}"), &admission()).unwrap();
}

#[test]
fn times() {
    let expires = |at: &str| format!("{{\"expires\":\"{at}\"}}");
    let created = |at: &str| format!("{{\"created\":\"{at}\"}}");
    admit(Some(&expires("2026-03-01T12:00:01Z")), &admission()).unwrap();
    refused(
        Some(&expires(NOW)),
        &admission(),
        Reason::Expired,
        "it is now 2026-03-01T12:00:00Z",
    );
    refused(
        Some(&expires("2020-01-01T00:00:00Z")),
        &admission(),
        Reason::Expired,
        "2020-01-01T00:00:00Z",
    );
    admit(Some(&created("2026-03-01T12:01:00Z")), &admission()).unwrap();
    let ahead = created("2026-03-01T12:01:01Z");
    refused(Some(&ahead), &admission(), Reason::NotYetValid, "in the future");
    admit(
        Some(&ahead),
        &Admission {
            clock_skew: SignedDuration::from_secs(61),
            ..admission()
        },
    )
    .unwrap();
    admit(
        Some(&ahead),
        &Admission {
            now: Timestamp::MAX,
            ..admission()
        },
    )
    .unwrap();

    let restoring = Admission {
        restoring: true,
        ..admission()
    };
    admit(Some(&expires("2020-01-01T00:00:00Z")), &restoring).unwrap();
    admit(Some(&ahead), &restoring).unwrap();
}

#[test]
fn revisions() {
    let last = accepted(Some(7));
    let after = Admission {
        last: Some(&last),
        ..admission()
    };
    admit(Some("{\"revision\":8}"), &after).unwrap();
    refused(
        Some("{\"revision\":6}"),
        &after,
        Reason::RevisionLower,
        "7 was accepted before, found 6",
    );
    refused(
        Some("{\"revision\":7}"),
        &after,
        Reason::RevisionReused,
        "revision 7 was used for two packs",
    );
    refused(Some("{}"), &after, Reason::RevisionLower, "found no revision");
    refused(None, &after, Reason::RevisionLower, "found no revision");

    let unnumbered = accepted(None);
    let after = Admission {
        last: Some(&unnumbered),
        ..admission()
    };
    admit(Some("{\"revision\":0}"), &after).unwrap();
    admit(None, &after).unwrap();
}

#[test]
fn the_same_bytes_are_always_fine_again() {
    let text = Some("{\"revision\":7,\"expires\":\"2026-04-01T00:00:00Z\"}");
    let first = admit(text, &admission()).unwrap().accepted();
    assert_eq!(first.revision, Some(7));
    admit(
        text,
        &Admission {
            last: Some(&first),
            ..admission()
        },
    )
    .unwrap();
    // Even if the revision was remembered wrongly: bytes are bytes.
    let odd = Accepted {
        revision: Some(99),
        ..first.clone()
    };
    admit(
        text,
        &Admission {
            last: Some(&odd),
            ..admission()
        },
    )
    .unwrap();
    // But their time can run out.
    let later = Admission {
        now: time("2026-04-01T00:00:00Z"),
        last: Some(&first),
        ..admission()
    };
    refused(text, &later, Reason::Expired, "expired");
}

#[test]
fn what_was_accepted_can_be_written_down() {
    let accepted = admit(Some("{\"id\":\"a\",\"revision\":7}"), &admission())
        .unwrap()
        .accepted();
    let text = serde_json::to_string(&accepted).unwrap();
    assert_eq!(serde_json::from_str::<Accepted>(&text).unwrap(), accepted);
}
