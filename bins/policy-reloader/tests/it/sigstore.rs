//! `verify-bundle` on real bundles, driven as the Sigstore client conformance suite drives it: by path and by digest.

use std::collections::BTreeSet;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pack_verify::Sha256Digest;
use serde_json::{Value, json};

use crate::sigstore_material::{Blob, COSIGN, ROWS, Root, Row, WORKFLOW, Who, bundles_on_disk, bytes, file};
use crate::support::{Desk, reloader};
use program::{Ended, run};

/// `verify-bundle` with everything but the artifact.
fn verify_bundle(row: &Row, who: Who, bundle: &str) -> Command {
    let mut command = reloader(["verify-bundle", "--bundle", bundle]);
    match who {
        Who::Identity(identity, issuer) => {
            command.args(["--certificate-identity", identity, "--certificate-oidc-issuer", issuer])
        }
        Who::Key(key) => command.args(["--key", &file(key)]),
    };
    match row.root {
        Root::Public => &mut command,
        Root::Staging => command.arg("--staging"),
        Root::File(root) => command.args(["--trusted-root", &file(root)]),
    };
    command
}

/// The path of what was signed, if it is there, and its digest.
fn artifact(desk: &Desk, blob: Blob) -> (Option<String>, String) {
    let of = |content: &[u8]| Sha256Digest::of(content).to_string();
    match blob {
        Blob::File(path) => (Some(file(path)), of(&bytes(path))),
        Blob::Empty => (Some(desk.put("empty", "")), of(b"")),
        Blob::Digest(hex) => (None, format!("sha256:{hex}")),
    }
}

fn judge(row: &Row, how: &str, ended: &Ended) {
    let name = format!("{} by {how} under {:?}", row.bundle, row.root);
    match row.refused {
        None => {
            assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
            assert!(
                ended.json()["checks"]
                    .as_array()
                    .is_some_and(|checks| !checks.is_empty()),
                "{name}"
            );
        }
        Some(why) => {
            assert_eq!(ended.code, Some(1), "{name}: {ended:?}");
            assert!(
                ended.stderr.starts_with("error: ") && ended.stderr.contains(why),
                "{name}: {ended:?}"
            );
            assert_eq!(ended.stdout, "", "{name}");
        }
    }
}

#[test]
fn every_bundle_of_the_package_is_judged_rightly_by_path_and_by_digest() {
    let desk = Desk::new();
    let mut judged = BTreeSet::new();
    let mut by_path = 0;
    for row in ROWS {
        let (path, digest) = artifact(&desk, row.blob);
        for (how, artifact) in path.iter().map(|path| ("path", path)).chain([("digest", &digest)]) {
            let ended = run(verify_bundle(row, row.who, &file(row.bundle)).arg(artifact));
            judge(row, how, &ended);
            by_path += usize::from(how == "path");
        }
        judged.insert(row.bundle.to_owned());
    }
    let on_disk = bundles_on_disk();
    assert!(on_disk.len() >= 20, "the package still brings its bundles: {on_disk:?}");
    assert_eq!(judged, on_disk, "each bundle of the package is in the table");
    assert!(
        by_path >= 10,
        "files of what was signed are still in the package, found {by_path}"
    );
}

#[test]
fn what_passes_does_not_pass_for_another_signer_or_other_bytes() {
    let desk = Desk::new();
    let stranger = desk.arg("signer.pub");
    for row in ROWS.iter().filter(|row| row.refused.is_none()) {
        let (path, digest) = artifact(&desk, row.blob);
        let bundle = file(row.bundle);
        let (other_who, other_issuer) = match row.who {
            Who::Identity(identity, issuer) => (
                Who::Identity("somebody-else@example.com", issuer),
                Who::Identity(identity, "https://issuer.example.com"),
            ),
            Who::Key(_) => {
                let mut command = reloader(["verify-bundle", "--bundle", &bundle, "--key", &stranger, &digest]);
                let ended = run(&mut command);
                assert_eq!(ended.code, Some(1), "{}: {ended:?}", row.bundle);
                continue;
            }
        };
        for who in [other_who, other_issuer] {
            let ended = run(verify_bundle(row, who, &bundle).arg(&digest));
            assert_eq!(ended.code, Some(1), "{} for {who:?}: {ended:?}", row.bundle);
        }
        let other_digest = format!("sha256:{}", "0".repeat(64));
        let mut others = vec![other_digest];
        if let Some(path) = path {
            let mut content = std::fs::read(path).unwrap();
            content.push(b'\n');
            others.push(desk.put("changed", content));
        }
        for other in &others {
            let ended = run(verify_bundle(row, row.who, &bundle).arg(other));
            assert_eq!(ended.code, Some(1), "{} for {other}: {ended:?}", row.bundle);
        }
    }
}

/// The same evidence in cosign 2's older format: the log entry carries the same signed timestamp.
fn as_older(bundle: &[u8]) -> Value {
    let json: Value = serde_json::from_slice(bundle).unwrap();
    let material = &json["verificationMaterial"];
    let chain = &material["x509CertificateChain"]["certificates"][0];
    let raw = material["certificate"]["rawBytes"]
        .as_str()
        .or(chain["rawBytes"].as_str())
        .unwrap();
    let lines: Vec<&str> = raw
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    );
    let entry = &material["tlogEntries"][0];
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    json!({
        "base64Signature": json["messageSignature"]["signature"],
        "cert": STANDARD.encode(pem),
        "rekorBundle": {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": number(&entry["integratedTime"]),
                "logIndex": number(&entry["logIndex"]),
                "logID": hex::encode(STANDARD.decode(entry["logId"]["keyId"].as_str().unwrap()).unwrap()),
            },
        },
    })
}

#[test]
fn a_public_keyless_signature_in_the_older_format_is_accepted() {
    let desk = Desk::new();
    for row in [COSIGN, WORKFLOW] {
        let (path, digest) = artifact(&desk, row.blob);
        let older = as_older(&bytes(row.bundle));
        let bundle = desk.put("older.json", older.to_string());
        for artifact in path.iter().chain([&digest]) {
            let ended = run(verify_bundle(&row, row.who, &bundle).arg(artifact));
            assert_eq!(ended.code, Some(0), "{}: {ended:?}", row.bundle);
            assert_eq!(ended.json()["bundle_format"], "cosign-v2");
        }
        let mut backdated = older.clone();
        backdated["rekorBundle"]["Payload"]["integratedTime"] = json!(1_600_000_000);
        let bundle = desk.put("backdated.json", backdated.to_string());
        let ended = run(verify_bundle(&row, row.who, &bundle).arg(&digest));
        assert_eq!(ended.code, Some(1), "{}: {ended:?}", row.bundle);
        assert!(ended.stderr.contains("transparency log"), "{ended:?}");
    }
}

#[test]
fn a_file_that_is_named_like_a_digest_is_a_file() {
    let desk = Desk::new();
    let Blob::File(signed) = COSIGN.blob else {
        unreachable!()
    };
    let name = format!("sha256:{}", "0".repeat(64));
    desk.put(&name, bytes(signed));
    let ended = run(verify_bundle(&COSIGN, COSIGN.who, &file(COSIGN.bundle))
        .arg(&name)
        .current_dir(desk.folder()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
