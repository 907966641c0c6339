//! stdout belongs to the result. Everything that a tool says there goes through this file: one final JSON line for
//! programs, or text for people. Logs go to stderr (see [`crate::log`]).

use crate::args::OutputFormat;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How the result is to be written; [`OutputFormat`] with `auto` resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Short text for a person.
    Human,
    /// One JSON line.
    Json,
}

impl OutputFormat {
    /// `auto` is human on a terminal and JSON otherwise.
    pub fn resolve(self) -> Output {
        self.resolve_for(io::stdout().is_terminal())
    }

    fn resolve_for(self, stdout_is_terminal: bool) -> Output {
        match self {
            Self::Human => Output::Human,
            Self::Auto if stdout_is_terminal => Output::Human,
            Self::Auto | Self::Json => Output::Json,
        }
    }
}

/// Writes `value` as one JSON line on stdout and flushes it.
///
/// # Errors
/// The value cannot be serialised, or stdout is closed (a reader that went away is the caller's to judge).
pub fn final_line(value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write_all(&mut io::stdout().lock(), &line)
}

/// Writes text for people on stdout, with a line end if it has none, and flushes it.
///
/// # Errors
/// stdout is closed.
pub fn human(text: &str) -> io::Result<()> {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    write_all(&mut io::stdout().lock(), text.as_bytes())
}

/// Writes whichever of the two fits: `value` as JSON, or the text that `describe` makes of it.
///
/// # Errors
/// As [`final_line`] and [`human`].
pub fn either<T: Serialize>(output: Output, value: &T, describe: impl FnOnce(&T) -> String) -> io::Result<()> {
    match output {
        Output::Json => final_line(value),
        Output::Human => human(&describe(value)),
    }
}

/// One write and one flush, so that a line is never interleaved with another thread's.
fn write_all(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_follows_the_terminal() {
        assert_eq!(OutputFormat::Auto.resolve_for(true), Output::Human);
        assert_eq!(OutputFormat::Auto.resolve_for(false), Output::Json);
        assert_eq!(OutputFormat::Json.resolve_for(true), Output::Json);
        assert_eq!(OutputFormat::Human.resolve_for(false), Output::Human);
    }

    #[test]
    fn a_closed_reader_is_an_error_and_no_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = write_all(&mut Closed, b"x").expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
