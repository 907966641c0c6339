//! Colours for a terminal, or none, and columns that stay aligned with them.

use crate::text;
use load_verdict::Verdict;

/// Wraps text in colours, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ink {
    on: bool,
}

impl Ink {
    pub(crate) const fn new(on: bool) -> Self {
        Self { on }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// In the colour of a verdict.
    pub(crate) fn verdict(self, verdict: Verdict, text: &str) -> String {
        self.wrap(
            match verdict {
                Verdict::Pass => "32",
                Verdict::Fail => "31",
                Verdict::Inconclusive => "33",
                Verdict::Invalid => "35",
            },
            text,
        )
    }

    /// A verdict as a badge: light on its colour.
    pub(crate) fn badge(self, verdict: Verdict, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let code = match verdict {
            Verdict::Pass => "1;30;42",
            Verdict::Fail => "1;97;41",
            Verdict::Inconclusive => "1;30;43",
            Verdict::Invalid => "1;97;45",
        };
        self.wrap(code, &format!(" {text} "))
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Fills up with spaces on the left, for figures. Colour comes after.
pub(crate) fn pad_left(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text::columns(text));
    format!("{}{text}", " ".repeat(missing))
}

/// Fills up with spaces on the right, for words. Colour comes after.
pub(crate) fn pad_right(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text::columns(text));
    format!("{text}{}", " ".repeat(missing))
}
