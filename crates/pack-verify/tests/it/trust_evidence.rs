//! Hostile bundles in keyless trust: every part of the evidence is needed, garbage is refused, nothing panics.

use std::sync::OnceLock;

use pack_verify::{BlobRef, CheckName, CheckOutcome, Reason, Verifier};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::trust_material::{ACTIONS, BEACON, Case, bytes, digest, flip_base64, keyless, public_good, reason};

#[test]
fn each_part_of_the_evidence_is_needed() {
    type Change = fn(&mut Value);
    let cases: &[(&str, Change, &[Reason])] = &[
        (
            "no log entry",
            |b| b["verificationMaterial"]["tlogEntries"] = json!([]),
            &[Reason::NoTransparencyLog],
        ),
        (
            "no inclusion proof",
            |b| drop(entry(b).as_object_mut().unwrap().remove("inclusionProof")),
            &[Reason::NoTransparencyLog],
        ),
        (
            "a second entry without any evidence",
            |b| {
                let mut second = entry(b).clone();
                second.as_object_mut().unwrap().remove("inclusionProof");
                second.as_object_mut().unwrap().remove("inclusionPromise");
                b["verificationMaterial"]["tlogEntries"]
                    .as_array_mut()
                    .unwrap()
                    .push(second);
            },
            &[Reason::NoTransparencyLog],
        ),
        (
            "no checkpoint",
            |b| drop(entry(b)["inclusionProof"].as_object_mut().unwrap().remove("checkpoint")),
            &[Reason::NoTransparencyLog],
        ),
        (
            "neither promise nor timestamp: no proved time",
            |b| {
                drop(entry(b).as_object_mut().unwrap().remove("inclusionPromise"));
                b["verificationMaterial"]["timestampVerificationData"] = json!({});
            },
            &[Reason::NoTransparencyLog],
        ),
        (
            "backdated",
            |b| entry(b)["integratedTime"] = json!("1600000000"),
            &[Reason::NoTransparencyLog, Reason::UntrustedRoot],
        ),
        (
            "promise",
            |b| flip_base64(&mut entry(b)["inclusionPromise"]["signedEntryTimestamp"], 20),
            &[Reason::NoTransparencyLog],
        ),
        (
            "proof",
            |b| flip_base64(&mut entry(b)["inclusionProof"]["hashes"][0], 3),
            &[Reason::NoTransparencyLog],
        ),
        (
            "root of the proof",
            |b| flip_base64(&mut entry(b)["inclusionProof"]["rootHash"], 3),
            &[Reason::NoTransparencyLog],
        ),
        (
            "log id",
            |b| flip_base64(&mut entry(b)["logId"]["keyId"], 3),
            &[Reason::UntrustedRoot],
        ),
        (
            "timestamp",
            |b| {
                flip_base64(
                    &mut b["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"][0]["signedTimestamp"],
                    700,
                );
            },
            &[Reason::UntrustedRoot, Reason::BundleMalformed],
        ),
        (
            "signature",
            |b| flip_base64(&mut b["messageSignature"]["signature"], 40),
            &[Reason::SignatureInvalid, Reason::UntrustedRoot],
        ),
        (
            "message digest",
            |b| flip_base64(&mut b["messageSignature"]["messageDigest"]["digest"], 5),
            &[Reason::SignatureMismatch],
        ),
        (
            "certificate",
            |b| flip_base64(&mut b["verificationMaterial"]["certificate"]["rawBytes"], 300),
            &[Reason::UntrustedRoot, Reason::BundleMalformed],
        ),
        (
            "media type",
            |b| b["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.9+json"),
            &[Reason::BundleUnsupported],
        ),
        (
            "a key in place of the certificate",
            |b| {
                let material = b["verificationMaterial"].as_object_mut().unwrap();
                material.remove("certificate");
                material.insert("publicKey".to_owned(), json!({ "hint": "" }));
            },
            &[Reason::BundleUnsupported],
        ),
    ];
    let case = Case::cosign_blob();
    let verifier = case.exact();
    for (name, change, expected) in cases {
        let found = reason(verifier.verify_blob(BlobRef::Bytes(&case.artifact), &case.changed(change)));
        assert!(
            expected.contains(&found),
            "{name}: expected one of {expected:?}, found {found}"
        );
    }
}

fn entry(bundle: &mut Value) -> &mut Value {
    &mut bundle["verificationMaterial"]["tlogEntries"][0]
}

#[test]
fn the_faulty_bundles_of_the_library_are_refused() {
    let zero = BlobRef::Bytes(b"anything");
    let verifier = keyless(&public_good(), BEACON, ACTIONS);
    for path in [
        "bundles/bundle_cve_2022_36056.txt.sigstore",
        "bundles/bundle_invalid_version.txt.sigstore",
        "bundles/bundle_no_cert_v1.txt.sigstore",
        "bundles/bundle_no_checkpoint.txt.sigstore",
        "bundles/bundle_no_log_entry.txt.sigstore",
        "bundles/bundle_v3_no_signed_time.txt.sigstore.json",
        "bundles/dsse-2sigs.sigstore.json",
        "bundles/github-private-attestation.sigstore.json",
        "bundles/othername.sigstore.json",
    ] {
        let bundle = bytes(path);
        assert!(verifier.verify_blob(zero, &bundle).is_err(), "{path}");
        // And for the bytes that they say they are for, where they say it.
        let json: Value = serde_json::from_slice(&bundle).unwrap();
        if let Some(stated) = json["messageSignature"]["messageDigest"]["digest"].as_str() {
            use base64::Engine as _;
            let raw = base64::engine::general_purpose::STANDARD.decode(stated).unwrap();
            let own = BlobRef::Sha256(digest(&hex::encode(raw)));
            assert!(verifier.verify_blob(own, &bundle).is_err(), "{path}");
        }
    }
}

#[test]
fn garbage_is_malformed_and_never_a_panic() {
    let case = Case::cosign_blob();
    let verifier = case.exact();
    let deep = [b"[".repeat(500_000), b"]".repeat(500_000)].concat();
    let deep_inside = format!(
        r#"{{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","x":{}1{}}}"#,
        "[".repeat(300_000),
        "]".repeat(300_000)
    );
    let cases: &[&[u8]] = &[
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<!doctype html><html></html>",
        b"{\"mediaType\":7}",
        b"{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"}",
        b"\xff\xfe",
        &deep,
        deep_inside.as_bytes(),
        &vec![b' '; 2 << 20],
    ];
    for bundle in cases {
        let start = String::from_utf8_lossy(&bundle[..bundle.len().min(60)]).into_owned();
        let refused = verifier
            .verify_blob(BlobRef::Bytes(&case.artifact), bundle)
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::BundleMalformed, "{start}: {refused}");
        assert!(refused.to_string().len() < 600, "{refused}");
    }
    // Cut off anywhere.
    for at in (0..case.bundle.len()).step_by(97) {
        assert!(
            verifier
                .verify_blob(BlobRef::Bytes(&case.artifact), &case.bundle[..at])
                .is_err(),
            "cut at {at}"
        );
    }
}

/// Everything that a keyless bundle is verified with, made once.
fn fixtures() -> &'static [(Case, Verifier, Vec<u8>)] {
    static ALL: OnceLock<Vec<(Case, Verifier, Vec<u8>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let with = |case: Case, bundle: Vec<u8>| {
            let verifier = case.exact();
            (case, verifier, bundle)
        };
        let older = serde_json::to_vec(&Case::cosign_blob().as_older()).unwrap();
        vec![
            with(Case::cosign_blob(), Case::cosign_blob().bundle),
            with(Case::v01(), Case::v01().bundle),
            with(Case::rekor_v2(), Case::rekor_v2().bundle),
            with(Case::cosign_blob(), older),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mutation_of_the_artifact_is_refused(which in 0_usize..4, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (case, verifier, bundle) = &fixtures()[which];
        let mut artifact = case.artifact.clone();
        let index = at.index(artifact.len());
        artifact[index] ^= 1 << bit;
        let refused = verifier.verify_blob(BlobRef::Bytes(&artifact), bundle);
        prop_assert_eq!(refused.unwrap_err().reason(), Reason::SignatureMismatch);
    }

    /// Some bytes of a bundle are no evidence (spaces, an unused index), so a change there may pass; but whatever
    /// happens to a bundle, it never panics the reader and never names another signer or blob.
    #[test]
    fn a_damaged_bundle_never_panics_and_never_proves_something_else(
        which in 0_usize..4,
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        byte in any::<u8>(),
        kind in 0_u8..3,
    ) {
        let (case, verifier, bundle) = &fixtures()[which];
        let mut damaged = bundle.clone();
        let start = at.index(damaged.len());
        let end = (start + length).min(damaged.len());
        match kind {
            0 => damaged[start] = byte,
            1 => drop(damaged.drain(start..end)),
            _ => {
                let copy = damaged[start..end].to_vec();
                damaged.splice(start..start, copy);
            }
        }
        if let Ok(report) = verifier.verify_blob(BlobRef::Bytes(&case.artifact), &damaged) {
            let signer = report.signer.unwrap();
            prop_assert_eq!((signer.identity.as_str(), signer.issuer.as_str()), (case.identity, case.issuer));
            for name in [CheckName::Signature, CheckName::CertificateChain, CheckName::Sct, CheckName::LogEntry] {
                prop_assert!(report.checks.iter().any(|c| c.name == name && c.outcome == CheckOutcome::Passed));
            }
        }
    }
}
