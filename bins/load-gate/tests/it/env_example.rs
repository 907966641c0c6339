//! `env.example` lists exactly the variables that the command line knows, each with its default.

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory as _;
use load_gate::args::Cli;

/// Where the variables of this program begin; the next heading of this kind ends them.
const HEADING: &str = "## load-gate";

/// Every variable, with the defaults that clap shows for it.
fn known() -> BTreeMap<String, String> {
    fn walk(command: &clap::Command, found: &mut BTreeMap<String, String>) {
        for argument in command.get_arguments() {
            let Some(variable) = argument.get_env() else { continue };
            let default: Vec<_> = argument
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .collect();
            let name = variable.to_string_lossy().into_owned();
            if let Some(other) = found.insert(name.clone(), default.join(",")) {
                assert_eq!(other, default.join(","), "{name} has two defaults");
            }
        }
        for subcommand in command.get_subcommands() {
            walk(subcommand, found);
        }
    }
    let mut command = Cli::command();
    command.build();
    let mut found = BTreeMap::new();
    walk(&command, &mut found);
    found
}

/// `NAME=value` and `# NAME=value` lines of our part of the file.
fn listed() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../env.example");
    let text = std::fs::read_to_string(path).expect("env.example lies at the root of the repository");
    let mut found = BTreeMap::new();
    let lines = text.lines().skip_while(|line| !line.starts_with(HEADING)).skip(1);
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        if !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
        {
            assert_eq!(
                found.insert(name.to_owned(), value.to_owned()),
                None,
                "{name} is listed twice"
            );
        }
    }
    found
}

#[test]
fn env_example_and_the_command_line_know_the_same_variables() {
    let (known, listed) = (known(), listed());
    assert!(
        known.len() > 30,
        "the walk over the command line finds the options: {known:?}"
    );
    let missing: Vec<_> = known.keys().filter(|name| !listed.contains_key(*name)).collect();
    let unknown: Vec<_> = listed.keys().filter(|name| !known.contains_key(*name)).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "env.example does not list {missing:?}, and lists {unknown:?}, which no option reads"
    );
}

#[test]
fn env_example_shows_the_defaults() {
    let listed = listed();
    let wrong: Vec<_> = known()
        .into_iter()
        .filter(|(name, default)| listed.get(name).is_some_and(|value| value != default))
        .map(|(name, default)| format!("{name}: default {default:?}, listed {:?}", listed[&name]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
