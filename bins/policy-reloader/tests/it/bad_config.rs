//! Configuration that cannot work: found before any work, said in one line, exit code 2.

use std::net::TcpListener;
use std::process::Command;

use crate::support::{Desk, reloader};
use crate::table::Table;
use program::Nobody;

/// Only the public half; there is no secret in it.
const RSA_KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApxIg3Ku0CG+epaNuNUXe
STa6c0b9z4n6fYmEO6d6UTGQlFHRMEZtpdajIPjYlKcXMNLTCErfFSYNoNssQNSU
vSy/rHxM8ercmPAYLT5VYlhpxwtmBUkq6KEoct0RqZGz7nk6knzvGBvLC8UrnPF+
YMEuh7lKQA8HbOBghXw6ywN5LyOLVG2hwP7lVDYwQytCJK7hlmIO/gllsv4Gig+C
vO7GUbvrt6Jgb+WxplPIZi6x5mhzVLNKy4g/OUwDd38x6tPY3Uffeh54lx3r7Jdx
eueLWw+wy2VuYF8MzwZ304WdwMhgzIXdkZcHjKzQAh0w4mBeRG5C0Rhr+HjjmogE
iQIDAQAB
-----END PUBLIC KEY-----
";

/// `run` with everything it needs except what the case is about. Nothing listens where it would poll, so a case that
/// is not refused runs on, which the test's time limit shows.
fn start(options: &[&str]) -> Command {
    let mut command = reloader(["run"]);
    command.envs([
        ("POLICY_ACTIVATION", "push"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("BUNDLE_LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
    ]);
    command.args(options);
    command
}

const URL: [&str; 2] = ["--pack-url", "http://127.0.0.1:1/v1/policy/packs/policy-pack-v0"];

fn with_url(options: &[&str]) -> Command {
    let mut command = start(&URL);
    command.args(options);
    command
}

/// With a trust mode that needs no more.
fn trusting(options: &[&str]) -> Command {
    let mut command = with_url(&["--trust", "insecure-digest-only"]);
    command.args(options);
    command
}

#[test]
fn trust_that_is_not_or_wrongly_configured() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let garbage = desk.put("garbage.json", "{\"mediaType\": 1}");
    let text = desk.put("text.pem", "not a key\n");
    let empty = desk.put("empty.pem", "");
    let rsa = desk.put("rsa.pub", RSA_KEY);
    let (missing, public, private) = (desk.arg("missing"), desk.arg("signer.pub"), desk.arg("signer.key"));
    let keyless = ["--trust", "keyless", "--certificate-identity", "a@example.com"];
    let issuer = ["--certificate-oidc-issuer", "https://issuer.example.com"];

    table.case("no trust mode", 2, &mut with_url(&[]));
    table.case("unknown trust mode", 2, &mut with_url(&["--trust", "everybody"]));
    table.case(
        "unknown trust mode in the environment",
        2,
        with_url(&[]).env("POLICY_TRUST", "everybody"),
    );
    table.case("key mode without a key", 2, &mut with_url(&["--trust", "key"]));
    for (name, file) in [
        ("key file is missing", &missing),
        ("key file is no PEM", &text),
        ("key file is empty", &empty),
        ("key is RSA", &rsa),
        ("key is the private one", &private),
    ] {
        let ended = table.case(
            name,
            2,
            &mut with_url(&["--trust", "key", "--insecure-ignore-tlog", "--key", file]),
        );
        let secret = std::fs::read_to_string(&private).unwrap();
        for line in secret.lines().filter(|line| !line.starts_with('-')) {
            assert!(!ended.stderr.contains(line), "the private key is printed");
        }
    }
    table.case(
        "--key with keyless",
        2,
        with_url(&keyless).args(issuer).args(["--key", &public]),
    );
    table.case(
        "--certificate-identity with key",
        2,
        with_url(&["--trust", "key", "--key", &public]).args(&keyless[2..]),
    );
    table.case(
        "--insecure-ignore-tlog without a key",
        2,
        &mut with_url(&["--trust", "insecure-digest-only", "--insecure-ignore-tlog"]),
    );
    table.case(
        "keyless without identity",
        2,
        with_url(&["--trust", "keyless"]).args(issuer),
    );
    table.case("keyless without issuer", 2, &mut with_url(&keyless));
    table.case(
        "identity twice",
        2,
        with_url(&keyless)
            .args(issuer)
            .args(["--certificate-identity-regexp", ".*"]),
    );
    table.case(
        "identity is no pattern",
        2,
        with_url(&["--trust", "keyless", "--certificate-identity-regexp", "(unclosed"]).args(issuer),
    );
    table.case(
        "issuer is no pattern",
        2,
        with_url(&keyless).args(["--certificate-oidc-issuer-regexp", "*"]),
    );
    for (name, file) in [
        ("trusted root is missing", &missing),
        ("trusted root is another JSON", &garbage),
        ("trusted root is no JSON", &text),
    ] {
        table.case(name, 2, with_url(&keyless).args(issuer).args(["--trusted-root", file]));
    }
    insta::assert_snapshot!(table.text());
}

#[test]
fn addresses_that_cannot_be_used() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let no_certificate = desk.put("ca.pem", "no certificate here\n");
    let (missing, public) = (desk.arg("missing"), desk.arg("signer.pub"));
    let insecure = ["--trust", "insecure-digest-only"];

    table.case("no pack URL", 2, &mut start(&insecure));
    table.case("pack URL is empty", 2, start(&insecure).env("MC_POLICY_PACK_URL", ""));
    for (name, url) in [
        ("pack URL is ftp", "ftp://mc.example.com/v1/policy/packs/policy-pack-v0"),
        (
            "pack URL has no scheme",
            "mc.example.com/v1/policy/packs/policy-pack-v0",
        ),
        ("pack URL has host and port only", "mc.example.com:8443"),
        (
            "pack URL has user info",
            "https://me:canary-mc-4f1d@mc.example.com/v1/policy/packs/policy-pack-v0",
        ),
        ("pack URL has no host", "http://:8443/v1/policy/packs/policy-pack-v0"),
    ] {
        table.case(name, 2, start(&insecure).args(["--pack-url", url]));
    }
    table.case(
        "OPA URL is no HTTP",
        2,
        &mut trusting(&["--opa-url", "unix:///run/opa.sock"]),
    );
    table.case(
        "one of two OPA URLs is wrong",
        2,
        &mut trusting(&["--opa-url", "http://127.0.0.1:8181,opa:8181"]),
    );
    table.case("CA file is missing", 2, &mut trusting(&["--ca-file", &missing]));
    table.case(
        "CA file has no certificate",
        2,
        &mut trusting(&["--ca-file", &no_certificate]),
    );
    table.case(
        "OPA's CA file is missing",
        2,
        &mut trusting(&["--opa-ca-file", &missing]),
    );
    table.case(
        "client certificate without key",
        2,
        &mut trusting(&["--opa-client-cert", &public]),
    );
    table.case(
        "client certificate is none",
        2,
        &mut trusting(&[
            "--opa-client-cert",
            &public,
            "--opa-client-key",
            &desk.arg("signer.key"),
        ]),
    );
    table.case(
        "listen address has no IP",
        2,
        &mut trusting(&["--admin-listen", "localhost:9090"]),
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken_address(&taken);
    table.case(
        "admin port is taken",
        2,
        reloader(["run", "--activation", "push"])
            .args(["--admin-listen", &taken])
            .args(insecure)
            .args(URL),
    );
    table.case(
        "bundle port is taken",
        2,
        reloader(["run", "--activation", "bundle", "--admin-listen", "127.0.0.1:0"])
            .args(["--bundle-listen", &taken])
            .args(insecure)
            .args(URL),
    );
    table.case(
        "decision port is taken",
        2,
        reloader(["run", "--activation", "embedded", "--admin-listen", "127.0.0.1:0"])
            .args(["--opa-listen", &taken])
            .args(insecure)
            .args(URL),
    );
    insta::assert_snapshot!(table.text());
}

fn taken_address(listener: &TcpListener) -> String {
    listener.local_addr().unwrap().to_string()
}

#[test]
fn tokens_that_cannot_be_used() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let file = desk.put("token", "canary-mc-4f1d\n");
    let missing = desk.arg("missing");
    let nobody = Nobody::new();

    table.case("token and token file", 2, &mut trusting(&["--mc-token-file", &file]));
    table.case("token is empty", 2, trusting(&[]).env("MC_TOKEN", ""));
    table.case(
        "token has two lines",
        2,
        trusting(&[]).env("MC_TOKEN", "canary-mc-4f1d\ncanary-opa-8a52"),
    );
    table.case(
        "OPA token is no token",
        2,
        trusting(&[]).env("OPA_TOKEN", "canary-opa-8a52 ü"),
    );
    table.case("admin token is empty", 2, trusting(&[]).env("ADMIN_TOKEN", ""));
    for (name, content) in [
        ("token file is missing", None),
        ("token file is empty", Some("\n")),
        ("token file has two lines", Some("canary-mc-4f1d\ncanary-opa-8a52\n")),
    ] {
        let file = content.map_or_else(|| missing.clone(), |content| desk.put("other-token", content));
        table.case(
            name,
            4,
            once(&nobody).args(["--mc-token-file", &file]).env_remove("MC_TOKEN"),
        );
    }
    insta::assert_snapshot!(table.text());
}

/// A file may appear later, so `run` waits for it; `once` has no later.
fn once(nobody: &Nobody) -> Command {
    let mut command = reloader(["once", "--activation", "push", "--trust", "insecure-digest-only"]);
    command
        .args([
            "--pack-url",
            &format!("{}/pack", nobody.url()),
            "--opa-url",
            &nobody.url(),
        ])
        .args(["--log-format", "json"]);
    command
}

#[test]
fn values_that_make_no_sense() {
    let desk = Desk::new();
    let mut table = Table::new(desk.folder());
    let file = desk.put("file", "a file, not a folder");
    let damaged = desk.path("damaged");
    std::fs::create_dir(&damaged).unwrap();
    std::fs::write(damaged.join("state.json"), "{\"version\": 1, \"digest\"").unwrap();

    table.case("state folder is a file", 2, &mut trusting(&["--state-dir", &file]));
    table.case(
        "state folder lies below a file",
        2,
        &mut trusting(&["--state-dir", &format!("{file}/state")]),
    );
    table.case(
        "state is damaged",
        4,
        &mut trusting(&["--state-dir", &desk.arg("damaged")]),
    );
    for (name, root) in [
        ("data root is reserved", "system"),
        ("data root is empty", ""),
        ("data root is a path", "cos/abac"),
        ("data root climbs out", ".."),
    ] {
        table.case(name, 2, &mut trusting(&["--data-root", root]));
    }
    table.case("poll interval is zero", 2, &mut trusting(&["--poll-interval-ms", "0"]));
    table.case(
        "poll interval is a word",
        2,
        trusting(&[]).env("POLICY_POLL_INTERVAL_MS", "15s"),
    );
    table.case("unknown activation", 2, &mut trusting(&["--activation", "magic"]));
    table.case(
        "log filter makes no sense",
        2,
        &mut trusting(&["--log-level", "loud=very"]),
    );
    table.case(
        "unknown option",
        2,
        &mut trusting(&["--opa-uri", "http://127.0.0.1:8181"]),
    );
    table.case(
        "bundle name is no name",
        2,
        &mut trusting(&["--activation", "bundle", "--bundle-name", "a/../b"]),
    );
    insta::assert_snapshot!(table.text());
}
