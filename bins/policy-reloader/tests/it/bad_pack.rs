//! Files that are no acceptable pack: what `verify` and `inspect` make of them.

use std::process::Command;

use mc_sim::samples;
use pack_verify::sign::{KeyKind, Signer};

use crate::support::{Desk, reloader};
use crate::table::Table;

const REFUSED: i32 = 1;
const USAGE: i32 = 2;

/// `verify` of a file with its signature.
fn verify(desk: &Desk, name: &str) -> Command {
    let mut command = reloader([
        "verify",
        &desk.arg(name),
        "--bundle",
        &desk.arg(&format!("{name}.sigstore.json")),
    ]);
    command.args(desk.trust());
    command
}

/// Signs any bytes, so that what is refused is what is in them.
fn put_signed(desk: &Desk, name: &str, bytes: &[u8]) {
    desk.put(name, bytes);
    desk.put(&format!("{name}.sigstore.json"), desk.signer.sign(bytes).unwrap());
}

fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    pack_verify::build::build_tar(files).unwrap()
}

#[test]
fn files_that_are_no_packs() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    desk.put_pack("pack.tar", samples::v1(1));
    let good = std::fs::read(desk.path("pack.tar")).unwrap();
    let trust = desk.trust();
    table.case(
        "the file is missing",
        USAGE,
        reloader(["verify", &desk.arg("missing.tar")]).args(&trust),
    );
    table.case(
        "the file is a folder",
        USAGE,
        reloader(["verify", &desk.arg("")]).args(&trust),
    );
    for (name, bytes) in [
        ("empty file", Vec::new()),
        (
            "web page",
            b"<!DOCTYPE html>\n<html><body>Sign in</body></html>".to_vec(),
        ),
        ("JSON error", br#"{"error":"pack not built yet"}"#.to_vec()),
        ("empty tar", vec![0; 1024]),
        ("zip", b"PK\x03\x04\x14\x00\x00\x00".to_vec()),
        (
            "gzip that breaks off",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01".to_vec(),
        ),
        ("tar that breaks off", good[..good.len() / 3].to_vec()),
        (
            "tar without policy",
            tar_of(&[("data/retention.json", "{}"), ("README.md", "# empty")]),
        ),
        (
            "policy that does not compile",
            tar_of(&[("opa/a.rego", "package cos.a\n\nallow if {\n")]),
        ),
        ("policy of no package", tar_of(&[("opa/a.rego", "allow := true\n")])),
        (
            "policy under a reserved root",
            tar_of(&[("opa/a.rego", "package system.authz\n\nallow := true\n")]),
        ),
        (
            "data that is no JSON",
            tar_of(&[
                ("opa/a.rego", "package cos.a\n"),
                ("data/retention.json", "{\"days\": }"),
            ]),
        ),
        (
            "data where a rule stands",
            tar_of(&[
                ("opa/a.rego", "package cos.a\n\nlimit := 1\n"),
                ("data/a.json", "{\"limit\": 2}"),
            ]),
        ),
        (
            "manifest that is no JSON",
            tar_of(&[("opa/a.rego", "package cos.a\n"), ("pack.json", "id: x")]),
        ),
    ] {
        put_signed(&desk, name, &bytes);
        table.case(name, REFUSED, &mut verify(&desk, name));
    }
    insta::assert_snapshot!(table.text());
}

#[test]
fn packs_that_break_a_rule() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    desk.put_pack("pack.tar", samples::v1(1));
    desk.put_pack("bare.tar", samples::without_manifest(1));
    desk.put_pack("expired.tar", samples::expired(1));
    let other_digest = format!("sha256:{}", "0".repeat(64));
    table.case(
        "another id is expected",
        REFUSED,
        verify(&desk, "pack.tar").args(["--pack-id", "another"]),
    );
    table.case(
        "a manifest is required",
        REFUSED,
        verify(&desk, "bare.tar").arg("--require-manifest"),
    );
    table.case("it has expired", REFUSED, &mut verify(&desk, "expired.tar"));
    table.case(
        "another digest is expected",
        REFUSED,
        verify(&desk, "pack.tar").args(["--digest", &other_digest]),
    );
    table.case(
        "the digest is none",
        USAGE,
        verify(&desk, "pack.tar").args(["--digest", "sha256:12"]),
    );
    table.case(
        "larger than allowed",
        REFUSED,
        verify(&desk, "pack.tar").args(["--max-pack-bytes", "100"]),
    );
    table.case(
        "more entries than allowed",
        REFUSED,
        verify(&desk, "pack.tar").args(["--max-pack-entries", "2"]),
    );
    table.case(
        "unpacks to more than allowed",
        REFUSED,
        verify(&desk, "pack.tar").args(["--max-unpacked-bytes", "1000"]),
    );
    table.case(
        "in another syntax",
        REFUSED,
        verify(&desk, "bare.tar").args(["--rego-version", "v0"]),
    );
    insta::assert_snapshot!(table.text());
}

#[test]
fn signatures_that_do_not_count() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let pack = desk.put_pack("pack.tar", samples::v1(1));
    let other = desk.put_pack("other.tar", samples::v1(2));
    let bytes = std::fs::read(&pack).unwrap();
    let stranger = Signer::generate(KeyKind::EcdsaP256).unwrap();
    let trust = desk.trust();
    let mut with = |name: &str, exit: i32, bundle: &str| {
        table.case(name, exit, reloader(["verify", &pack, "--bundle", bundle]).args(&trust));
    };
    with("the bundle is missing", USAGE, &desk.arg("missing.json"));
    for (name, bundle) in [
        ("the bundle is garbage", "garbage".to_owned()),
        ("the bundle is empty", String::new()),
        ("the bundle is another JSON", "{\"hello\": \"world\"}".to_owned()),
        ("a stranger's bundle", stranger.sign(&bytes).unwrap()),
        ("a stranger's older bundle", stranger.sign_legacy(&bytes).unwrap()),
    ] {
        with(name, REFUSED, &desk.put("bundle.json", bundle));
    }
    with("another pack's bundle", REFUSED, &format!("{other}.sigstore.json"));
    table.case("no bundle", REFUSED, reloader(["verify", &pack]).args(&trust));
    table.case(
        "not in a log, although one is asked for",
        REFUSED,
        &mut reloader([
            "verify",
            &pack,
            "--bundle",
            &format!("{pack}.sigstore.json"),
            "--trust",
            "key",
            "--key",
            &trust[4],
        ]),
    );
    table.case(
        "signed by key, although an identity is asked for",
        REFUSED,
        reloader([
            "verify",
            &pack,
            "--bundle",
            &format!("{pack}.sigstore.json"),
            "--trust",
            "keyless",
        ])
        .args(["--certificate-identity", "a@example.com"])
        .args(["--certificate-oidc-issuer", "https://issuer.example.com"]),
    );
    table.case(
        "nothing vouches for a file",
        REFUSED,
        &mut reloader(["verify", &pack, "--trust", "insecure-digest-only"]),
    );
    insta::assert_snapshot!(table.text());
}

#[test]
fn inspect_refuses_what_no_rule_could_accept() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let empty = desk.put("empty.tar", "");
    let page = desk.put("page.tar", "<html>");
    let bare = desk.put("bare.tar", tar_of(&[("README.md", "# nothing")]));
    table.case(
        "the file is missing",
        USAGE,
        &mut reloader(["inspect", &desk.arg("missing.tar")]),
    );
    table.case("empty file", REFUSED, &mut reloader(["inspect", &empty]));
    table.case("web page", REFUSED, &mut reloader(["inspect", &page]));
    table.case("tar without policy", REFUSED, &mut reloader(["inspect", &bare]));
    insta::assert_snapshot!(table.text());
}
