use super::*;
use clap::Parser;
use pack_verify::TrustMode;
use pack_verify::sign::{KeyKind, Signer};
use runtime::exit::{Exit, chain};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    trust: TrustArgs,
}

fn parsed(args: &[&str]) -> TrustArgs {
    Cli::try_parse_from([&["tool"], args].concat()).unwrap().trust
}

/// The mode, or the words of the refusal.
fn outcome(args: &[&str]) -> Result<TrustMode, String> {
    match parsed(args).verifier() {
        Ok(verifier) => Ok(verifier.mode()),
        Err(failure) => {
            assert_eq!(failure.exit, Exit::Usage);
            Err(chain(&failure.error))
        }
    }
}

const IDENTITY: [&str; 4] = [
    "--certificate-identity",
    "ci@example.com",
    "--certificate-oidc-issuer",
    "https://issuer.example.com",
];

#[test]
fn every_mode_becomes_its_verifier() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer.pub");
    let signer = Signer::generate(KeyKind::EcdsaP256).unwrap();
    std::fs::write(&path, signer.public_key_pem()).unwrap();
    let key = ["--trust", "key", "--key", path.to_str().unwrap()];
    assert_eq!(outcome(&key), Ok(TrustMode::Key));
    assert_eq!(
        outcome(&[&key[..], &["--insecure-ignore-tlog"]].concat()),
        Ok(TrustMode::Key)
    );
    let keyless = [&["--trust", "keyless"], &IDENTITY[..]].concat();
    assert_eq!(outcome(&keyless), Ok(TrustMode::Keyless));
    let patterns = [
        "--trust",
        "keyless",
        "--certificate-identity-regexp",
        ".*@example\\.com",
        "--certificate-oidc-issuer-regexp",
        "https://.*",
    ];
    assert_eq!(outcome(&patterns), Ok(TrustMode::Keyless));
    assert_eq!(
        outcome(&["--trust", "insecure-digest-only"]),
        Ok(TrustMode::InsecureDigestOnly)
    );
}

#[test]
fn nobody_is_trusted_by_default() {
    let words = outcome(&[]).unwrap_err();
    for part in ["POLICY_TRUST", "--trust keyless", "--trust key", "insecure-digest-only"] {
        assert!(words.contains(part), "{words}");
    }
}

#[test]
fn options_that_do_not_fit_the_mode_are_refused() {
    let keyless = [&["--trust", "keyless"], &IDENTITY[..]].concat();
    for (args, word) in [
        (vec!["--trust", "key"], "--key FILE"),
        (vec!["--trust", "keyless"], "--certificate-identity"),
        (keyless[..4].to_vec(), "--certificate-oidc-issuer"),
        ([&keyless[..], &["--key", "x.pub"]].concat(), "--key means nothing"),
        (
            [&keyless[..], &["--insecure-ignore-tlog"]].concat(),
            "--insecure-ignore-tlog means nothing",
        ),
        (
            [&["--trust", "key", "--key", "x.pub"], &IDENTITY[..]].concat(),
            "--certificate-identity means nothing",
        ),
        (
            [&["--trust", "insecure-digest-only"], &IDENTITY[..]].concat(),
            "--certificate-identity means nothing",
        ),
        (
            vec!["--trust", "insecure-digest-only", "--key", "x.pub"],
            "--key means nothing",
        ),
    ] {
        let words = outcome(&args).unwrap_err();
        assert!(words.contains(word), "{args:?}: {words}");
    }
}

#[test]
fn files_and_patterns_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garbage");
    std::fs::write(&path, "not what was asked for").unwrap();
    let garbage = path.to_str().unwrap();
    let missing = folder.path().join("missing");
    let missing = missing.to_str().unwrap();
    let keyless = [&["--trust", "keyless"], &IDENTITY[..]].concat();
    for (args, words) in [
        (vec!["--trust", "key", "--key", missing], ["cannot read", missing]),
        (
            vec!["--trust", "key", "--key", garbage],
            ["(--key) cannot be used", garbage],
        ),
        (
            [&keyless[..], &["--trusted-root", missing]].concat(),
            ["(--trusted-root)", missing],
        ),
        (
            [&keyless[..], &["--trusted-root", garbage]].concat(),
            ["the trusted root cannot be used", "--trusted-root"],
        ),
        (
            [
                &["--trust", "keyless", "--certificate-identity-regexp", "(unclosed"],
                &IDENTITY[2..],
            ]
            .concat(),
            ["--certificate-identity-regexp", "unclosed"],
        ),
    ] {
        let told = outcome(&args).unwrap_err();
        assert!(words.iter().all(|word| told.contains(word)), "{args:?}: {told}");
        assert!(!told.contains('\n'), "{told}");
    }
}
