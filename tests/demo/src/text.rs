//! Owns small texts: wrapping, durations, counts, command lines. Pure.

use std::path::Path;
use std::time::Duration;

/// Columns that everything fits into.
pub(crate) const WIDTH: usize = 96;

/// Breaks text into lines of at most `width` columns; a longer word stands alone.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How many columns a text takes on a terminal; all that is printed here is one column a character.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// A duration as a person reads it: `412 ms`, `3.21 s`.
pub(crate) fn duration(took: Duration) -> String {
    if took < Duration::from_micros(50) {
        "< 0.1 ms".to_owned()
    } else if took < Duration::from_millis(10) {
        format!("{:.1} ms", took.as_secs_f64() * 1e3)
    } else if took < Duration::from_secs(1) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.2} s", took.as_secs_f64())
    }
}

/// A count with separators: `12,345`.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 answer`, `2 answers`.
pub(crate) fn plural(number: usize, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// SHA-256 digests by their first twelve digits: enough to compare by eye, and they fit into a line.
pub(crate) fn short_digests(text: &str) -> String {
    const MARK: &str = "sha256:";
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MARK) {
        let end = after.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(after.len());
        let (digits, tail) = after.split_at(end);
        out.push_str(before);
        out.push_str(MARK);
        out.push_str(&shorten(digits, 13));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// At most `width` columns, with an ellipsis where something was cut off.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A command line as a person would type it, in parts that stay together: options with their values, quoted where a
/// shell needs it, the temporary folder as `$DEMO`.
pub(crate) fn command_line(program: &str, args: &[String], folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let mut words = vec![program.to_owned()];
    for arg in args {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
        let typed = if !arg.is_empty() && arg.chars().all(plain) {
            arg.replace(&folder, "$DEMO")
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        };
        match words.last_mut() {
            Some(word) if word.starts_with("--") && !arg.starts_with("--") => {
                word.push(' ');
                word.push_str(&typed);
            }
            _ => words.push(typed),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_as_they_are_told() {
        let args = [
            "run",
            "--key",
            "/tmp/x/mc.pub",
            "--flag",
            "--threshold",
            "a=p(95)<350",
            "--id",
            "",
        ];
        assert_eq!(
            command_line("tool", &args.map(str::to_owned), Path::new("/tmp/x")),
            [
                "tool",
                "run",
                "--key $DEMO/mc.pub",
                "--flag",
                "--threshold 'a=p(95)<350'",
                "--id ''"
            ]
        );
        assert_eq!(
            command_line("tool", &["it's".to_owned()], Path::new("/tmp/x")),
            ["tool", r"'it'\''s'"]
        );
    }

    #[test]
    fn lines_break_between_words_and_long_words_stay_whole() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("a sha256:0123456789 b", 6), ["a", "sha256:0123456789", "b"]);
        assert!(wrap("  ", 5).is_empty());
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(duration(Duration::from_micros(1_240)), "1.2 ms");
        assert_eq!(duration(Duration::from_millis(412)), "412 ms");
        assert_eq!(duration(Duration::from_millis(3_214)), "3.21 s");
        assert_eq!(
            [count(7), count(999), count(1_000), count(1_234_567)],
            ["7", "999", "1,000", "1,234,567"]
        );
        assert_eq!([plural(1, "poll"), plural(0, "poll")], ["1 poll", "0 polls"]);
        assert_eq!(shorten("abcdef", 4), "abc…");
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(
            short_digests(&format!("key sha256:{digest}, not sha256:00.")),
            "key sha256:0123456789ab…, not sha256:00."
        );
    }
}
