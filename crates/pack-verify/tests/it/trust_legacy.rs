//! cosign 2's older bundle: real keyless evidence re-encoded, and the ways it can be wrong.

use pack_verify::trust::BundleFormat;
use pack_verify::{BlobRef, CheckName, PackBytes, Reason};
use serde_json::{Value, json};

use crate::trust_material::{Case, flip_base64, keyless, reason, staging};

#[test]
fn a_keyless_bundle_of_the_older_format_is_accepted_on_the_signed_promise() {
    for case in [Case::cosign_blob(), Case::v01()] {
        let older = serde_json::to_vec(&case.as_older()).unwrap();
        let pack = PackBytes::new(case.artifact.clone().into());
        let signed = case.exact().verify(pack, Some(&older)).unwrap();
        let report = signed.report();
        assert_eq!(report.bundle_format, Some(BundleFormat::CosignLegacy));
        assert_eq!(report.signer.as_ref().unwrap().identity, case.identity);
        assert!(report.signed_at.is_some());
        for name in [
            CheckName::Signature,
            CheckName::CertificateChain,
            CheckName::Sct,
            CheckName::Identity,
            CheckName::Issuer,
            CheckName::InclusionPromise,
            CheckName::LogEntry,
            CheckName::Timestamps,
        ] {
            assert!(report.passed(name), "{name}");
        }
        for name in [CheckName::LogInclusion, CheckName::Checkpoint] {
            assert!(!report.passed(name), "{name} cannot be proved by this format");
        }
    }
}

#[test]
fn the_older_format_is_held_to_the_same_rules() {
    type Change = fn(&mut Value);
    let case = Case::cosign_blob();
    let cases: &[(&str, Change, &[Reason])] = &[
        (
            "no log entry",
            |b| b["rekorBundle"] = Value::Null,
            &[Reason::NoTransparencyLog],
        ),
        (
            "promise",
            |b| flip_base64(&mut b["rekorBundle"]["SignedEntryTimestamp"], 20),
            &[Reason::NoTransparencyLog],
        ),
        (
            "backdated",
            |b| b["rekorBundle"]["Payload"]["integratedTime"] = json!(1_600_000_000),
            &[Reason::NoTransparencyLog],
        ),
        (
            "no time",
            |b| b["rekorBundle"]["Payload"]["integratedTime"] = json!(0),
            &[Reason::NoTransparencyLog],
        ),
        (
            "log index",
            |b| b["rekorBundle"]["Payload"]["logIndex"] = json!(1),
            &[Reason::NoTransparencyLog],
        ),
        (
            "log id",
            |b| b["rekorBundle"]["Payload"]["logID"] = json!("00".repeat(32)),
            &[Reason::UntrustedRoot],
        ),
        (
            "log id not hex",
            |b| b["rekorBundle"]["Payload"]["logID"] = json!("zz"),
            &[Reason::BundleMalformed],
        ),
        (
            "body",
            |b| flip_base64(&mut b["rekorBundle"]["Payload"]["body"], 200),
            &[
                Reason::NoTransparencyLog,
                Reason::BundleMalformed,
                Reason::SignatureMismatch,
            ],
        ),
        (
            "signature",
            |b| flip_base64(&mut b["base64Signature"], 40),
            &[Reason::SignatureInvalid],
        ),
        (
            "signature not base64",
            |b| b["base64Signature"] = json!("***"),
            &[Reason::BundleMalformed],
        ),
        (
            "no certificate",
            |b| b["cert"] = json!(""),
            &[Reason::BundleUnsupported],
        ),
        (
            "certificate not PEM",
            |b| b["cert"] = json!("AAAA"),
            &[Reason::BundleMalformed],
        ),
        (
            "another kind of entry",
            |b| b["rekorBundle"]["Payload"]["body"] = json!("eyJraW5kIjoicmVrb3JkIiwiYXBpVmVyc2lvbiI6IjAuMC4xIn0="),
            &[Reason::BundleUnsupported],
        ),
    ];
    let verifier = case.exact();
    for (name, change, expected) in cases {
        let mut older = case.as_older();
        change(&mut older);
        let older = serde_json::to_vec(&older).unwrap();
        let found = reason(verifier.verify_blob(BlobRef::Bytes(&case.artifact), &older));
        assert!(
            expected.contains(&found),
            "{name}: expected one of {expected:?}, found {found}"
        );
    }
}

#[test]
fn the_older_format_does_not_serve_another_signer_root_or_blob() {
    let case = Case::cosign_blob();
    let older = serde_json::to_vec(&case.as_older()).unwrap();
    let artifact = BlobRef::Bytes(&case.artifact);
    assert_eq!(
        reason(keyless(&case.root, "x@example.com", case.issuer).verify_blob(artifact, &older)),
        Reason::WrongIdentity
    );
    assert_eq!(
        reason(keyless(&staging(), case.identity, case.issuer).verify_blob(artifact, &older)),
        Reason::UntrustedRoot
    );
    let other = case
        .exact()
        .verify_blob(BlobRef::Bytes(b"another pack"), &older)
        .unwrap_err();
    assert_eq!(other.reason(), Reason::SignatureMismatch);
    assert!(other.may_be_race());
}

#[test]
fn an_entry_of_another_signature_is_not_borrowed() {
    let (case, donor) = (Case::cosign_blob(), Case::v01());
    let mut older = case.as_older();
    older["rekorBundle"] = donor.as_older()["rekorBundle"].clone();
    let older = serde_json::to_vec(&older).unwrap();
    assert!(
        case.exact()
            .verify_blob(BlobRef::Bytes(&case.artifact), &older)
            .is_err()
    );
    assert!(
        case.exact()
            .verify_blob(BlobRef::Bytes(&donor.artifact), &older)
            .is_err()
    );
}
