//! What cosign signs by key, without a log, is accepted under `--insecure-ignore-tlog`, and only then.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::bench::{Bench, both, succeeds};
use crate::{Format, Release};

/// Where the key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `cosign generate-key-pair`: ECDSA P-256.
    Generated,
    /// `pack keygen`, imported by cosign.
    Imported(&'static str),
}

pub(crate) const ORIGINS: [Origin; 3] = [
    Origin::Generated,
    Origin::Imported(crate::KINDS[0]),
    Origin::Imported(crate::KINDS[1]),
];

impl Origin {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Generated => "its_own_key".to_owned(),
            Self::Imported(kind) => format!("our_{kind}_key"),
        }
    }
}

pub(crate) fn check(cosign: &Path, release: Release, format: Format, origin: Origin) {
    let bench = Bench::new();
    match origin {
        Origin::Generated => {
            succeeds(&bench.cosign(cosign, ["generate-key-pair", "--output-key-prefix", "signer"]));
        }
        Origin::Imported(kind) => {
            succeeds(&bench.reloader(["pack", "keygen", "ours", "--kind", kind]));
            succeeds(&bench.cosign(
                cosign,
                ["import-key-pair", "--key", "ours.key", "--output-key-prefix", "signer"],
            ));
            let (ours, theirs) = (bench.path("ours.pub"), bench.path("signer.pub"));
            assert_eq!(
                std::fs::read(ours).unwrap().trim_ascii(),
                std::fs::read(theirs).unwrap().trim_ascii(),
                "cosign reads the same key out of the file"
            );
        }
    }
    let sign = [
        "sign-blob",
        "--yes",
        "--tlog-upload=false",
        "--key",
        "signer.key",
        "--bundle",
        "bundle.json",
    ];
    let more: &[&str] = match (release, format) {
        (Release::V2, _) => &[],
        (Release::V3, Format::Sigstore) => &["--use-signing-config=false"],
        (Release::V3, Format::Older) => &["--use-signing-config=false", "--new-bundle-format=false"],
    };
    succeeds(&bench.cosign(cosign, sign.iter().chain(more).chain(&["pack.tar"])));
    let bundle: Value = serde_json::from_slice(&std::fs::read(bench.path("bundle.json")).unwrap()).unwrap();
    assert_eq!(
        bundle.get("mediaType").is_some(),
        format == Format::Sigstore,
        "the format is the one that this test is about: {bundle}"
    );

    let accepted = verify(&bench, "pack.tar", "signer.pub", true);
    assert_eq!(accepted.status.code(), Some(0), "{}", both(&accepted));
    let report = report(&accepted);
    assert_eq!(report["verdict"], "accepted");
    assert_eq!(report["signature"]["mode"], "key");

    let logged = verify(&bench, "pack.tar", "signer.pub", false);
    assert_refused(&logged, &["no_transparency_log"]);

    // The older format does not say which bytes it signs, and for Ed25519 cosign states their SHA-512: there only the
    // signature can tell.
    let expected = match (format, origin) {
        (Format::Older, _) | (_, Origin::Imported("ed25519")) => "signature_invalid",
        (Format::Sigstore, _) => "signature_mismatch",
    };
    assert_refused(&verify(&bench, "flipped.tar", "signer.pub", true), &[expected]);

    succeeds(&bench.reloader(["pack", "keygen", "stranger"]));
    assert_refused(
        &verify(&bench, "pack.tar", "stranger.pub", true),
        &["wrong_key", "signature_invalid"],
    );
}

fn verify(bench: &Bench, pack: &str, key: &str, without_log: bool) -> Output {
    let base = [
        "verify",
        pack,
        "--bundle",
        "bundle.json",
        "--trust",
        "key",
        "--key",
        key,
    ];
    let more: &[&str] = if without_log { &["--insecure-ignore-tlog"] } else { &[] };
    bench.reloader(base.iter().chain(more))
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", both(output)))
}

fn assert_refused(output: &Output, reasons: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{}", both(output));
    let report = report(output);
    assert_eq!(report["verdict"], "refused");
    let reason = report["reason"].as_str().unwrap();
    assert!(reasons.contains(&reason), "expected one of {reasons:?}, found {report}");
}
