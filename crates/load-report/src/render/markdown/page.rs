//! Markdown line by line, within a budget, and text that cannot be anything but text in it.

use crate::text;
use std::fmt::Write as _;

/// Characters of one cell or reason.
const CELL: usize = 300;

/// Kept for the last line, which says that something was left out.
const RESERVE: usize = 200;

/// Markdown that stays below a limit.
pub(super) struct Page {
    text: String,
    limit: usize,
    cut: bool,
}

impl Page {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            limit,
            cut: false,
        }
    }

    /// Adds a line, or nothing once the budget is used up: never part of a line.
    pub(super) fn line(&mut self, line: &str) {
        if self.cut || self.text.len() + line.len() + 1 + RESERVE > self.limit {
            self.cut = true;
            return;
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The head of a table; `alignment` is what stands between the pipes, with commas.
    pub(super) fn table(&mut self, columns: &[&str], alignment: &str) {
        self.line(&format!("| {} |", columns.join(" | ")));
        self.line(&format!("|{}|", alignment.replace(',', "|")));
    }

    /// One row; the cells are Markdown already.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    /// Says how many of `all` things were left out after `shown`.
    pub(super) fn more(&mut self, what: &str, all: usize, shown: usize) {
        if all > shown {
            self.line("");
            self.line(&format!("…and {} more {what}s.", all - shown));
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.cut {
            self.text
                .push_str("\n\nThe rest was left out: GitHub drops summaries of more than 1 MiB.\n");
        }
        self.text
    }
}

/// Text that stays text in a paragraph, a list or a cell.
///
/// Everything that Markdown or GitHub gives a meaning becomes a character reference: unlike a backslash, it works inside
/// of `<code>`, and a reference never has a meaning itself (CommonMark 0.31, section 2.5).
pub(super) fn plain(text: &str) -> String {
    let text = text::shorten(&text::printable(text), CELL);
    let text = text.trim();
    // `1.` and `1)` at the start would be a list.
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let mut out = String::with_capacity(text.len());
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let mut before = None;
    for (i, c) in text.char_indices() {
        let next = text[i + c.len_utf8()..].chars().next();
        let active = match c {
            '&' | '<' | '>' | '|' | '`' | '*' | '[' | ']' | '\\' | '~' | '#' | '@' | '$' | '^' => true,
            // Within a word it means nothing: `http_req_duration` may stay as it is.
            '_' => !(before.is_some_and(is_word) && next.is_some_and(is_word)),
            // Addresses become links, and `:word:` a picture.
            ':' => next.is_some_and(|next| !next.is_whitespace() && !next.is_ascii_digit()),
            '.' | ')' if digits > 0 && i == digits => next.is_none_or(char::is_whitespace),
            '.' => text[..i].to_ascii_lowercase().ends_with("www"),
            '-' | '+' | '=' => i == 0,
            _ => false,
        };
        before = Some(c);
        if active {
            // Writing to a string cannot fail.
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// The same as code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", plain(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(plain("p(95)<350"), "p(95)&#60;350");
        assert_eq!(plain("a|b\nc"), "a&#124;b c");
        assert_eq!(plain("1. no list"), "1&#46; no list");
        assert_eq!(
            plain("see https://x.y and www.z.a"),
            "see https&#58;//x.y and www&#46;z.a"
        );
        assert_eq!(plain("judged: 3.5 ms at 2:04"), "judged: 3.5 ms at 2:04");
        assert_eq!(plain("99.02 %, http_req_duration"), "99.02 %, http_req_duration");
        assert_eq!(plain("_a_b_ :tada:"), "&#95;a_b&#95; &#58;tada:");
        assert_eq!(code("`x`"), "<code>&#96;x&#96;</code>");
    }

    #[test]
    fn a_page_ends_before_its_limit_and_says_so() {
        let mut page = Page::new(1000);
        for _ in 0..1000 {
            page.row(&["x".repeat(50)]);
        }
        let text = page.finish();
        assert!(text.len() < 1000, "{}", text.len());
        assert!(text.ends_with("more than 1 MiB.\n"));
        assert!(
            text.lines()
                .filter(|line| line.starts_with('|'))
                .all(|line| line.ends_with('|'))
        );
    }
}
