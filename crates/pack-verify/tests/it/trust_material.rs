//! Real Sigstore material for the tests, from the package `sigstore-verify` itself: nothing is copied into this
//! repository, and what the library's authors consider valid is what we are held to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pack_verify::{IdentityRule, IssuerRule, Reason, Refusal, Sha256Digest, Verifier};
use serde_json::Value;

/// The folder `test_data` of the package, as cargo found it.
fn test_data() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--offline",
                "--locked",
                "--manifest-path",
            ])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
        let package = metadata["packages"]
            .as_array()
            .and_then(|all| all.iter().find(|package| package["name"] == "sigstore-verify"))
            .expect("sigstore-verify is a dependency");
        let manifest = package["manifest_path"]
            .as_str()
            .expect("a package has a manifest path");
        Path::new(manifest)
            .parent()
            .expect("a manifest lies in a folder")
            .join("test_data")
    })
}

pub(crate) fn bytes(path: &str) -> Vec<u8> {
    let full = test_data().join(path);
    std::fs::read(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}

pub(crate) fn text(path: &str) -> String {
    String::from_utf8(bytes(path)).expect("the material is text")
}

pub(crate) fn public_good() -> String {
    text("trusted_roots/public-good.json")
}

/// The public instance's root of today, which also has its timestamp authority (the file above is older).
pub(crate) fn production() -> String {
    sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT.to_owned()
}

pub(crate) fn staging() -> String {
    sigstore_trust_root::SIGSTORE_STAGING_TRUSTED_ROOT.to_owned()
}

/// One public bundle with what it was made for and by whom.
pub(crate) struct Case {
    pub(crate) bundle: Vec<u8>,
    pub(crate) artifact: Vec<u8>,
    pub(crate) root: String,
    pub(crate) identity: &'static str,
    pub(crate) issuer: &'static str,
}

impl Case {
    /// cosign 3's keyless blob: v0.3, Rekor v1 entry with promise and proof, RFC 3161 timestamp, an e-mail identity.
    pub(crate) fn cosign_blob() -> Self {
        Self {
            bundle: bytes("bundles/cosign-v3-blob.sigstore.json"),
            artifact: bytes("bundles/cosign-v3-blob.txt"),
            root: production(),
            identity: "w.vollprecht@gmail.com",
            issuer: "https://github.com/login/oauth",
        }
    }

    /// v0.1 with promise and proof, a workflow identity.
    pub(crate) fn v01() -> Self {
        Self {
            bundle: bytes("invalid-ct-key_fail/bundle.sigstore.json"),
            artifact: bytes("managed-key/artifact.txt"),
            root: public_good(),
            identity: BEACON,
            issuer: ACTIONS,
        }
    }

    /// v0.3 with a Rekor v2 entry (staging).
    pub(crate) fn rekor_v2() -> Self {
        Self {
            bundle: bytes("upstream/sigstore-python/staging-rekor-v2.txt.sigstore.json"),
            artifact: bytes("upstream/sigstore-python/staging-rekor-v2.txt"),
            root: staging(),
            identity: "jku@goto.fi",
            issuer: "https://github.com/login/oauth",
        }
    }

    pub(crate) fn exact(&self) -> Verifier {
        keyless(&self.root, self.identity, self.issuer)
    }

    /// The bundle with one change to its JSON.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut json: Value = serde_json::from_slice(&self.bundle).expect("the bundle is JSON");
        change(&mut json);
        serde_json::to_vec(&json).expect("JSON can be written")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bundle).expect("the bundle is JSON")
    }

    /// The same evidence in cosign 2's older format: its log entry carries the same signed timestamp.
    pub(crate) fn as_older(&self) -> Value {
        let json = self.json();
        let material = &json["verificationMaterial"];
        let certificate = match material["certificate"]["rawBytes"].as_str() {
            Some(raw) => raw,
            None => material["x509CertificateChain"]["certificates"][0]["rawBytes"]
                .as_str()
                .expect("a certificate"),
        };
        let lines: Vec<&str> = certificate
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        );
        let entry = &material["tlogEntries"][0];
        let number = |value: &Value| {
            value
                .as_str()
                .and_then(|text| text.parse::<i64>().ok())
                .expect("a number as text")
        };
        let log_id = STANDARD
            .decode(entry["logId"]["keyId"].as_str().expect("a log id"))
            .expect("base64");
        serde_json::json!({
            "base64Signature": json["messageSignature"]["signature"],
            "cert": STANDARD.encode(pem),
            "rekorBundle": {
                "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
                "Payload": {
                    "body": entry["canonicalizedBody"],
                    "integratedTime": number(&entry["integratedTime"]),
                    "logIndex": number(&entry["logIndex"]),
                    "logID": hex::encode(log_id),
                },
            },
        })
    }
}

pub(crate) const ACTIONS: &str = "https://token.actions.githubusercontent.com";
pub(crate) const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";

pub(crate) fn keyless(root: &str, identity: &str, issuer: &str) -> Verifier {
    Verifier::keyless(
        root,
        IdentityRule::Exact(identity.into()),
        IssuerRule::Exact(issuer.into()),
    )
    .expect("the trusted root is usable")
}

pub(crate) fn digest(hex: &str) -> Sha256Digest {
    hex.parse().expect("a digest")
}

/// The reason of a refusal; accepting is the failure.
pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Reason {
    match result {
        Ok(accepted) => panic!("expected a refusal, but it was accepted: {accepted:?}"),
        Err(refusal) => refusal.reason(),
    }
}

/// Flips one bit of a base64 text's decoded bytes and encodes it again.
pub(crate) fn flip_base64(value: &mut Value, byte: usize) {
    let mut raw = STANDARD.decode(value.as_str().expect("base64 text")).expect("base64");
    let at = byte % raw.len();
    raw[at] ^= 1;
    *value = Value::String(STANDARD.encode(raw));
}
