//! The program, as a person starts it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use pack_verify::sign::{KeyKind, Signer};

use crate::support::client;

/// Ends the process also when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn it_serves_signed_packs_from_a_folder_until_it_is_terminated() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(
        &key,
        Signer::generate(KeyKind::EcdsaP256)
            .unwrap()
            .private_key_pem()
            .unwrap()
            .as_bytes(),
    )
    .unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_mc-sim"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--packs",
            concat!(env!("CARGO_MANIFEST_DIR"), "/packs"),
            "--sign-key",
        ])
        .arg(&key)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let url = lines.next().unwrap().unwrap();
    for pack in ["v0", "v1"] {
        for path in [pack.to_owned(), format!("{pack}/attestation")] {
            let response = client()
                .get(format!("{url}/v1/policy/packs/{path}"))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200, "{path}");
        }
    }
    let id = child.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn a_bad_key_is_told_and_ends_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_mc-sim"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--sign-key",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("Cargo.toml") && error.contains("private key"), "{error}");
}
