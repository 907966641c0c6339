//! Any bytes as a signature bundle: no panic, and never a signature that holds, in any trust mode.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pack_verify::sign::{KeyKind, Signer};
use pack_verify::{BlobRef, IdentityRule, IssuerRule, KeyLog, PackBytes, Verifier};
use sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT as ROOT;

/// Nobody has ever signed these bytes.
const PACK: &[u8] = b"the pack of the fuzz target";

static VERIFIERS: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let rules = (
        IdentityRule::Exact("nobody@example.com".into()),
        IssuerRule::Exact("https://example.com".into()),
    );
    let mut verifiers = vec![Verifier::keyless(ROOT, rules.0, rules.1).expect("the public root is sound")];
    for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
        let key = Signer::generate(kind).expect("a new key").public_key_pem();
        verifiers.push(Verifier::key(&key, KeyLog::NotRequired).expect("a sound key"));
        let log = KeyLog::Required {
            trusted_root_json: ROOT.to_owned(),
        };
        verifiers.push(Verifier::key(&key, log).expect("a sound key"));
    }
    verifiers
});

fuzz_target!(|bundle: &[u8]| {
    for verifier in VERIFIERS.iter() {
        let pack = PackBytes::new(Bytes::from_static(PACK));
        let digest = pack.digest();
        assert!(verifier.verify(pack, Some(bundle)).is_err());
        assert!(verifier.verify_blob(BlobRef::Bytes(PACK), bundle).is_err());
        assert!(verifier.verify_blob(BlobRef::Sha256(digest), bundle).is_err());
    }
});
