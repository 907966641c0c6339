//! Trust material and rules that cannot be used: each a clear error before any pack is fetched.

use base64::Engine as _;
use pack_verify::sign::{KeyKind, SignError, Signer};
use pack_verify::{IdentityRule, IssuerRule, KeyLog, TrustConfigError, Verifier};
use serde_json::{Value, json};

use crate::trust_material::{public_good, text};

fn key_error(pem: &str) -> String {
    Verifier::key(pem, KeyLog::NotRequired)
        .expect_err("the key must not be accepted")
        .to_string()
}

#[test]
fn keys_of_other_kinds_are_named() {
    let p384 = "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEAjKpn3ZZ8h0VBsqGcuvDZvR7CsRUQa3d\n-----END PUBLIC KEY-----\n";
    let private = Signer::generate(KeyKind::EcdsaP256).unwrap().private_key_pem().unwrap();
    let two = text("managed-key/key.pub").repeat(2);
    for (pem, expected) in [
        ("", "found an empty text"),
        ("hello", "found text without a PEM block"),
        (p384, "found"),
        (private.as_str(), "that is the secret half"),
        (
            "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n",
            "found RSA",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "found a block CERTIFICATE",
        ),
        (&two, "found 2 blocks: only one key can be trusted at a time"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "found"),
    ] {
        let message = key_error(pem);
        assert!(message.contains(expected), "{pem:?} gave {message:?}");
        assert!(
            message.contains("ECDSA P-256"),
            "the message says what is expected: {message:?}"
        );
    }
}

#[test]
fn the_kinds_that_sigstore_knows_but_we_do_not_take_are_named() {
    // SubjectPublicKeyInfo: algorithm, then an uncompressed point of the right length (it is never used as one).
    let p384 = [
        &[
            0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
        ][..],
        &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04][..],
        &[7; 96],
    ]
    .concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(p384)
    );
    let error = Verifier::key(&pem, KeyLog::NotRequired).unwrap_err();
    assert!(
        matches!(&error, TrustConfigError::KeyKind { found } if found == "ECDSA P-384"),
        "{error}"
    );
}

#[test]
fn a_root_that_cannot_serve_the_mode_is_refused_when_it_is_read() {
    let keyless = |root: &str| {
        Verifier::keyless(root, IdentityRule::Exact("a".into()), IssuerRule::Exact("b".into()))
            .expect_err("no verifier")
    };
    for garbage in ["", "{}", "null", "[1]"] {
        assert!(
            matches!(keyless(garbage), TrustConfigError::TrustedRoot { .. }),
            "{garbage:?}"
        );
    }
    for (field, what) in [
        ("tlogs", "transparency log"),
        ("certificateAuthorities", "certificate authority"),
        ("ctlogs", "certificate transparency log"),
    ] {
        let mut root: Value = serde_json::from_str(&public_good()).unwrap();
        root[field] = json!([]);
        match keyless(&root.to_string()) {
            TrustConfigError::TrustedRootIncomplete { what: found, .. } => assert_eq!(found, what),
            other => panic!("{field}: {other}"),
        }
    }
    let mut root: Value = serde_json::from_str(&public_good()).unwrap();
    root["tlogs"] = json!([]);
    let log = KeyLog::Required {
        trusted_root_json: root.to_string(),
    };
    let error = Verifier::key(&text("managed-key/key.pub"), log).unwrap_err();
    assert!(
        matches!(error, TrustConfigError::TrustedRootIncomplete { .. }),
        "{error}"
    );
}

#[test]
fn rules_that_say_nothing_or_are_no_pattern_are_refused() {
    let root = public_good();
    let build = |identity: IdentityRule, issuer: IssuerRule| Verifier::keyless(&root, identity, issuer);
    for empty in ["", "  "] {
        let error = build(IdentityRule::Exact(empty.into()), IssuerRule::Exact("b".into())).unwrap_err();
        assert!(error.to_string().contains("certificate identity is empty"), "{error}");
        let error = build(IdentityRule::Exact("a".into()), IssuerRule::Exact(empty.into())).unwrap_err();
        assert!(
            error.to_string().contains("certificate OIDC issuer is empty"),
            "{error}"
        );
    }
    let error = build(IdentityRule::pattern("").unwrap(), IssuerRule::Exact("b".into())).unwrap_err();
    assert!(matches!(error, TrustConfigError::EmptyRule { .. }), "{error}");
    // The last ones are the ways out of a group that wraps the pattern.
    for pattern in ["(", "[", "a)|(b", "a)|.*|(b", "(?x)a #"] {
        match IdentityRule::pattern(pattern) {
            Err(TrustConfigError::Pattern { pattern: named, .. }) => assert_eq!(named, pattern),
            Err(other) => panic!("{pattern}: {other}"),
            Ok(rule) => assert!(
                !rule.matches("xax") && !rule.matches("xbx"),
                "{pattern} is not anchored"
            ),
        }
    }
    // Alternatives are anchored as a whole, and a line feed ends nothing.
    let rule = IdentityRule::pattern("a|b").unwrap();
    assert!(rule.matches("a") && rule.matches("b"));
    for text in ["ax", "xb", "a\n", "\nb", "a\nb"] {
        assert!(!rule.matches(text), "{text:?}");
    }
    let multi_line = IdentityRule::pattern("(?m)^a$").unwrap();
    assert!(multi_line.matches("a") && !multi_line.matches("a\nevil"));
}

#[test]
fn private_keys_survive_a_round_trip_and_others_say_what_to_do() {
    for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
        let signer = Signer::generate(kind).unwrap();
        let again = Signer::from_pem(&signer.private_key_pem().unwrap()).unwrap();
        assert_eq!((again.kind(), again.fingerprint()), (kind, signer.fingerprint()));
        assert!(!signer.private_key_pem().unwrap().contains('\r'));
        assert!(!format!("{signer:?}").contains("PRIVATE"));
    }
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (text, expected) in [
        (String::new(), "an empty text"),
        ("hello".to_owned(), "without a PEM block"),
        (block("EC PRIVATE KEY"), "openssl pkcs8 -topk8 -nocrypt"),
        (
            format!("{}{}", block("EC PARAMETERS"), block("EC PRIVATE KEY")),
            "openssl pkcs8 -topk8 -nocrypt",
        ),
        (block("ENCRYPTED PRIVATE KEY"), "openssl pkey"),
        (block("ENCRYPTED SIGSTORE PRIVATE KEY"), "sign with cosign itself"),
        (block("ENCRYPTED COSIGN PRIVATE KEY"), "sign with cosign itself"),
        (block("PUBLIC KEY"), "pass the private key"),
        (block("CERTIFICATE"), "a block CERTIFICATE"),
        (block("PRIVATE KEY").repeat(2), "2 blocks"),
    ] {
        let error = Signer::from_pem(&text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text:?} gave {error}");
    }
    assert!(matches!(
        Signer::from_pem(&block("PRIVATE KEY")).unwrap_err(),
        SignError::KeyKind
    ));
}
