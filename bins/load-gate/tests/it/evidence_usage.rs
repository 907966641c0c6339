//! `evidence` that cannot be carried out as it is asked for: told before MC is asked.

use std::process::Command;

use crate::evidence::{TOKEN, USAGE, mc};
use crate::process::load_gate;
use program::run;

/// A command line that would pass, to be spoilt in one place.
fn good(url: &str) -> Command {
    let mut command = load_gate(["evidence"]);
    command
        .env("LOAD_GATE_EVIDENCE_DEADLINE", "0")
        .env("MC_URL", url)
        .env("MC_TOKEN", TOKEN)
        .env("SERVICE", "cos")
        .env("RELEASE_ID", "r1");
    command
}

#[test]
fn mistakes_are_told_once_and_mc_is_not_asked() {
    let sim = mc();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (missing, empty) = (
        folder.path().join("none").to_str().unwrap().to_owned(),
        file("empty", ""),
    );
    let url = sim.url();
    let with_user = url.replace("http://", "http://user:hunter2@");
    let env = |name: &'static str, value: &str| vec![(name, Some(value.to_owned()))];
    let unset = |name: &'static str| vec![(name, None)];
    let token_file = |path: &str| vec![("MC_TOKEN", None), ("MC_TOKEN_FILE", Some(path.to_owned()))];
    let table = [
        ("no release id", unset("RELEASE_ID"), "the release id is empty"),
        ("an empty release id", env("RELEASE_ID", ""), "the release id is empty"),
        ("a blank release id", env("RELEASE_ID", "  "), "the release id is empty"),
        (
            "an invisible release id",
            env("RELEASE_ID", "\u{200b}"),
            "the release id is empty",
        ),
        (
            "a release id with a line end",
            env("RELEASE_ID", "r1\n"),
            "starts or ends with a blank",
        ),
        ("a template", env("RELEASE_ID", "{{args.release-id}}"), "template"),
        ("no service", unset("SERVICE"), "the service is empty"),
        ("an empty service", env("SERVICE", ""), "the service is empty"),
        ("no URL", unset("MC_URL"), "no URL of MC is set"),
        ("an empty URL", env("MC_URL", ""), "found nothing"),
        (
            "a URL without a scheme",
            env("MC_URL", "mc.example.com"),
            "did you mean http://mc.example.com?",
        ),
        ("a URL of a file", env("MC_URL", "file:///etc/passwd"), "expected a URL"),
        (
            "a URL with a user and a token",
            env("MC_URL", &with_user),
            "leave the user name out",
        ),
        ("an empty token", env("MC_TOKEN", ""), "MC_TOKEN is empty"),
        ("a token of two lines", env("MC_TOKEN", "a\nb"), "more than one line"),
        (
            "a deadline without a unit",
            env("LOAD_GATE_EVIDENCE_DEADLINE", "5"),
            "did you mean 5s?",
        ),
        (
            "an age that is none",
            env("LOAD_GATE_EVIDENCE_MAX_AGE", "-1h"),
            "negative",
        ),
        ("a flood", env("LOAD_GATE_EVIDENCE_POLL_INTERVAL", "0"), "10ms or more"),
        ("token and file", env("MC_TOKEN_FILE", &empty), "cannot be used with"),
        (
            "a CA file that is not there",
            env("CA_FILE", &missing),
            "does not exist",
        ),
        (
            "a token file that is not there",
            token_file(&missing),
            "cannot read MC_TOKEN_FILE",
        ),
        (
            "an empty token file",
            token_file(&empty),
            "is empty; it must hold the token",
        ),
    ];
    for (name, spoil, says) in table {
        let mut command = good(&url);
        for (variable, value) in spoil {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        let ended = run(&mut command);
        assert_eq!(ended.code, Some(USAGE), "{name}: {ended:?}");
        assert_eq!(ended.stdout, "", "{name}: {ended:?}");
        let errors = ended.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{name}: {ended:?}");
        // clap breaks long lines.
        let said = ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{name}: {ended:?}");
        for secret in [TOKEN, "hunter2", "panicked"] {
            assert!(!ended.stderr.contains(secret), "{name}: {ended:?}");
        }
    }
    assert!(sim.requests().is_empty(), "MC was asked");
    assert_eq!(run(&mut good(&url)).code, Some(0), "unspoilt, it passes");
}

#[test]
fn help_explains_each_option() {
    let ended = run(&mut load_gate(["evidence", "--help"]));
    assert_eq!(ended.code, Some(0));
    for option in [
        "--mc-url",
        "MC_TOKEN_FILE",
        "--release-id",
        "--deadline",
        "--max-age",
        "--require-age",
    ] {
        assert!(ended.stdout.contains(option), "{option}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("termination-log"), "{}", ended.stdout);
}
