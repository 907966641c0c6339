//! What bytes look like that are no tar: a person who sees "HTML page" knows that a proxy or a login page answered.

/// How far into the bytes it looks. Enough for an HTML head with comments before it.
const WINDOW: usize = 1024;

const MAGIC: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x1f\x9d", "a compress (.Z) archive"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF document"),
    (b"-----BEGIN ", "a PEM file"),
];

/// Names what bytes look like that did not turn out to be a pack: "an HTML page", "a JSON document", "nothing".
pub fn looks_like(bytes: &[u8]) -> &'static str {
    if bytes.is_empty() {
        return "nothing: the body is empty";
    }
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return name;
    }
    let window = bytes.get(..WINDOW).unwrap_or(bytes);
    let Some(text) = as_text(window, bytes.len() > WINDOW) else {
        return if bytes.iter().all(|byte| *byte == 0) {
            "zero bytes"
        } else {
            "unknown binary data"
        };
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_ascii_lowercase();
    match text.chars().next() {
        None => "white space only",
        Some('{' | '[') => "a JSON document, perhaps an error message",
        Some('<')
            if ["<!doctype html", "<html", "<head", "<body"]
                .iter()
                .any(|tag| lower.contains(tag)) =>
        {
            "an HTML page"
        }
        Some('<') => "an XML or HTML document",
        Some(_) if lower.starts_with("package ") => "a single policy file",
        Some(_) => "plain text",
    }
}

/// The window as text, if it has nothing but text. A character may be cut by the window's end.
fn as_text(window: &[u8], cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(window.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || c.is_whitespace();
    text.chars().all(printable).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::looks_like;

    #[test]
    fn names_what_it_sees() {
        let long = format!("<!-- {} --><!DOCTYPE html>", "ö".repeat(400));
        let cases: [(&[u8], &str); 12] = [
            (b"", "nothing: the body is empty"),
            (b"  \n", "white space only"),
            (b"\xef\xbb\xbf\n<!DOCTYPE html><p>", "an HTML page"),
            (long.as_bytes(), "an HTML page"),
            (b"<?xml version='1.0'?><Error/>", "an XML or HTML document"),
            (
                b"{\"error\":\"pack not built yet\"}",
                "a JSON document, perhaps an error message",
            ),
            (b"upstream connect error", "plain text"),
            (b"package a\n", "a single policy file"),
            (b"PK\x03\x04rest", "a zip archive"),
            (b"\x00\x00", "zero bytes"),
            (b"\x00\x01", "unknown binary data"),
            (b"ab\xff", "unknown binary data"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(looks_like(bytes), expected);
        }
        let cut = [&[b'x'; 1023][..], "ö and more".as_bytes()].concat();
        assert_eq!(looks_like(&cut), "plain text");
    }
}
