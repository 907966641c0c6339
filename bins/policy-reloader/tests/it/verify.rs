//! `verify` and `inspect` of good packs: what was checked, for a person and for a program.

use mc_sim::{PACK_ID, Sim, SimConfig, samples};
use pack_verify::Sha256Digest;

use crate::support::{Desk, reloader};
use crate::table::redact;
use program::run;

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap()
}

#[test]
fn a_signed_file_is_accepted_with_a_list_of_what_was_checked() {
    let desk = Desk::new();
    let pack = desk.put_pack("pack.tar", samples::v1(1));
    let digest = Sha256Digest::of(&std::fs::read(&pack).unwrap()).to_string();
    let bundle = format!("{pack}.sigstore.json");
    let verify = |output: &str| {
        let mut command = reloader(["verify", &pack, "--bundle", &bundle, "--output", output]);
        run(command.args(desk.trust()))
    };
    let human = verify("human");
    assert_eq!(human.code, Some(0), "{human:?}");
    assert!(human.stdout.contains(&digest));
    insta::assert_snapshot!("verify_file_human", redact(&human.stdout, desk.folder()));

    for output in ["json", "auto"] {
        let json = verify(output);
        assert_eq!(json.code, Some(0), "{json:?}");
        assert_eq!(json.json()["digest"], digest);
        insta::assert_snapshot!("verify_file_json", redact(&pretty(&json.json()), desk.folder()));
    }
}

#[test]
fn a_refused_file_is_refused_in_words_and_in_json() {
    let desk = Desk::new();
    let pack = desk.put_pack("pack.tar", samples::expired(1));
    let bundle = format!("{pack}.sigstore.json");
    let mut command = reloader(["verify", &pack, "--bundle", &bundle, "--output", "human"]);
    let human = run(command.args(desk.trust()));
    assert_eq!(human.code, Some(1), "{human:?}");
    insta::assert_snapshot!(redact(&human.stdout, desk.folder()));
}

#[test]
fn what_mc_serves_is_accepted_with_its_own_signature() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig {
        bearer: Some("canary-mc-4f1d".to_owned()),
        ..SimConfig::default()
    })
    .unwrap();
    let digest = sim.publish_signed(PACK_ID, samples::v0(3), &desk.signer).unwrap();
    let verify = |output: &str| {
        let mut command = reloader(["verify", &sim.pack_url(PACK_ID), "--output", output]);
        run(command.args(desk.trust()))
    };
    let human = verify("human");
    assert_eq!(human.code, Some(0), "{human:?}");
    assert!(
        !human.stdout.contains("canary") && !human.stderr.contains("canary"),
        "{human:?}"
    );
    insta::assert_snapshot!("verify_url_human", redact(&human.stdout, desk.folder()));
    let json = verify("json").json();
    assert_eq!(json["digest"], digest.to_string());
    assert_eq!(json["digest_announced"], true);
    assert_eq!(json["manifest"]["revision"], 3);
    assert_eq!(json["preflight"]["modules"][0]["rego_version"], 0);
}

#[test]
fn a_pack_without_signature_is_accepted_on_its_digest_only_when_that_is_said() {
    let desk = Desk::new();
    let pack = desk.put("pack.tar", mc_sim::build_unsigned(samples::v1(1)).unwrap().tar);
    let digest = Sha256Digest::of(&std::fs::read(&pack).unwrap()).to_string();
    let accepted = run(&mut reloader([
        "verify",
        &pack,
        "--trust",
        "insecure-digest-only",
        "--digest",
        &digest,
        "--output",
        "human",
    ]));
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    insta::assert_snapshot!(redact(&accepted.stdout, desk.folder()));
}

#[test]
fn packs_written_by_the_tar_program_are_accepted() {
    let desk = Desk::new();
    for (path, bytes) in samples::v1(7) {
        let path = desk.path("folder").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    for (name, options) in [
        ("plain.tar", vec!["--format=ustar", "-cf"]),
        ("gnu.tar", vec!["--format=gnu", "-cf"]),
        ("pax.tar", vec!["--format=posix", "-cf"]),
        ("packed.tar.gz", vec!["-czf"]),
    ] {
        let mut tar = std::process::Command::new("tar");
        let made = tar
            .args(&options)
            .arg(desk.path(name))
            .arg("-C")
            .arg(desk.path("folder"))
            .arg(".")
            .status();
        assert!(made.expect("tar runs").success(), "{name}");
        let signed = run(&mut reloader([
            "pack",
            "sign",
            &desk.arg(name),
            "--signing-key",
            &desk.arg("signer.key"),
        ]));
        assert_eq!(signed.code, Some(0), "{signed:?}");
        let bundle = desk.arg(&format!("{name}.sigstore.json"));
        let ended = run(reloader(["verify", &desk.arg(name), "--bundle", &bundle]).args(desk.trust()));
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert_eq!(ended.json()["manifest"]["revision"], 7, "{name}");
    }
}

#[test]
fn both_formats_and_both_kinds_of_keys_that_we_sign_with_are_accepted() {
    let desk = Desk::new();
    let pack = desk.put("pack.tar", mc_sim::build_unsigned(samples::v1(1)).unwrap().tar);
    for kind in ["ecdsa-p256", "ed25519"] {
        let prefix = desk.arg(kind);
        let made = run(&mut reloader(["pack", "keygen", &prefix, "--kind", kind]));
        assert_eq!(made.code, Some(0), "{made:?}");
        for format in ["sigstore", "cosign2"] {
            let out = desk.arg(&format!("{kind}-{format}.json"));
            let key = format!("{prefix}.key");
            let sign = [
                "pack",
                "sign",
                &pack,
                "--signing-key",
                &key,
                "--format",
                format,
                "-o",
                &out,
            ];
            let signed = run(&mut reloader(sign));
            assert_eq!(signed.code, Some(0), "{signed:?}");
            let key = format!("{prefix}.pub");
            let verify = [
                "verify",
                &pack,
                "--bundle",
                &out,
                "--trust",
                "key",
                "--insecure-ignore-tlog",
                "--key",
                &key,
            ];
            let ended = run(&mut reloader(verify));
            assert_eq!(ended.code, Some(0), "{kind} {format}: {ended:?}");
            assert_eq!(ended.json()["verdict"], "accepted");
        }
    }
}

#[test]
fn inspect_lists_what_is_in_a_pack() {
    let desk = Desk::new();
    let pack = desk.put_pack("pack.tar", samples::v1(1));
    let human = run(&mut reloader(["inspect", &pack, "--output", "human"]));
    assert_eq!(human.code, Some(0), "{human:?}");
    insta::assert_snapshot!("inspect_human", redact(&human.stdout, desk.folder()));
    let json = run(&mut reloader(["inspect", &pack]));
    assert_eq!(json.json()["manifest"]["revision"], 1);
    assert_eq!(json.json()["policies"][0]["package"], "cos.abac");
    let expired = desk.put_pack("expired.tar", samples::expired(1));
    let expired = run(&mut reloader(["inspect", &expired]));
    assert_eq!(
        expired.code,
        Some(0),
        "what is expired can still be looked at: {expired:?}"
    );
}

#[test]
fn a_good_pack_leaves_stderr_empty_whatever_its_syntax() {
    let desk = Desk::new();
    for (name, files, version) in [
        ("v0.tar", samples::v0(1), 0),
        ("v1.tar", samples::v1(1), 1),
        ("guessed.tar", samples::without_manifest(1), 1),
    ] {
        let pack = desk.put_pack(name, files);
        let bundle = format!("{pack}.sigstore.json");
        let ended = run(reloader(["verify", &pack, "--bundle", &bundle]).args(desk.trust()));
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert_eq!(ended.stderr, "", "{name}");
        assert_eq!(
            ended.json()["preflight"]["modules"][0]["rego_version"],
            version,
            "{name}"
        );
    }
}
