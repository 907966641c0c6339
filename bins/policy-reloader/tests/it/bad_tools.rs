//! `pack build`, `pack sign`, `pack keygen`, `opa-config` and `verify-bundle` with input that cannot work; and that what
//! they write is what they say.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use mc_sim::samples;

use crate::support::{Desk, reloader};
use crate::table::Table;
use program::run;

const REFUSED: i32 = 1;
const USAGE: i32 = 2;

#[test]
fn keys_that_cannot_sign() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let pack = desk.put_pack("pack.tar", samples::v1(1));
    let private = std::fs::read_to_string(desk.path("signer.key")).unwrap();
    let relabelled = |label: &str| private.replace("PRIVATE KEY", label);
    let two = format!("{private}{private}");
    for (name, key) in [
        ("a public key", desk.signer.public_key_pem()),
        ("an encrypted key", relabelled("ENCRYPTED PRIVATE KEY")),
        (
            "a key encrypted by cosign",
            relabelled("ENCRYPTED SIGSTORE PRIVATE KEY"),
        ),
        ("a key of the older kind", relabelled("EC PRIVATE KEY")),
        ("an RSA key", relabelled("RSA PRIVATE KEY")),
        ("a certificate", relabelled("CERTIFICATE")),
        ("two keys", two),
        ("a damaged key", private.replace("MIG", "MIH")),
        ("a text", "hello\n".to_owned()),
        ("an empty file", String::new()),
    ] {
        let key = desk.put("bad.key", key);
        let out = desk.arg("never.json");
        let ended = table.case(
            name,
            USAGE,
            &mut reloader(["pack", "sign", &pack, "--signing-key", &key, "-o", &out]),
        );
        for line in private.lines().filter(|line| !line.starts_with('-')) {
            assert!(!ended.stderr.contains(line), "the private key is printed");
        }
        assert!(!desk.path("never.json").exists(), "{name}: a signature was written");
    }
    let key = desk.arg("signer.key");
    table.case("no key is named", USAGE, &mut reloader(["pack", "sign", &pack]));
    table.case(
        "the key is missing",
        USAGE,
        &mut reloader(["pack", "sign", &pack, "--signing-key", &desk.arg("no.key")]),
    );
    table.case(
        "the pack is missing",
        USAGE,
        &mut reloader(["pack", "sign", &desk.arg("no.tar"), "--signing-key", &key]),
    );
    table.case(
        "the signature cannot be written",
        USAGE,
        &mut reloader([
            "pack",
            "sign",
            &pack,
            "--signing-key",
            &key,
            "-o",
            &desk.arg("no/folder.json"),
        ]),
    );
    insta::assert_snapshot!(table.text());
}

#[test]
fn folders_that_are_no_packs() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let out = desk.arg("never.tar");
    let mut build = |name: &str, folder: &str| {
        table.case(name, USAGE, &mut reloader(["pack", "build", folder, "-o", &out]));
        assert!(!desk.path("never.tar").exists(), "{name}: a pack was written");
    };
    build("the folder is missing", &desk.arg("missing"));
    build("the folder is a file", &desk.arg("signer.pub"));
    let linked = desk.path("linked/opa");
    std::fs::create_dir_all(&linked).unwrap();
    symlink("/etc/hostname", linked.join("a.rego")).unwrap();
    build("a link", &desk.arg("linked"));
    let outside = desk.path("outside");
    std::fs::create_dir_all(&outside).unwrap();
    symlink(desk.folder(), outside.join("opa")).unwrap();
    build("a link to a folder", &desk.arg("outside"));
    insta::assert_snapshot!(table.text());
}

#[test]
fn keygen_never_overwrites_a_key() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let prefix = desk.arg("release");
    let first = run(&mut reloader(["pack", "keygen", &prefix]));
    assert_eq!(first.code, Some(0), "{first:?}");
    let key = std::fs::read(desk.path("release.key")).unwrap();
    let mode = std::fs::metadata(desk.path("release.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner can read it");
    assert!(!first.stdout.contains("PRIVATE"), "the key goes to the file alone");
    table.case("the key exists", USAGE, &mut reloader(["pack", "keygen", &prefix]));
    assert_eq!(std::fs::read(desk.path("release.key")).unwrap(), key);
    table.case(
        "the folder is missing",
        USAGE,
        &mut reloader(["pack", "keygen", &desk.arg("no/release")]),
    );
    table.case(
        "unknown kind",
        USAGE,
        &mut reloader(["pack", "keygen", &desk.arg("rsa"), "--kind", "rsa"]),
    );
    insta::assert_snapshot!(table.text());
}

#[test]
fn verify_bundle_wants_to_know_who_signed() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let pack = desk.put_pack("pack.tar", samples::v1(1));
    let bundle = format!("{pack}.sigstore.json");
    let key = desk.arg("signer.pub");
    let base = ["verify-bundle", "--bundle", &bundle];
    let by_key = ["--key", &key, "--insecure-ignore-tlog"];
    let digest = format!("sha256:{}", "1".repeat(64));
    table.case("nobody is named", USAGE, reloader(base).arg(&pack));
    table.case(
        "identity without issuer",
        USAGE,
        reloader(base).args(["--certificate-identity", "a@b.c", &pack]),
    );
    table.case(
        "identity and key",
        USAGE,
        reloader(base)
            .args([
                "--certificate-identity",
                "a@b.c",
                "--certificate-oidc-issuer",
                "https://b.c",
                "--key",
                &key,
            ])
            .arg(&pack),
    );
    table.case(
        "no bundle",
        USAGE,
        &mut reloader(["verify-bundle", "--key", &key, &pack]),
    );
    table.case(
        "the file is missing",
        USAGE,
        reloader(base).args(by_key).arg(desk.arg("missing")),
    );
    table.case(
        "the key is missing",
        USAGE,
        reloader(base).args(["--key", &desk.arg("missing"), &pack]),
    );
    table.case("not in a log", REFUSED, reloader(base).args(["--key", &key, &pack]));
    table.case("another digest", REFUSED, reloader(base).args(by_key).arg(&digest));
    table.case(
        "a digest that is none is a file name",
        USAGE,
        reloader(base).args(by_key).arg("sha256:12"),
    );
    insta::assert_snapshot!(table.text());
}

#[test]
fn opa_config_refuses_addresses_that_opa_could_not_use() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    table.case(
        "no HTTP",
        USAGE,
        &mut reloader(["opa-config", "--bundle-url", "file:///bundles"]),
    );
    table.case(
        "no scheme",
        USAGE,
        &mut reloader(["opa-config", "--bundle-url", "127.0.0.1:8282"]),
    );
    for name in ["", "..", "a/b", "{a}", "a b"] {
        table.case(
            &format!("the bundle is called {name:?}"),
            USAGE,
            &mut reloader(["opa-config", "--bundle-name", name]),
        );
    }
    insta::assert_snapshot!(table.text());
}

#[test]
fn opa_config_is_the_one_that_bundle_mode_needs() {
    let ended = run(&mut reloader([
        "opa-config",
        "--bundle-url",
        "http://reloader:8282",
        "--bundle-token-env",
        "TOKEN",
    ]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    insta::assert_snapshot!(ended.stdout);
}

#[test]
fn the_same_folder_gives_the_same_bytes_and_the_report_tells_their_digest() {
    let desk = Desk::new();
    for (path, bytes) in samples::v1(7) {
        let path = desk.path("folder").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let mut packs = Vec::new();
    for name in ["one.tar", "two.tar"] {
        let ended = run(&mut reloader([
            "pack",
            "build",
            &desk.arg("folder"),
            "-o",
            &desk.arg(name),
        ]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let bytes = std::fs::read(desk.path(name)).unwrap();
        let report = ended.json();
        assert_eq!(report["digest"], pack_verify::Sha256Digest::of(&bytes).to_string());
        assert_eq!(report["size"], bytes.len());
        packs.push(bytes);
    }
    assert_eq!(packs[0], packs[1]);
    assert_eq!(
        packs[0],
        mc_sim::build_unsigned(samples::v1(7)).unwrap().tar,
        "and the same bytes as MC's"
    );
}
