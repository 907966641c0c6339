//! Colours, only where a person sees them: on a terminal, without `NO_COLOR`, and not on a dumb one.

use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::io::IsTerminal;

/// Wraps text in terminal colours, or leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// For text on stdout.
    pub fn stdout() -> Self {
        Self {
            on: wanted(std::io::stdout().is_terminal()),
        }
    }

    /// For text on stderr.
    pub fn stderr() -> Self {
        Self {
            on: wanted(std::io::stderr().is_terminal()),
        }
    }

    /// Never any colour.
    pub const fn plain() -> Self {
        Self { on: false }
    }

    /// Always colour: for tests and for callers that decided already.
    pub const fn coloured() -> Self {
        Self { on: true }
    }

    /// Whether this palette colours at all.
    pub const fn is_on(self) -> bool {
        self.on
    }

    /// Good news.
    pub fn green<T: Display>(self, text: T) -> Styled<T> {
        self.wrap("32", text)
    }

    /// Bad news.
    pub fn red<T: Display>(self, text: T) -> Styled<T> {
        self.wrap("31", text)
    }

    /// Something to look at.
    pub fn yellow<T: Display>(self, text: T) -> Styled<T> {
        self.wrap("33", text)
    }

    /// Headings.
    pub fn bold<T: Display>(self, text: T) -> Styled<T> {
        self.wrap("1", text)
    }

    /// Side remarks.
    pub fn dim<T: Display>(self, text: T) -> Styled<T> {
        self.wrap("2", text)
    }

    fn wrap<T: Display>(self, code: &'static str, text: T) -> Styled<T> {
        Styled {
            code: self.on.then_some(code),
            text,
        }
    }
}

/// Text with its colour; print it with `{}`.
#[derive(Debug, Clone, Copy)]
pub struct Styled<T> {
    code: Option<&'static str>,
    text: T,
}

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            // `self.text.fmt(f)` keeps the caller's width and alignment about the text, not about the escape codes.
            Some(code) => {
                write!(f, "\x1b[{code}m")?;
                self.text.fmt(f)?;
                f.write_str("\x1b[0m")
            }
            None => self.text.fmt(f),
        }
    }
}

/// Whether colours are wanted on a stream, given what it is and the environment.
pub fn wanted(is_terminal: bool) -> bool {
    decide(
        is_terminal,
        std::env::var_os("NO_COLOR").as_deref(),
        std::env::var_os("TERM").as_deref(),
    )
}

/// `NO_COLOR` counts when it is set and not empty (no-color.org).
fn decide(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && term != Some(OsStr::new("dumb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_need_a_terminal_and_consent() {
        let dumb = Some(OsStr::new("dumb"));
        let set = Some(OsStr::new("1"));
        let empty = Some(OsStr::new(""));
        assert!(decide(true, None, None));
        assert!(decide(true, empty, Some(OsStr::new("xterm"))));
        assert!(!decide(true, set, None));
        assert!(!decide(true, None, dumb));
        assert!(!decide(false, None, None));
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(Palette::plain().red("bad").to_string(), "bad");
        assert_eq!(Palette::coloured().red("bad").to_string(), "\x1b[31mbad\x1b[0m");
        assert_eq!(format!("{:>5}|", Palette::plain().bold("x")), "    x|");
    }
}
