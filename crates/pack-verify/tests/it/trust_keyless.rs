//! Keyless trust on real bundles: each format and log version accepted, and other signers, roots and kinds refused.

use bytes::Bytes;
use pack_verify::trust::{BundleFormat, SignerKind};
use pack_verify::{
    BlobRef, CheckName, CheckOutcome, IdentityRule, IssuerRule, PackBytes, Reason, Refusal, Sha256Digest, Verifier,
};
use serde_json::json;

use crate::trust_material::{ACTIONS, BEACON, Case, bytes, digest, keyless, public_good, reason, staging, text};

#[test]
fn a_pack_signed_by_the_right_identity_is_accepted_and_the_report_names_every_check() {
    let case = Case::cosign_blob();
    let pack = PackBytes::new(Bytes::from(case.artifact.clone()));
    let accepted = case.exact().verify(pack, Some(&case.bundle)).unwrap();
    let report = accepted.report();
    let signer = report.signer.as_ref().unwrap();
    assert_eq!(
        (signer.identity.as_str(), signer.issuer.as_str()),
        (case.identity, case.issuer)
    );
    assert_eq!(signer.kind, SignerKind::Email);
    assert_eq!(report.bundle_format, Some(BundleFormat::SigstoreV03));
    assert_eq!(report.digest, Sha256Digest::of(&case.artifact));
    assert_eq!(report.signed_at.unwrap().to_string(), "2025-12-03T18:36:42Z");
    let names: Vec<CheckName> = report.checks.iter().map(|check| check.name).collect();
    assert_eq!(names, CheckName::ALL);
    for &name in CheckName::ALL {
        assert!(
            report.passed(name),
            "{name} should have passed: {:?}",
            report.check(name)
        );
    }
    let times = report.check(CheckName::Timestamps).unwrap().detail.as_ref().unwrap();
    assert_eq!(
        times.split(", ").count(),
        2,
        "a timestamp of an authority and one of the log: {times}"
    );
}

#[test]
fn the_report_serializes_to_one_flat_object_a_check() {
    let case = Case::rekor_v2();
    let report = case
        .exact()
        .verify_blob(BlobRef::Bytes(&case.artifact), &case.bundle)
        .unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["mode"], "keyless");
    assert_eq!(json["bundle_format"], "sigstore-v0.3");
    assert_eq!(json["signer"]["kind"], "email");
    assert_eq!(
        json["checks"][0],
        json!({ "name": "digest", "outcome": "passed", "detail": json["digest"] })
    );
    let promise = json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "inclusion_promise")
        .unwrap();
    assert_eq!(promise["outcome"], "not_checked");
    assert!(
        promise["why"].as_str().unwrap().contains("inclusion proof"),
        "{promise}"
    );
}

#[test]
fn every_bundle_version_and_log_version_is_accepted() {
    let v02 = digest("c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201");
    let empty = Sha256Digest::of(b"");
    let a_txt = Sha256Digest::of(&bytes("managed-key/artifact.txt"));
    let public = public_good();
    let cases = [
        (
            "invalid-ct-key_fail/bundle.sigstore.json",
            public.as_str(),
            a_txt,
            BEACON,
            ACTIONS,
            BundleFormat::SigstoreV01,
        ),
        (
            "bundles/bundle_v3_github.whl.sigstore",
            &public,
            v02,
            "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2",
            ACTIONS,
            BundleFormat::SigstoreV02,
        ),
        (
            "timestamps/valid_bundle.json",
            &text("timestamps/valid_trusted_root.json"),
            a_txt,
            BEACON,
            ACTIONS,
            BundleFormat::SigstoreV03,
        ),
        (
            "sct-multi-intermediate/staging_bundle.sigstore.json",
            &text("sct-multi-intermediate/staging_trusted_root.json"),
            empty,
            "https://github.com/sigstore/root-signing-staging/.github/workflows/custom-test.yml@refs/heads/main",
            ACTIONS,
            BundleFormat::SigstoreV03,
        ),
        (
            "upstream/sigstore-python/staging-rekor-v2.txt.sigstore.json",
            &staging(),
            Sha256Digest::of(&bytes("upstream/sigstore-python/staging-rekor-v2.txt")),
            "jku@goto.fi",
            "https://github.com/login/oauth",
            BundleFormat::SigstoreV03,
        ),
    ];
    for (path, root, sha256, identity, issuer, format) in cases {
        let verifier = keyless(root, identity, issuer);
        let report = verifier
            .verify_blob(BlobRef::Sha256(sha256), &bytes(path))
            .unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        assert_eq!(report.bundle_format, Some(format), "{path}");
        for name in [
            CheckName::CertificateChain,
            CheckName::Sct,
            CheckName::LogInclusion,
            CheckName::Timestamps,
        ] {
            assert!(report.passed(name), "{path}: {name}");
        }
        // The same evidence does not serve another blob, and the caller can tell.
        let other = verifier
            .verify_blob(BlobRef::Sha256(Sha256Digest::of(b"other")), &bytes(path))
            .unwrap_err();
        assert_eq!(other.reason(), Reason::SignatureMismatch, "{path}");
        assert!(other.may_be_race(), "{path}");
    }
}

#[test]
fn an_attestation_is_evidence_about_a_blob_but_does_not_approve_a_pack() {
    let package = bytes("bundles/signed-package-2.1.0-hb0f4dca_0.conda");
    for (path, root, identity, issuer) in [
        (
            "bundles/conda-attestation.sigstore.json",
            public_good(),
            "https://github.com/prefix-dev/sigstore-example/.github/workflows/action.yaml@refs/heads/main",
            ACTIONS,
        ),
        (
            "bundles/conda-attestation-rekor2.sigstore.json",
            staging(),
            "jku@goto.fi",
            "https://github.com/login/oauth",
        ),
    ] {
        let verifier = keyless(&root, identity, issuer);
        let report = verifier.verify_blob(BlobRef::Bytes(&package), &bytes(path)).unwrap();
        assert_eq!(
            report.attestation.as_deref(),
            Some("https://schemas.conda.org/attestations-publish-1.schema.json"),
            "{path}"
        );
        let mut other = package.clone();
        other[100] ^= 1;
        assert_eq!(
            reason(verifier.verify_blob(BlobRef::Bytes(&other), &bytes(path))),
            Reason::SignatureMismatch,
            "{path}"
        );
        let refused = verifier
            .verify(PackBytes::new(package.clone().into()), Some(&bytes(path)))
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::BundleUnsupported, "{path}");
        assert!(refused.to_string().contains("attestation"), "{refused}");
    }
}

#[test]
fn another_identity_or_issuer_is_refused_and_named() {
    let case = Case::cosign_blob();
    let artifact = BlobRef::Bytes(&case.artifact);
    let refused = keyless(&case.root, "somebody@example.com", case.issuer).verify_blob(artifact, &case.bundle);
    match refused.unwrap_err() {
        Refusal::WrongIdentity { expected, found } => {
            assert_eq!(expected, r#""somebody@example.com""#);
            assert_eq!(found, r#""w.vollprecht@gmail.com""#);
        }
        other => panic!("{other}"),
    }
    let refused = keyless(&case.root, case.identity, ACTIONS)
        .verify_blob(artifact, &case.bundle)
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::WrongIssuer);
    assert!(
        refused.to_string().contains(case.issuer) && refused.to_string().contains(ACTIONS),
        "{refused}"
    );
}

#[test]
fn a_pattern_stands_for_the_whole_identity() {
    let case = Case::v01();
    let verify = |identity: &str, issuer: &str| {
        let identity = IdentityRule::pattern(identity).unwrap();
        let issuer = IssuerRule::pattern(issuer).unwrap();
        Verifier::keyless(&case.root, identity, issuer)
            .unwrap()
            .verify_blob(BlobRef::Bytes(&case.artifact), &case.bundle)
    };
    let any_issuer = "https://token\\.actions\\.githubusercontent\\.com";
    for accepted in [
        "https://github.com/sigstore-conformance/.*",
        "^https://github.com/sigstore-conformance/.*$",
        "nobody|https://github\\.com/.+@refs/heads/main",
    ] {
        assert!(verify(accepted, any_issuer).is_ok(), "{accepted}");
    }
    for refused in [
        "https://github.com/sigstore-conformance/",
        "refs/heads/main",
        "https://github.com|x",
        "",
    ] {
        if let Ok(rule) = IdentityRule::pattern(refused) {
            assert!(!rule.matches(BEACON), "{refused}");
        }
    }
    assert_eq!(
        reason(verify("https://github.com/sigstore-conformance/", any_issuer)),
        Reason::WrongIdentity
    );
    assert_eq!(reason(verify(".*", "https://token")), Reason::WrongIssuer);
}

#[test]
fn another_trusted_root_is_refused_as_such() {
    let case = Case::cosign_blob();
    for root in [text("trusted_roots/scaffolding.json"), staging()] {
        let verifier = keyless(&root, case.identity, case.issuer);
        let refused = verifier
            .verify_blob(BlobRef::Bytes(&case.artifact), &case.bundle)
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::UntrustedRoot, "{refused}");
        assert!(!refused.may_be_race());
    }
    // A root that is right but for the log of certificates.
    let case = Case::v01();
    let root = text("invalid-ct-key_fail/trusted_root.json");
    let refused = keyless(&root, case.identity, case.issuer)
        .verify_blob(BlobRef::Bytes(&case.artifact), &case.bundle)
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::UntrustedRoot, "{refused}");
}

#[test]
fn a_missing_bundle_is_its_own_reason() {
    let case = Case::cosign_blob();
    let pack = PackBytes::new(Bytes::from(case.artifact.clone()));
    assert_eq!(reason(case.exact().verify(pack, None)), Reason::SignatureMissing);
}

#[test]
fn insecure_digest_only_checks_nothing_and_says_so() {
    let signed = Verifier::insecure_digest_only()
        .verify(PackBytes::new(Bytes::from_static(b"pack")), None)
        .unwrap();
    let report = signed.report();
    assert_eq!(report.mode.as_str(), "insecure-digest-only");
    assert_eq!(report.checks.len(), CheckName::ALL.len());
    for check in &report.checks {
        assert!(
            matches!(&check.outcome, CheckOutcome::NotChecked { why } if !why.is_empty()),
            "{check:?}"
        );
    }
    assert!(report.signed_by().contains("nobody"), "{}", report.signed_by());
}
