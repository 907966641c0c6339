//! Key trust: a real logged signature, our own signer, foreign keys, and the property that no mutation survives.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pack_verify::sign::{KeyKind, Signer};
use pack_verify::{BlobRef, CheckName, CheckOutcome, KeyLog, PackBytes, Reason, Refusal, Sha256Digest, Verifier};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::trust_material::{Case, bytes, flip_base64, production, reason, staging, text};

const BUNDLE: &str = "managed-key/bundle.sigstore.json";
const ARTIFACT: &str = "managed-key/artifact.txt";

fn logged(pem: &str, root: String) -> Verifier {
    Verifier::key(
        pem,
        KeyLog::Required {
            trusted_root_json: root,
        },
    )
    .unwrap()
}

fn unlogged(pem: &str) -> Verifier {
    Verifier::key(pem, KeyLog::NotRequired).unwrap()
}

fn signer(kind: KeyKind) -> &'static Signer {
    static P256: OnceLock<Signer> = OnceLock::new();
    static ED: OnceLock<Signer> = OnceLock::new();
    match kind {
        KeyKind::EcdsaP256 => P256.get_or_init(|| Signer::generate(kind).unwrap()),
        KeyKind::Ed25519 => ED.get_or_init(|| Signer::generate(kind).unwrap()),
    }
}

type Change = fn(&mut Value);

const KINDS: [KeyKind; 2] = [KeyKind::EcdsaP256, KeyKind::Ed25519];

#[test]
fn a_logged_key_signature_is_accepted_with_its_time() {
    let verifier = logged(&text("managed-key/key.pub"), production());
    let pack = PackBytes::new(bytes(ARTIFACT).into());
    let signed = verifier.verify(pack, Some(&bytes(BUNDLE))).unwrap();
    let report = signed.report();
    for name in [
        CheckName::Digest,
        CheckName::Signature,
        CheckName::LogInclusion,
        CheckName::Checkpoint,
        CheckName::InclusionPromise,
        CheckName::LogEntry,
        CheckName::Timestamps,
    ] {
        assert!(report.passed(name), "{name}");
    }
    for name in [
        CheckName::CertificateChain,
        CheckName::Sct,
        CheckName::Identity,
        CheckName::Issuer,
    ] {
        let outcome = &report.check(name).unwrap().outcome;
        assert!(
            matches!(outcome, CheckOutcome::NotChecked { why } if why.contains("no certificate")),
            "{name}"
        );
    }
    assert_eq!(report.key.as_ref().unwrap().algorithm, "ECDSA P-256");
    assert_eq!(report.signed_at.unwrap().as_second(), 1_766_077_479);
}

#[test]
fn without_the_log_the_same_signature_is_accepted_and_the_log_is_not_claimed() {
    let report = unlogged(&text("managed-key/key.pub"))
        .verify_blob(BlobRef::Bytes(&bytes(ARTIFACT)), &bytes(BUNDLE))
        .unwrap();
    assert!(report.passed(CheckName::Signature));
    assert_eq!(report.signed_at, None);
    for name in [
        CheckName::LogInclusion,
        CheckName::Checkpoint,
        CheckName::InclusionPromise,
        CheckName::LogEntry,
    ] {
        let outcome = &report.check(name).unwrap().outcome;
        assert!(
            matches!(outcome, CheckOutcome::NotChecked { why } if why.contains("not looked at")),
            "{name}"
        );
    }
}

#[test]
fn a_foreign_key_is_refused_by_name() {
    let foreign = signer(KeyKind::EcdsaP256);
    let bundle = bytes(BUNDLE);
    for verifier in [
        logged(&foreign.public_key_pem(), production()),
        unlogged(&foreign.public_key_pem()),
    ] {
        match verifier
            .verify_blob(BlobRef::Bytes(&bytes(ARTIFACT)), &bundle)
            .unwrap_err()
        {
            Refusal::WrongKey { expected, found } => {
                assert_eq!(expected, foreign.fingerprint().to_string());
                assert!(found.starts_with("sha256:") && found != expected, "{found}");
            }
            other => panic!("{other}"),
        }
    }
    // A bundle that hides its hint is still not accepted.
    let mut hidden: Value = serde_json::from_slice(&bundle).unwrap();
    hidden["verificationMaterial"]["publicKey"]["hint"] = json!(STANDARD.encode(foreign.fingerprint().as_bytes()));
    let hidden = serde_json::to_vec(&hidden).unwrap();
    let refused = unlogged(&foreign.public_key_pem()).verify_blob(BlobRef::Bytes(&bytes(ARTIFACT)), &hidden);
    assert!(matches!(reason(refused), Reason::WrongKey | Reason::SignatureInvalid));
}

#[test]
fn the_log_is_required_unless_it_is_said_not_to_be() {
    let signer = signer(KeyKind::EcdsaP256);
    let verifier = logged(&signer.public_key_pem(), production());
    for bundle in [signer.sign(b"pack").unwrap(), signer.sign_legacy(b"pack").unwrap()] {
        let found = reason(verifier.verify_blob(BlobRef::Bytes(b"pack"), bundle.as_bytes()));
        assert_eq!(found, Reason::NoTransparencyLog);
    }
    let key = text("managed-key/key.pub");
    let verifier = logged(&key, production());
    let artifact = bytes(ARTIFACT);
    let cases: [(&str, Change); 4] = [
        ("no entries", |b| b["verificationMaterial"]["tlogEntries"] = json!([])),
        ("entries missing", |b| {
            drop(b["verificationMaterial"].as_object_mut().unwrap().remove("tlogEntries"));
        }),
        ("no proof", |b| {
            drop(
                b["verificationMaterial"]["tlogEntries"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("inclusionProof"),
            );
        }),
        ("forged promise", |b| {
            flip_base64(
                &mut b["verificationMaterial"]["tlogEntries"][0]["inclusionPromise"]["signedEntryTimestamp"],
                30,
            );
        }),
    ];
    for (name, change) in cases {
        let mut bundle: Value = serde_json::from_slice(&bytes(BUNDLE)).unwrap();
        change(&mut bundle);
        let bundle = serde_json::to_vec(&bundle).unwrap();
        assert_eq!(
            reason(verifier.verify_blob(BlobRef::Bytes(&artifact), &bundle)),
            Reason::NoTransparencyLog,
            "{name}"
        );
    }
    let foreign_root = logged(&key, staging()).verify_blob(BlobRef::Bytes(&artifact), &bytes(BUNDLE));
    assert_eq!(reason(foreign_root), Reason::UntrustedRoot);
}

#[test]
fn an_older_key_bundle_with_a_log_entry_is_accepted_on_the_promise() {
    let json: Value = serde_json::from_slice(&bytes(BUNDLE)).unwrap();
    let entry = &json["verificationMaterial"]["tlogEntries"][0];
    let log_id = STANDARD.decode(entry["logId"]["keyId"].as_str().unwrap()).unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let mut older = json!({
        "base64Signature": json["messageSignature"]["signature"],
        "cert": STANDARD.encode(text("managed-key/key.pub")),
        "rekorBundle": {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": number(&entry["integratedTime"]),
                "logIndex": number(&entry["logIndex"]),
                "logID": hex::encode(log_id),
            },
        },
    });
    let verifier = logged(&text("managed-key/key.pub"), production());
    let verify =
        |bundle: &Value| verifier.verify_blob(BlobRef::Bytes(&bytes(ARTIFACT)), &serde_json::to_vec(bundle).unwrap());
    let report = verify(&older).unwrap();
    assert!(report.passed(CheckName::InclusionPromise) && !report.passed(CheckName::LogInclusion));
    // The key inside a bundle is no evidence: another one there changes nothing but a refusal's wording.
    older["cert"] = json!(STANDARD.encode(signer(KeyKind::EcdsaP256).public_key_pem()));
    assert!(verify(&older).is_ok());
    flip_base64(&mut older["base64Signature"], 30);
    assert_eq!(reason(verify(&older)), Reason::WrongKey);
}

#[test]
fn keyless_and_key_bundles_are_not_confused() {
    let case = Case::cosign_blob();
    let key = signer(KeyKind::EcdsaP256).public_key_pem();
    for verifier in [logged(&key, production()), unlogged(&key)] {
        for bundle in [case.bundle.clone(), serde_json::to_vec(&case.as_older()).unwrap()] {
            assert_eq!(
                reason(verifier.verify_blob(BlobRef::Bytes(&case.artifact), &bundle)),
                Reason::BundleUnsupported
            );
        }
    }
}

#[test]
fn what_the_signer_writes_is_accepted_only_with_its_key() {
    for kind in KINDS {
        let signer = signer(kind);
        let other = Signer::generate(kind).unwrap();
        for bundle in [
            signer.sign(b"the pack").unwrap(),
            signer.sign_legacy(b"the pack").unwrap(),
        ] {
            let verifier = unlogged(&signer.public_key_pem());
            let report = verifier
                .verify_blob(BlobRef::Bytes(b"the pack"), bundle.as_bytes())
                .unwrap();
            let key = report.key.unwrap();
            assert_eq!((key.fingerprint, key.algorithm), (signer.fingerprint(), kind.as_str()));

            let refused = verifier
                .verify_blob(BlobRef::Bytes(b"the pacK"), bundle.as_bytes())
                .unwrap_err();
            assert!(
                refused.may_be_race(),
                "the bundle may belong to another pack: {refused}"
            );
            let foreign = unlogged(&other.public_key_pem());
            let refused = foreign.verify_blob(BlobRef::Bytes(b"the pack"), bundle.as_bytes());
            assert!(matches!(reason(refused), Reason::WrongKey | Reason::SignatureInvalid));
        }
    }
}

#[test]
fn by_digest_alone_ecdsa_can_be_checked_and_ed25519_says_why_not() {
    let digest = BlobRef::Sha256(Sha256Digest::of(b"pack"));
    let verify = |kind| {
        let signer = signer(kind);
        unlogged(&signer.public_key_pem()).verify_blob(digest, signer.sign(b"pack").unwrap().as_bytes())
    };
    assert!(verify(KeyKind::EcdsaP256).unwrap().passed(CheckName::Signature));
    let refused = verify(KeyKind::Ed25519).unwrap_err();
    assert_eq!(refused.reason(), Reason::BundleUnsupported);
    assert!(refused.to_string().contains("pass the file"), "{refused}");
}

#[test]
fn a_stated_digest_that_is_not_of_the_bytes_is_refused_even_under_a_good_signature() {
    let signer = signer(KeyKind::EcdsaP256);
    let mut bundle: Value = serde_json::from_str(&signer.sign(b"pack").unwrap()).unwrap();
    bundle["messageSignature"]["messageDigest"]["digest"] = json!(STANDARD.encode(Sha256Digest::of(b"x").as_bytes()));
    let verifier = unlogged(&signer.public_key_pem());
    let refused = verifier.verify_blob(BlobRef::Bytes(b"pack"), &serde_json::to_vec(&bundle).unwrap());
    assert_eq!(reason(refused), Reason::SignatureMismatch);
    // Nor does a digest of another kind open a way around.
    bundle["messageSignature"]["messageDigest"] =
        json!({ "algorithm": "SHA2_512", "digest": STANDARD.encode([0; 64]) });
    let refused = verifier.verify_blob(BlobRef::Bytes(b"pack"), &serde_json::to_vec(&bundle).unwrap());
    assert!(matches!(
        reason(refused),
        Reason::SignatureMismatch | Reason::BundleUnsupported
    ));
}

#[test]
fn the_empty_digest_that_cosign_3_writes_for_ed25519_is_no_digest() {
    let signer = signer(KeyKind::Ed25519);
    let mut bundle: Value = serde_json::from_str(&signer.sign(b"pack").unwrap()).unwrap();
    bundle["messageSignature"]["messageDigest"] = json!({});
    let bundle = serde_json::to_vec(&bundle).unwrap();
    let verifier = unlogged(&signer.public_key_pem());
    assert!(verifier.verify_blob(BlobRef::Bytes(b"pack"), &bundle).is_ok());
    let refused = verifier.verify_blob(BlobRef::Bytes(b"other"), &bundle).unwrap_err();
    assert_eq!(refused.reason(), Reason::SignatureInvalid);
    assert!(refused.may_be_race(), "nothing says which pack it is for");
}

#[test]
fn an_attestation_is_not_accepted_with_an_unlogged_key() {
    let statement = json!({ "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "" } },
        "dsseEnvelope": { "payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode("{}"),
            "signatures": [{ "sig": "AAAA" }] } });
    let verifier = unlogged(&signer(KeyKind::EcdsaP256).public_key_pem());
    let refused = verifier.verify_blob(BlobRef::Bytes(b"pack"), &serde_json::to_vec(&statement).unwrap());
    assert_eq!(reason(refused), Reason::BundleUnsupported);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mutation_of_artifact_or_signature_is_refused(
        pack in proptest::collection::vec(any::<u8>(), 1..200),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        ed25519 in any::<bool>(),
        older in any::<bool>(),
    ) {
        let signer = signer(if ed25519 { KeyKind::Ed25519 } else { KeyKind::EcdsaP256 });
        let verifier = unlogged(&signer.public_key_pem());
        let bundle = if older { signer.sign_legacy(&pack) } else { signer.sign(&pack) }.unwrap();
        prop_assert!(verifier.verify_blob(BlobRef::Bytes(&pack), bundle.as_bytes()).is_ok());

        let mut changed = pack.clone();
        changed[at.index(pack.len())] ^= 1 << bit;
        prop_assert!(verifier.verify_blob(BlobRef::Bytes(&changed), bundle.as_bytes()).is_err());

        let mut json: Value = serde_json::from_str(&bundle).unwrap();
        let place = if older { &mut json["base64Signature"] } else { &mut json["messageSignature"]["signature"] };
        let mut signature = STANDARD.decode(place.as_str().unwrap()).unwrap();
        let index = at.index(signature.len());
        signature[index] ^= 1 << bit;
        *place = json!(STANDARD.encode(signature));
        let changed = serde_json::to_vec(&json).unwrap();
        prop_assert!(verifier.verify_blob(BlobRef::Bytes(&pack), &changed).is_err());
    }
}
