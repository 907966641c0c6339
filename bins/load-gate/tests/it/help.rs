//! What `--help` says, for the program and each of its commands.

use crate::process::load_gate;
use program::run;

const COMMANDS: [&str; 8] = ["", "run", "evidence", "serve", "report", "compare", "merge", "schema"];

/// Variables whose values are secrets, or may hold one.
const SECRETS: [&str; 9] = [
    "MC_TOKEN",
    "SERVE_TOKEN",
    "ADMIN_TOKEN",
    "PUSHGATEWAY_TOKEN",
    "LOAD_GATE_HEADERS",
    "LOAD_GATE_BODY",
    "LOAD_GATE_VARIABLES",
    "COS_GQL_URL",
    "PUSHGATEWAY_URL",
];
const CANARY: &str = "canary-of-help-81c2";

fn help_of(command: &str) -> String {
    let mut asked = load_gate(command.split_whitespace().chain(["--help"]));
    let ended = run(&mut asked);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "", "help that was asked for goes to stdout");
    // clap fills the first column with blanks up to the end of some lines.
    ended.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_command_explains_itself() {
    for command in COMMANDS {
        let name = if command.is_empty() {
            "help".to_owned()
        } else {
            format!("help_{command}")
        };
        insta::assert_snapshot!(name, help_of(command));
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
        let mut asked = load_gate(command.split_whitespace().chain(["--help"]));
        asked.envs(SECRETS.map(|variable| (variable, format!("https://user:{CANARY}@127.0.0.1/"))));
        let ended = run(&mut asked);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let shown = ended.stdout.lines().find(|line| line.contains(CANARY));
        assert_eq!(shown, None, "load-gate {command} --help");
    }
}

#[test]
fn the_version_is_one_line_on_stdout() {
    let ended = run(&mut load_gate(["--version"]));
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.stdout, format!("load-gate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    let ended = run(&mut load_gate(["shoot"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stdout.is_empty());
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
}
