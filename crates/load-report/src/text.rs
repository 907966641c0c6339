//! Text and figures as people read them, safe to show: no control characters, nothing that turns the line around.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for a figure that nobody can give.
pub(crate) const NONE: &str = "–";

/// Makes text that strangers chose harmless on a screen: line breaks and tabs become spaces, other control characters
/// (a terminal obeys them) and those that reorder text (a reader is fooled by them) the replacement character.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| shown(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(shown).collect())
}

/// One character of [`printable`].
fn shown(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        // Invisible, or reorders what follows; the last two are no characters in XML.
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}'
        | '\u{061c}'
        | '\u{fffe}'
        | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// At most `max` characters; an ellipsis tells that there was more.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Columns of a terminal that the text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// At most `max` columns of a terminal; an ellipsis tells that there was more.
pub(crate) fn fit(text: &str, max: usize) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let mut used = 0;
    let mut short = String::new();
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if used + width + 1 > max {
            break;
        }
        used += width;
        short.push(c);
    }
    if max > 0 {
        short.push('…');
    }
    short
}

/// Breaks text into lines of at most `width` columns, between words; a longer word is cut into pieces.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = columns(word);
        if used > 0 && used + 1 + wide > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if wide <= width {
            line.push_str(word);
            used += wide;
            continue;
        }
        for c in word.chars() {
            let one = c.width().unwrap_or(0);
            if used + one > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += one;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A whole number with commas: `15,000`.
pub(crate) fn count(n: u64) -> String {
    group(&n.to_string())
}

/// A figure with about three significant digits and commas: `0.061`, `9.12`, `88.1`, `1,204`.
pub(crate) fn figure(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() {
        return if x.is_nan() {
            NONE.to_owned()
        } else {
            "infinite".to_owned()
        };
    }
    if size >= 1e12 || (size > 0.0 && size < 5e-4) {
        return format!("{x:.2e}");
    }
    // What would be shown as `10.00` belongs to the next row.
    let text = if size < 0.9995 {
        format!("{x:.3}")
    } else if size < 9.995 {
        format!("{x:.2}")
    } else if size < 99.95 {
        format!("{x:.1}")
    } else {
        format!("{x:.0}")
    };
    if size == 0.0 { "0".to_owned() } else { group(&text) }
}

/// A share of 1 in percent: `0.03 %`, `99.93 %`. Never rounds to 0 or 100 what is neither.
pub(crate) fn percent(share: f64) -> String {
    let p = share * 100.0;
    if !p.is_finite() {
        return NONE.to_owned();
    }
    let text = if (0.0..=0.0).contains(&p) || (100.0..=100.0).contains(&p) {
        format!("{p:.0}")
    } else if p > 0.0 && p < 0.005 {
        "<0.01".to_owned()
    } else if p < 100.0 && p > 99.995 {
        ">99.99".to_owned()
    } else if p.abs() < 1e6 {
        let text = format!("{p:.2}");
        text.strip_suffix(".00").map_or(text.clone(), ToOwned::to_owned)
    } else {
        format!("{p:.2e}")
    };
    format!("{text} %")
}

/// `part` of `whole` in percent; nothing of nothing is [`NONE`].
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    percent(part as f64 / whole as f64)
}

/// A time span for a clock: `0:07`, `2:10`, `1:02:10`.
pub(crate) fn clock(seconds: f64) -> String {
    if !(0.0..1e9).contains(&seconds) {
        return NONE.to_owned();
    }
    // In range, see above.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let s = seconds as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

/// A time span in words: `0.4 s`, `10 s`, `5 min`, `1 h 2 min`.
pub(crate) fn span(seconds: f64) -> String {
    if !(0.0..1e9).contains(&seconds) {
        return NONE.to_owned();
    }
    if seconds < 60.0 {
        let tenths = (seconds * 10.0).round() / 10.0;
        return format!("{tenths} s");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let s = seconds.round() as u64;
    let parts = [(s / 3600, "h"), (s / 60 % 60, "min"), (s % 60, "s")];
    let words: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    words.join(" ")
}

/// A size: `512 B`, `1.50 KiB`, `2.00 GiB`.
pub(crate) fn bytes(n: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    if !n.is_finite() {
        return NONE.to_owned();
    }
    let mut size = n;
    let mut unit = 0;
    while size.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let number = if unit == 0 && size.fract() == 0.0 {
        format!("{size:.0}")
    } else {
        figure(size)
    };
    format!("{number} {}", UNITS[unit])
}

/// Puts commas between groups of three digits of the whole part.
fn group(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(printable("plain ünïcode 表"), "plain ünïcode 表");
        assert_eq!(
            printable("a\x1b[31mred\nb\u{202e}c\u{9b}"),
            "a\u{fffd}[31mred b\u{fffd}c\u{fffd}"
        );
    }

    #[test]
    fn figures_have_three_digits_or_so() {
        let cases = [
            (0.0, "0"),
            (0.0001, "1.00e-4"),
            (0.0612, "0.061"),
            (0.9999, "1.00"),
            (9.123, "9.12"),
            (9.999, "10.0"),
            (88.14, "88.1"),
            (99.96, "100"),
            (1204.4, "1,204"),
            (1_234_567.0, "1,234,567"),
            (-12345.0, "-12,345"),
            (1e300, "1.00e300"),
            (f64::NAN, NONE),
            (f64::INFINITY, "infinite"),
        ];
        for (x, expected) in cases {
            assert_eq!(figure(x), expected, "{x}");
        }
    }

    #[test]
    fn percentages_never_round_to_all_or_nothing() {
        let cases = [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.000_001, "<0.01 %"),
            (0.999_999, ">99.99 %"),
            (0.9993, "99.93 %"),
        ];
        for (x, expected) in cases {
            assert_eq!(percent(x), expected);
        }
        assert_eq!(share(0, 0), NONE);
        assert_eq!(share(1, 3), "33.33 %");
    }

    #[test]
    fn spans_and_sizes_read_well() {
        assert_eq!([clock(7.9), clock(130.0), clock(3730.0)], ["0:07", "2:10", "1:02:10"]);
        assert_eq!(
            [span(0.44), span(10.0), span(300.0), span(3720.0)],
            ["0.4 s", "10 s", "5 min", "1 h 2 min"]
        );
        assert_eq!(
            [bytes(512.0), bytes(1536.0), bytes(2.0 * 1024.0 * 1024.0 * 1024.0)],
            ["512 B", "1.50 KiB", "2.00 GiB"]
        );
        assert_eq!([clock(f64::NAN), span(-1.0)], [NONE, NONE]);
    }

    #[test]
    fn lines_are_never_too_long() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefghijklmnop", 8), ["abcdefgh", "ijklmnop"]);
        assert_eq!(wrap("", 9), [""]);
        for line in wrap("表表表表表表表表 x 表表表", 9) {
            assert!(columns(&line) <= 9, "{line}");
        }
        assert_eq!(fit("表表表", 5), "表表…");
        assert_eq!(shorten("abcdef", 4), "abc…");
    }
}
