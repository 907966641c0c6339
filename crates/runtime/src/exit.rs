//! Exit codes, and the one place where an error is printed.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; the verdict is positive |
//! | 1 | the verdict is negative |
//! | 2 | usage or configuration |
//! | 3 | no verdict: no data, inconclusive, or the measurement cannot be trusted |
//! | 4 | something it depends on failed |
//! | 5 | part of the work is kept for later |
//!
//! A process ended by a second signal, or by the end of the drain period, exits with 128 + the signal's number
//! (see [`crate::shutdown`]).

use crate::style::Palette;
use std::io::Write;
use std::process::ExitCode;

/// How a tool ends; the same in every tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done; the verdict is positive.
    Done = 0,
    /// The verdict is negative: gate failed, pack refused, guard refused.
    Negative = 1,
    /// Usage or configuration.
    Usage = 2,
    /// No verdict: no data, inconclusive, or not to be trusted.
    NoVerdict = 3,
    /// Something it depends on failed: MC, OPA, Prometheus, PostgreSQL.
    Dependency = 4,
    /// Part of the work is kept for later.
    Partial = 5,
}

impl Exit {
    /// The number that the process returns.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error and the exit code it leads to.
///
/// There is no `From<anyhow::Error>` on purpose: which code an error leads to is a decision, made with
/// [`ResultExt::exit`] where the error is understood.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What is printed.
    pub error: anyhow::Error,
}

impl Failure {
    /// An error with its exit code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self {
            exit,
            error: error.into(),
        }
    }

    /// A message of one's own, for configuration that clap cannot check.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            error: anyhow::Error::msg(message.into()),
        }
    }
}

/// Gives an error its exit code: `read(path).exit(Exit::Usage)?`.
pub trait ResultExt<T> {
    /// Ends the process with `exit` if this is an error.
    fn exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> ResultExt<T> for Result<T, E> {
    fn exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

/// The end of `main`: prints the error, once, with all its causes on one line on stderr, and gives the exit code.
pub fn report(result: Result<Exit, Failure>) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let label = Palette::stderr().red("error:");
            let mut stderr = std::io::stderr().lock();
            // Nobody can be told that stderr is closed; the exit code still says it.
            let _ = writeln!(stderr, "{label} {}", chain(&failure.error));
            failure.exit.into()
        }
    }
}

/// The whole chain in one line, outermost first. A cause that its parent already says is not said again: our own errors
/// never repeat their source, but other people's do.
pub fn chain(error: &anyhow::Error) -> String {
    chain_of(error.as_ref())
}

/// [`chain`] for an error that is not `anyhow`'s.
pub fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let said = cause.to_string();
        if text.is_empty() {
            text.clone_from(&said);
        } else if !last.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        } else {
            // Keep `last`: the next cause may be repeated by the same parent too.
            continue;
        }
        last = said;
    }
    text
}

/// Parses the command line.
///
/// # Errors
/// The exit code to return from `main`, after the text was printed: 0 for `--help` and `--version`, 2 for wrong usage.
pub fn parse<A: clap::Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| clap_exit(&error))
}

fn clap_exit(error: &clap::Error) -> ExitCode {
    // A closed stdout or stderr changes nothing about how the process ends.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Done.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn codes_are_the_documented_ones() {
        let all = [
            Exit::Done,
            Exit::Negative,
            Exit::Usage,
            Exit::NoVerdict,
            Exit::Dependency,
            Exit::Partial,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn asking_for_help_is_no_error_and_wrong_usage_is_code_2() {
        let command = clap::Command::new("tool").version("1.2.3");
        for (argument, expected) in [
            ("--help", Exit::Done),
            ("--version", Exit::Done),
            ("--wat", Exit::Usage),
        ] {
            let error = command
                .clone()
                .try_get_matches_from(["tool", argument])
                .expect_err(argument);
            // `ExitCode` cannot be compared; its debug text can.
            assert_eq!(
                format!("{:?}", clap_exit(&error)),
                format!("{:?}", ExitCode::from(expected)),
                "{argument}"
            );
        }
    }

    #[test]
    fn a_result_gets_its_exit_code() {
        let failure = Err::<(), _>(std::io::Error::other("no route"))
            .exit(Exit::Dependency)
            .expect_err("an error");
        assert_eq!(
            (failure.exit, failure.error.to_string()),
            (Exit::Dependency, "no route".to_owned())
        );
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the pack: {source}")]
    struct Repeats {
        source: std::io::Error,
    }

    #[test]
    fn the_chain_is_on_one_line_and_says_nothing_twice() {
        let error = Err::<(), _>(std::io::Error::other("disk on fire"))
            .context("cannot read pack.tar")
            .context("cannot start")
            .expect_err("an error");
        assert_eq!(chain(&error), "cannot start: cannot read pack.tar: disk on fire");

        let error = anyhow::Error::new(Repeats {
            source: std::io::Error::other("disk on fire"),
        });
        assert_eq!(chain(&error), "cannot read the pack: disk on fire");
    }
}
