//! Bad input, one case a row: the rules that hold for every failure, and the text that a person reads.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::support::CANARIES;
use program::{Ended, run};

/// Rows for a snapshot.
pub(crate) struct Table<'a> {
    folder: &'a Path,
    rows: String,
}

impl<'a> Table<'a> {
    /// `folder` is where the test's files lie; its path is machine dependent and left out.
    pub(crate) fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            rows: String::new(),
        }
    }

    /// Runs the command and holds it to the rules: the exit code, no panic, no secret, and the failure said exactly once:
    /// as one `error:` on stderr or as one JSON line on stdout.
    pub(crate) fn case(&mut self, name: &str, exit: i32, command: &mut Command) -> Ended {
        let ended = run(command);
        let (logs, plain): (Vec<&str>, Vec<&str>) = ended.stderr.lines().partition(|line| line.starts_with('{'));
        assert_eq!(ended.code, Some(exit), "{name}: {ended:?}");
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.contains("panicked"), "{name}: {text}");
            for (variable, canary) in CANARIES {
                assert!(!text.contains(canary), "{name}: {variable} is printed: {text}");
            }
        }
        for line in logs {
            assert!(
                serde_json::from_str::<serde_json::Value>(line).is_ok(),
                "{name}: {line}"
            );
        }
        let errors = plain.iter().filter(|line| line.starts_with("error: ")).count();
        let shown = if ended.stdout.is_empty() {
            assert_eq!(errors, 1, "{name}: expected one `error:` on stderr, found {plain:#?}");
            plain.join("\n")
        } else {
            // What else is on stderr are the interpreter's own warnings about Rego that it cannot read.
            assert_eq!(errors, 0, "{name}: said twice: {plain:#?}");
            serde_json::to_string(&short(ended.json())).unwrap()
        };
        let shown = redact(&shown, self.folder);
        writeln!(self.rows, "## {name}: exit {exit}\n{}\n", shown.trim_end()).unwrap();
        ended
    }

    pub(crate) fn text(self) -> String {
        self.rows
    }
}

/// Leaves out the keys without a value.
fn short(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

/// Replaces what differs from run to run: folder, ports, digests, times.
pub(crate) fn redact(text: &str, folder: &Path) -> String {
    let mut text = text.replace(folder.to_str().expect("temporary folders have plain names"), "[DIR]");
    for (pattern, instead) in [
        (r"127\.0\.0\.1:[1-9][0-9]*", "127.0.0.1:[PORT]"),
        (r"\b[0-9a-f]{64}\b", "[HEX]"),
        (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]"),
        (r"within \d+ ms", "within [N] ms"),
        // In the words of the system's resolver, which differ between "no such name" and "no network".
        (r"(failed to lookup address information): [A-Za-z ]+", "$1: [WHY]"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
    }
    text
}
