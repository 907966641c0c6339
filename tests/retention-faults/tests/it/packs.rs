//! A signed policy pack as the policy, and packs that somebody changed.

use libtest_mimic::Trial;
use mc_sim::samples;
use pack_verify::sign::{KeyKind, Signer};
use retention_faults::World;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![plain("packs::signed_ones_work_and_changed_ones_do_not", packs)]
}

const POLICY: &str = r#"{"revision": 3, "grace_seconds": 0, "rules": [
  {"name": "old-events", "table": "public.events", "action": "delete", "age": {"column": "at", "days": 90}}]}"#;

fn packs() {
    let world = World::new();
    world.sql(
        "CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL); \
         INSERT INTO events SELECT n, '2001-01-01' FROM generate_series(1, 50) AS n; \
         INSERT INTO events SELECT n, now() FROM generate_series(101, 150) AS n; ANALYZE",
    );
    let before = world.fingerprint("events");
    let signer = Signer::generate(KeyKind::EcdsaP256).unwrap();
    let mut files = samples::v1(3);
    files.insert("data/retention.json".to_owned(), POLICY.as_bytes().to_vec());
    let pack = mc_sim::build_signed(files, &signer).unwrap();
    let bundle = pack.attestation.expect("it was signed");
    world.file("signer.pub", signer.public_key_pem());
    world.file(
        "other.pub",
        Signer::generate(KeyKind::EcdsaP256).unwrap().public_key_pem(),
    );
    world.file("pack.sigstore.json", &bundle);
    world.file("pack.tar", &pack.tar);
    let night = |pack: &str, bundle: &str, key: &str| {
        let mut command = world.job(["run", "--trust", "key", "--insecure-ignore-tlog"]);
        command
            .arg("--key")
            .arg(world.path(key))
            .env("RETENTION_POLICY", world.path(pack))
            .env("RETENTION_POLICY_BUNDLE", world.path(bundle))
            .env("RETENTION_SIGNING_KEY_FILE", world.signing_key());
        command
    };
    // One byte in the middle of a file, and one of the signature.
    let text = String::from_utf8_lossy(&pack.tar).into_owned();
    let at = text.find("\"days\": 90").expect("the policy is in the tar as it is") + 8;
    let mut tampered = pack.tar.to_vec();
    assert_eq!(&tampered[at..at + 2], b"90");
    tampered[at] = b'1';
    world.file("tampered.tar", &tampered);
    let mut signature: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    turn_signature(&mut signature);
    world.file("tampered.sigstore.json", signature.to_string());
    world.file("cut.tar", &pack.tar[..pack.tar.len() / 2]);
    for (what, command) in [
        (
            "a changed byte",
            night("tampered.tar", "pack.sigstore.json", "signer.pub"),
        ),
        (
            "a changed signature",
            night("pack.tar", "tampered.sigstore.json", "signer.pub"),
        ),
        (
            "somebody else's key",
            night("pack.tar", "pack.sigstore.json", "other.pub"),
        ),
        ("half of it", night("cut.tar", "pack.sigstore.json", "signer.pub")),
    ] {
        let mut command = command;
        let ended = program::run(&mut command);
        assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
        assert!(ended.stderr.contains("is refused"), "{what}: {ended:?}");
        assert_eq!(world.fingerprint("events"), before, "{what}");
    }
    let ended = world.ends(&mut night("pack.tar", "pack.sigstore.json", "signer.pub"), 0);
    assert_eq!(ended.json()["rules"][0]["rows"], 50, "{ended:?}");
    assert_eq!(world.number("SELECT count(*) FROM events"), 50);
    let receipts = world.verified("receipts");
    let policy = &receipts[0]["policy"];
    let digest = pack_verify::Sha256Digest::of(&pack.tar).to_string();
    assert!(policy["source"].as_str().unwrap().contains(digest.as_str()), "{policy}");
    assert_eq!(policy["revision"], 3);
    assert_eq!(
        world
            .value("SELECT DISTINCT policy_digest FROM retention.audit")
            .as_deref(),
        policy["digest"].as_str()
    );
}

/// The first letter of the signature becomes another one.
fn turn_signature(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                match value {
                    serde_json::Value::String(text) if name == "signature" || name == "sig" => {
                        // Inside of the numbers that it consists of.
                        let at = 20;
                        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
                        text.replace_range(at..=at, other);
                    }
                    other => turn_signature(other),
                }
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(turn_signature),
        _ => {}
    }
}
