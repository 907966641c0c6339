//! The `package` clause of a policy, read without parsing the policy: it must be known before anything loads the
//! file, because a package under `system` would configure OPA itself.
//!
//! Grammar (OPA policy reference): the first statement, after white space and `#` comments, is `package` and a
//! reference whose first part is a name and whose others are `.name` or `["text"]`. What is unclear is refused.

/// The parts of the package's path, or why there is none.
pub(super) fn of(source: &str) -> Result<Vec<String>, String> {
    if source.starts_with('\u{feff}') {
        return Err("it starts with a byte order mark; save it as UTF-8 without one".to_owned());
    }
    let unclear = |found: &str| {
        let shown: String = found.chars().take(30).collect();
        format!("expected a package clause as its first statement, found {shown:?}")
    };
    let start = skip_blank(source);
    let clause = start
        .strip_prefix("package")
        .filter(|rest| rest.starts_with(blank_or_comment));
    let mut rest = skip_blank(clause.ok_or_else(|| unclear(start))?);

    let (first, after) = name(rest).ok_or_else(|| unclear(start))?;
    let mut path = vec![first.to_owned()];
    rest = after;
    loop {
        let (part, after) = if let Some(dotted) = rest.strip_prefix('.') {
            let (part, after) = name(dotted).ok_or_else(|| unclear(start))?;
            (part.to_owned(), after)
        } else if let Some(bracket) = rest.strip_prefix('[') {
            bracketed(bracket).ok_or_else(|| unclear(start))?
        } else {
            break;
        };
        if part.is_empty() {
            return Err("a part of the package's path is empty".to_owned());
        }
        path.push(part);
        rest = after;
    }
    // A dot or bracket after white space might still belong to the path for some parser, and not for another.
    let ends = rest.is_empty() || rest.starts_with(|c| blank_or_comment(c) || c == ';');
    if !ends || skip_blank(rest).starts_with(['.', '[']) {
        return Err(unclear(start));
    }
    Ok(path)
}

fn blank_or_comment(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '#')
}

/// What follows white space and comments.
fn skip_blank(source: &str) -> &str {
    let mut rest = source;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(comment) = rest.strip_prefix('#') else {
            return rest;
        };
        rest = comment
            .find('\n')
            .and_then(|end| comment.get(end..))
            .unwrap_or_default();
    }
}

fn name(source: &str) -> Option<(&str, &str)> {
    let end = source
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(source.len());
    let (name, rest) = source.split_at_checked(end)?;
    let first = name.chars().next()?;
    (!first.is_ascii_digit()).then_some((name, rest))
}

/// The text of `"text"]` or `` `text`] ``, and what follows.
fn bracketed(source: &str) -> Option<(String, &str)> {
    let blank = [' ', '\t'];
    let source = source.trim_start_matches(blank);
    let (text, rest) = if let Some(raw) = source.strip_prefix('`') {
        let (text, rest) = raw.split_once('`')?;
        (text.to_owned(), rest)
    } else {
        let inner = source.strip_prefix('"')?;
        let end = closing_quote(inner)?;
        // The literal with both quotes; Rego's strings are JSON's.
        let (literal, rest) = source.split_at_checked(end + 2)?;
        (serde_json::from_str(literal).ok()?, rest)
    };
    Some((text, rest.trim_start_matches(blank).strip_prefix(']')?))
}

fn closing_quote(inner: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some(at),
            '\n' => return None,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn reads_package_clauses() {
        for (source, expected) in [
            ("package cos.abac", vec!["cos", "abac"]),
            (
                "# METADATA\n# title: \"package no.no\"\n\n\tpackage a\n\ndefault allow = false\n",
                vec!["a"],
            ),
            (
                "package a.b[\"c-d\"].e # why\nimport rego.v1",
                vec!["a", "b", "c-d", "e"],
            ),
            ("package a[\"s\\u0079stem\\\"]\"]\n", vec!["a", "system\"]"]),
            ("package a[ `b\\` ]\r\n", vec!["a", "b\\"]),
            ("package # odd\n a_1;allow = true", vec!["a_1"]),
            ("#one\n#two\npackage\ta\n# .b\n", vec!["a"]),
        ] {
            assert_eq!(of(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn refuses_what_is_unclear() {
        for source in [
            "",
            "# only a comment",
            "package",
            "package ",
            "packages.a",
            "import data.x\npackage a",
            "\u{feff}package a",
            "package 1a",
            "package a.",
            "package a..b",
            "package a .b",
            "package a\n[\"b\"]",
            "package a[0]",
            "package a[\"b\"",
            "package a[\"b\n\"]",
            "package a[\"\"]",
            "package a[\"\\q\"]",
            "package \"a\"",
            "package a-b",
            "package ä",
            "package sуstem\u{200b}",
        ] {
            assert!(of(source).is_err(), "{source:?}: {:?}", of(source));
        }
    }
}
