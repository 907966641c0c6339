//! What `--help` says, for the program and each of its commands.

use crate::support::{CANARIES, reloader};
use program::run;

fn help_of(command: &[&str]) -> String {
    let ended = run(&mut reloader(command.iter().chain(&["--help"])));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "", "help that was asked for goes to stdout");
    for (variable, canary) in CANARIES {
        assert!(!ended.stdout.contains(canary), "the value of {variable} is shown");
    }
    // clap fills the first column with blanks up to the end of some lines.
    ended.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_command_explains_itself() {
    for command in [
        "",
        "run",
        "once",
        "verify",
        "inspect",
        "pack",
        "pack build",
        "pack sign",
        "pack keygen",
        "opa-config",
        "verify-bundle",
    ] {
        let words: Vec<&str> = command.split_whitespace().collect();
        let name = if command.is_empty() {
            "help".to_owned()
        } else {
            format!("help_{}", command.replace([' ', '-'], "_"))
        };
        insta::assert_snapshot!(name, help_of(&words));
    }
}

#[test]
fn no_line_of_help_is_wider_than_a_hundred_columns() {
    for command in [vec![], vec!["run"], vec!["verify"], vec!["verify-bundle"]] {
        for line in help_of(&command).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn the_version_is_one_line_on_stdout() {
    let ended = run(&mut reloader(["--version"]));
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, format!("policy-reloader {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    let ended = run(&mut reloader(["reload"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stdout.is_empty());
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
}
