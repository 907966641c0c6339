//! Owns the words of errors: what serde and the parsers say, as a person would say it.

use super::tree::MARK;
use crate::text::{nearest, plain, quoted};

/// A message of serde or of a parser in our words. `path` is told beside it, so it is not said twice.
pub(super) fn ours(path: &str, said: &str) -> String {
    if let Some((_, own)) = said.split_once(MARK) {
        return long(own.split(" at line ").next().unwrap_or(own));
    }
    // Both parsers add the place to their message, each in its own way; it is said once, in front.
    let said = said.split(" at line ").next().unwrap_or(said);
    let said = said.strip_prefix(&format!("{path}: ")).unwrap_or(said);
    if said.contains("more than one document") {
        return "expected one document, found more of them, separated by `---`".to_owned();
    }
    unknown(said)
        .or_else(|| missing(said))
        .or_else(|| unfit(said))
        .unwrap_or_else(|| long(said))
}

/// Messages may be longer than what strangers wrote, but not without end, and they stay on one line.
fn long(said: &str) -> String {
    let words: Vec<String> = said.split_whitespace().take(60).map(plain).collect();
    words.join(" ")
}

/// "unknown field `x`, expected one of `a`, `b`".
fn unknown(said: &str) -> Option<String> {
    let (what, rest) = if let Some(rest) = said.strip_prefix("unknown field `") {
        ("key", rest)
    } else {
        ("value", said.strip_prefix("unknown variant `")?)
    };
    // The name comes from a stranger and may hold anything, the list that follows it does not.
    let (found, listed) = rest
        .rsplit_once("`, expected one of ")
        .or_else(|| rest.rsplit_once("`, expected "))
        .or_else(|| rest.rsplit_once("`, there are no "))?;
    let known: Vec<&str> = listed.split('`').skip(1).step_by(2).collect();
    let named: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let expected = match named.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    Some(match nearest(found, known.iter().copied()) {
        Some(near) => format!(
            "unknown {what} {}: did you mean `{near}`? Expected {expected}",
            quoted(found)
        ),
        None => format!("unknown {what} {}: expected {expected}", quoted(found)),
    })
}

fn missing(said: &str) -> Option<String> {
    let name = said.strip_prefix("missing field `")?.strip_suffix('`')?;
    Some(format!("the key `{name}` is missing"))
}

/// "invalid type: string \"x\", expected f64".
fn unfit(said: &str) -> Option<String> {
    let rest = said
        .strip_prefix("invalid type: ")
        .or_else(|| said.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    if found == "unit variant" {
        return Some("expected more than its name: write it as a key, with its value behind it".to_owned());
    }
    let expected = match expected {
        "f64" => "a number",
        "i64" => "a whole number",
        "u64" => "a whole number that is not negative",
        "a sequence" => "a list",
        "a map" => "names with values",
        "a string" => "a text",
        "a boolean" => "true or false",
        "unit" => "a name alone, without a value",
        "string or map" => "a name, or one key with its value",
        other => other.strip_prefix("struct ").map_or(other, |_| "names with values"),
    };
    let found = match found {
        "sequence" => "a list".to_owned(),
        "map" => "names with values".to_owned(),
        "unit value" | "null" => "nothing".to_owned(),
        "enum" => "a tag of YAML".to_owned(),
        other => match other.split_once(' ') {
            // `integer `7``, `floating point `1.5``, `boolean `true``, `string "x"`
            Some(("integer" | "boolean", value)) => plain(value),
            Some(("floating", value)) => plain(value.trim_start_matches("point ")),
            Some(("string", value)) => format!("the text {}", plain(value)),
            _ => plain(other),
        },
    };
    Some(format!("expected {expected}, found {found}"))
}
