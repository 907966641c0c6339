//! `env.example` lists exactly the variables that a command line knows, each with its default.

use std::collections::BTreeMap;
use std::path::Path;

/// Names of variables, and their defaults as `env.example` writes them.
type Variables = BTreeMap<String, String>;

/// Holds the part of `env.example` that begins with the line `## {section}...` against a command line.
///
/// `section` is the name of the program. `command` comes from clap's `CommandFactory`; subcommands are part of it.
///
/// # Panics
/// A variable is only in one of them, is listed twice, or has different defaults.
#[track_caller]
pub fn check(command: clap::Command, section: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../env.example");
    let text = std::fs::read_to_string(path).expect("env.example lies at the root of the repository");
    let mut wrong = Vec::new();
    let known = known(command, &mut wrong);
    let listed = listed(&text, section, &mut wrong);
    assert!(!known.is_empty(), "the command line knows no variables at all");
    compare(&known, &listed, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every variable, with the defaults that clap shows for it.
fn known(mut command: clap::Command, wrong: &mut Vec<String>) -> Variables {
    fn walk(command: &clap::Command, found: &mut Variables, wrong: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let Some(variable) = argument.get_env() else { continue };
            let default: Vec<_> = argument
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .collect();
            let default = default.join(",");
            let name = variable.to_string_lossy().into_owned();
            match found.insert(name.clone(), default.clone()) {
                Some(other) if other != default => {
                    wrong.push(format!(
                        "{name}: two options have the defaults {other:?} and {default:?}"
                    ));
                }
                _ => {}
            }
        }
        for subcommand in command.get_subcommands() {
            walk(subcommand, found, wrong);
        }
    }
    command.build();
    let mut found = Variables::new();
    walk(&command, &mut found, wrong);
    found
}

/// `NAME=value` and `# NAME=value` lines of one part of the file.
fn listed(text: &str, section: &str, wrong: &mut Vec<String>) -> Variables {
    let is_heading = |line: &str| {
        line.strip_prefix("## ").is_some_and(|heading| {
            heading
                .split(|letter: char| letter != '-' && !letter.is_alphanumeric())
                .next()
                == Some(section)
        })
    };
    let mut found = Variables::new();
    let lines = text.lines().skip_while(|line| !is_heading(line)).skip(1);
    for line in lines.take_while(|line| !line.starts_with("## ")) {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_');
        if is_name && found.insert(name.to_owned(), value.to_owned()).is_some() {
            wrong.push(format!("{name}: listed twice"));
        }
    }
    found
}

fn compare(known: &Variables, listed: &Variables, wrong: &mut Vec<String>) {
    for (name, default) in known {
        match listed.get(name) {
            None => wrong.push(format!("{name}: an option reads it, env.example does not list it")),
            Some(value) if value != default => wrong.push(format!("{name}: default {default:?}, listed {value:?}")),
            Some(_) => {}
        }
    }
    for name in listed.keys().filter(|name| !known.contains_key(*name)) {
        wrong.push(format!("{name}: listed, but no option reads it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};

    fn command() -> Command {
        let argument = |id: &'static str, env: &'static str| Arg::new(id).long(id).env(env);
        Command::new("x")
            .arg(argument("url", "X_URL").default_value("http://x"))
            .subcommand(
                Command::new("run")
                    .arg(argument("list", "X_LIST").default_values(["a", "b"]))
                    .subcommand(Command::new("deep").arg(argument("plain", "X_PLAIN"))),
            )
    }

    fn mistakes(command: Command, text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = known(command, &mut wrong);
        let listed = listed(text, "x", &mut wrong);
        compare(&known, &listed, &mut wrong);
        wrong
    }

    const RIGHT: &str = "\
        ## xy\nX_OTHER=1\n\n## x: what it does\n# In words, a = b.\nX_URL=http://x\n# X_LIST=a,b\n# X_PLAIN=\n\n## y\nY_URL=2\n";

    #[test]
    fn the_same_in_both_is_right() {
        assert_eq!(mistakes(command(), RIGHT), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_told() {
        let text = RIGHT
            .replace("# X_LIST=a,b", "# X_LIST=a")
            .replace("# X_PLAIN=", "# X_OLD=\nX_URL=http://x");
        assert_eq!(
            mistakes(command(), &text),
            [
                "X_URL: listed twice",
                "X_LIST: default \"a,b\", listed \"a\"",
                "X_PLAIN: an option reads it, env.example does not list it",
                "X_OLD: listed, but no option reads it",
            ]
        );
    }

    #[test]
    fn two_defaults_of_one_variable_are_told() {
        let twice =
            command().subcommand(Command::new("again").arg(Arg::new("u").long("u").env("X_URL").default_value("y")));
        let told = mistakes(twice, RIGHT);
        assert!(
            told.contains(&"X_URL: two options have the defaults \"http://x\" and \"y\"".to_owned()),
            "{told:?}"
        );
    }
}
