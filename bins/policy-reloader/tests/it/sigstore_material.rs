//! Real Sigstore bundles from the package `sigstore-verify`, found through cargo: nothing is copied into this repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

pub(crate) const ACTIONS: &str = "https://token.actions.githubusercontent.com";
const GITHUB: &str = "https://github.com/login/oauth";
const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ARTIFACT: &str = "managed-key/artifact.txt";
const CONDA: &str = "bundles/signed-package-2.1.0-hb0f4dca_0.conda";

/// Against which roots a bundle is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Root {
    /// The public instance's: no option.
    Public,
    /// `--staging`.
    Staging,
    /// `--trusted-root` with a file of the package.
    File(&'static str),
}

/// Who must have signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    Identity(&'static str, &'static str),
    Key(&'static str),
}

/// What was signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blob {
    /// A file of the package.
    File(&'static str),
    /// The empty file.
    Empty,
    /// Only its digest is known.
    Digest(&'static str),
}

/// One bundle, as the conformance protocol asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) bundle: &'static str,
    pub(crate) blob: Blob,
    pub(crate) who: Who,
    pub(crate) root: Root,
    /// What the refusal says; `None` when it must pass.
    pub(crate) refused: Option<&'static str>,
}

const fn good(bundle: &'static str, blob: Blob, who: Who, root: Root) -> Row {
    Row {
        bundle,
        blob,
        who,
        root,
        refused: None,
    }
}

const fn bad(bundle: &'static str, blob: Blob, who: Who, root: Root, refused: &'static str) -> Row {
    Row {
        bundle,
        blob,
        who,
        root,
        refused: Some(refused),
    }
}

pub(crate) const WORKFLOW: Row = good(
    "bundles/bundle_v3_github.whl.sigstore",
    Blob::Digest("c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201"),
    Who::Identity(
        "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2",
        ACTIONS,
    ),
    Root::Public,
);

pub(crate) const COSIGN: Row = good(
    "bundles/cosign-v3-blob.sigstore.json",
    Blob::File("bundles/cosign-v3-blob.txt"),
    Who::Identity("w.vollprecht@gmail.com", GITHUB),
    Root::Public,
);

/// Every bundle of the package, some under two roots.
pub(crate) const ROWS: &[Row] = &[
    WORKFLOW,
    COSIGN,
    good(
        "bundles/conda-attestation-rekor2.sigstore.json",
        Blob::File(CONDA),
        Who::Identity("jku@goto.fi", GITHUB),
        Root::Staging,
    ),
    good(
        "bundles/conda-attestation.sigstore.json",
        Blob::File(CONDA),
        Who::Identity(
            "https://github.com/prefix-dev/sigstore-example/.github/workflows/action.yaml@refs/heads/main",
            ACTIONS,
        ),
        Root::File("trusted_roots/public-good.json"),
    ),
    good(
        "managed-key/bundle.sigstore.json",
        Blob::File(ARTIFACT),
        Who::Key("managed-key/key.pub"),
        Root::Public,
    ),
    good(
        "sct-multi-intermediate/staging_bundle.sigstore.json",
        Blob::Empty,
        Who::Identity(
            "https://github.com/sigstore/root-signing-staging/.github/workflows/custom-test.yml@refs/heads/main",
            ACTIONS,
        ),
        Root::File("sct-multi-intermediate/staging_trusted_root.json"),
    ),
    good(
        "timestamps/valid_bundle.json",
        Blob::File(ARTIFACT),
        Who::Identity(BEACON, ACTIONS),
        Root::File("timestamps/valid_trusted_root.json"),
    ),
    good(
        "upstream/sigstore-python/a.dsse.staging-rekor-v2.txt.sigstore.json",
        Blob::File(ARTIFACT),
        Who::Identity(BEACON, ACTIONS),
        Root::Staging,
    ),
    good(
        "upstream/sigstore-python/staging-rekor-v2.txt.sigstore.json",
        Blob::File("upstream/sigstore-python/staging-rekor-v2.txt"),
        Who::Identity("jku@goto.fi", GITHUB),
        Root::Staging,
    ),
    good(
        "invalid-ct-key_fail/bundle.sigstore.json",
        Blob::File(ARTIFACT),
        Who::Identity(BEACON, ACTIONS),
        Root::Public,
    ),
    bad(
        "invalid-ct-key_fail/bundle.sigstore.json",
        Blob::File(ARTIFACT),
        Who::Identity(BEACON, ACTIONS),
        Root::File("invalid-ct-key_fail/trusted_root.json"),
        "signed certificate timestamp",
    ),
    bad(
        "bundles/bundle_cve_2022_36056.txt.sigstore",
        Blob::Digest("c87b5b213ab08b32970c106d0c7e4423e67f5449c2fd2d1e9b4ea6cc43b6ee7c"),
        Who::Identity("william@yossarian.net", GITHUB),
        Root::Staging,
        "log entry does not match the bundle",
    ),
    bad(
        "bundles/bundle_invalid_version.txt.sigstore",
        Blob::Digest("7a1f2b23ec9add163c6d0bbb454af45e1483b9bec7b72aea1b4fdf0e2f5644f0"),
        Who::Identity("william@yossarian.net", GITHUB),
        Root::Public,
        "of a kind that is not accepted",
    ),
    bad(
        "bundles/bundle_no_cert_v1.txt.sigstore",
        Blob::Digest("1bc37d4fed3fd960bdf9d095f87283ba8ad1ab4481f38a34e8004f0c56ffe78d"),
        Who::Identity("william@yossarian.net", GITHUB),
        Root::Public,
        "carries no certificate",
    ),
    bad(
        "bundles/bundle_no_checkpoint.txt.sigstore",
        Blob::Digest("802dd60ff88333802f2585e73043bd21c341285e1992fe5b31755e1cadeae30e"),
        Who::Identity("william@yossarian.net", GITHUB),
        Root::Public,
        "no checkpoint",
    ),
    bad(
        "bundles/bundle_no_log_entry.txt.sigstore",
        Blob::Digest("9b469fc9761e8b933073b62725fbc98b549c3314199ded71cc8b286ef2c6fb9b"),
        Who::Identity("alex.cameron@trailofbits.com", "https://accounts.google.com"),
        Root::Public,
        "no log entry",
    ),
    bad(
        "bundles/bundle_v3_no_signed_time.txt.sigstore.json",
        Blob::Digest("ca6de99a11d3d38056d838c7dc9a23a11a0c81bcace0d11eaa301a2ffb482c42"),
        Who::Identity("william@yossarian.net", GITHUB),
        Root::Public,
        "no verified timestamp",
    ),
    bad(
        "bundles/dsse-2sigs.sigstore.json",
        Blob::Empty,
        Who::Identity("brian@dehamer.com", GITHUB),
        Root::Public,
        "exactly one signature",
    ),
    // The two below name what they are about by SHA-512 alone.
    bad(
        "bundles/dsse.sigstore.json",
        Blob::Empty,
        Who::Identity("brian@dehamer.com", GITHUB),
        Root::Public,
        "for other bytes",
    ),
    bad(
        "bundles/sigstore.js@2.0.0-provenance.sigstore.json",
        Blob::Empty,
        Who::Identity(
            "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
            ACTIONS,
        ),
        Root::Public,
        "for other bytes",
    ),
    bad(
        "bundles/github-private-attestation.sigstore.json",
        Blob::Digest("76f1fe8593bf227cca2c089e3c16dc95ed0cc2a4f7a4d7e1a9ac2ea7dca64e1f"),
        Who::Identity("https://dotcom.releases.github.com", ACTIONS),
        Root::Public,
        "no log entry",
    ),
    bad(
        "timestamps/github_sha384_bundle.json",
        Blob::Empty,
        Who::Identity("https://dotcom.releases.github.com", ACTIONS),
        Root::Public,
        "no log entry",
    ),
    // Its identity stands in a field of the certificate that sigstore-verify does not read: refused, not guessed.
    bad(
        "bundles/othername.sigstore.json",
        Blob::Digest("bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b"),
        Who::Identity("foo!oidc.local", "http://oidc.local:8080"),
        Root::File("trusted_roots/scaffolding.json"),
        "another identity",
    ),
];

/// The folder `test_data` of the package, as cargo found it.
pub(crate) fn folder() -> &'static Path {
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
        let packages = metadata["packages"].as_array().expect("packages");
        let package = packages.iter().find(|package| package["name"] == "sigstore-verify");
        let manifest = package.and_then(|package| package["manifest_path"].as_str());
        Path::new(manifest.expect("sigstore-verify is a dependency")).with_file_name("test_data")
    })
}

/// A file of the package, as an argument.
pub(crate) fn file(path: &str) -> String {
    folder().join(path).to_str().expect("a plain path").to_owned()
}

pub(crate) fn bytes(path: &str) -> Vec<u8> {
    std::fs::read(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file of the package that is a bundle.
pub(crate) fn bundles_on_disk() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder().to_owned()];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(json) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap())
                && json.get("verificationMaterial").is_some()
            {
                found.insert(path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}
