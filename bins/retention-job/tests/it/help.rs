//! What `--help` says, for the program and each of its commands.

use crate::world::retention_job;
use program::run;

const COMMANDS: [&str; 17] = [
    "",
    "run",
    "plan",
    "apply",
    "erase",
    "hold",
    "hold add",
    "hold list",
    "hold release",
    "receipts",
    "receipts verify",
    "receipts export",
    "receipts keygen",
    "init",
    "lint",
    "status",
    "schema",
];

/// Variables whose values are secrets, or may hold one.
const SECRETS: [&str; 6] = [
    "DATABASE_URL",
    "RETENTION_HMAC_KEY",
    "RETENTION_LEDGER",
    "RETENTION_LEDGER_KEY",
    "PUSHGATEWAY_TOKEN",
    "PUSHGATEWAY_URL",
];
const CANARY: &str = "canary-of-help-55f0";

fn help_of(command: &str) -> String {
    let mut asked = retention_job(command.split_whitespace().chain(["--help"]));
    let ended = run(&mut asked);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "", "help that was asked for goes to stdout");
    // clap fills the first column with blanks up to the end of some lines.
    ended.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_command_explains_itself() {
    for command in COMMANDS {
        let name = format!("help_{}", command.replace(' ', "_"));
        insta::assert_snapshot!(name.trim_end_matches('_'), help_of(command));
    }
}

#[test]
fn no_line_of_help_is_wider_than_a_hundred_columns() {
    for command in COMMANDS {
        for line in help_of(command).lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
}

#[test]
fn help_shows_no_secret_of_the_environment() {
    for command in COMMANDS {
        let mut asked = retention_job(command.split_whitespace().chain(["--help"]));
        asked.envs(SECRETS.map(|variable| (variable, format!("https://user:{CANARY}@127.0.0.1/"))));
        let ended = run(&mut asked);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let shown = ended.stdout.lines().find(|line| line.contains(CANARY));
        assert_eq!(shown, None, "retention-job {command} --help");
    }
}

#[test]
fn the_version_is_one_line_on_stdout() {
    let ended = run(&mut retention_job(["--version"]));
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, format!("retention-job {}\n", env!("CARGO_PKG_VERSION")));
}
