//! How a value is changed so that it cannot break out of its place.

use std::fmt::Write;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Inside of a JSON string (RFC 8259, section 7).
    Json,
    /// Everything but RFC 3986's unreserved characters as `%XX`.
    Url,
}

/// Appends `text` with all escapes done, the first one first.
pub(super) fn write(text: &str, escapes: &[Escape], out: &mut String) {
    match escapes {
        [] => out.push_str(text),
        [Escape::Json] => json(text, out),
        [Escape::Url] => url(text, out),
        [first, rest @ ..] => {
            let mut inner = String::with_capacity(text.len());
            write(text, &[*first], &mut inner);
            write(&inner, rest, out);
        }
    }
}

fn json(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if (letter as u32) < 0x20 => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
}

fn url(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}
