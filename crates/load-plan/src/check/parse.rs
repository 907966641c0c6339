//! Reads checks. Every error points at the place.

use super::{Comparison, Match, Test};
use crate::text::{caret, nearest};
use http::HeaderName;
use serde_json::Value;
use std::ops::RangeInclusive;

const KINDS: [&str; 5] = ["status", "no_graphql_errors", "body", "header", "json"];

/// Why a check cannot be used. The last lines of the message show where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}{hint}\n{shown}")]
pub struct CheckError {
    expected: &'static str,
    hint: String,
    /// The check, with a caret under the place.
    shown: String,
}

/// What is being read and how far it was.
struct Reader<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.whole[self.at..]
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Letters, digits and underscores.
    fn word(&mut self) -> &'a str {
        self.spaces();
        let rest = self.rest();
        let end = rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Up to the next space.
    fn piece(&mut self) -> &'a str {
        self.spaces();
        let rest = self.rest();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn comparison(&mut self) -> Option<Comparison> {
        self.spaces();
        let signs = [
            ("===", Comparison::Equal),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let (sign, comparison) = signs.into_iter().find(|(sign, _)| self.rest().starts_with(sign))?;
        self.at += sign.len();
        Some(comparison)
    }

    fn refuse(&self, at: usize, expected: &'static str) -> CheckError {
        let at = at.min(self.whole.len());
        let length = self.whole[at..].split_whitespace().next().map_or(1, str::len);
        CheckError {
            expected,
            hint: String::new(),
            shown: caret(self.whole, at, length),
        }
    }
}

pub(super) fn test(text: &str) -> Result<Test, CheckError> {
    let mut reader = Reader { whole: text, at: 0 };
    match reader.word() {
        "status" => status(&mut reader),
        "no_graphql_errors" => {
            reader.spaces();
            if reader.rest().is_empty() {
                Ok(Test::NoGraphqlErrors)
            } else {
                Err(reader.refuse(reader.at, "nothing after no_graphql_errors"))
            }
        }
        "body" => body(&mut reader),
        "header" => header(&mut reader),
        "json" => json(&mut reader),
        word => {
            let mut error = reader.refuse(
                0,
                "`status==200`, `status in 200..299`, `no_graphql_errors`, `body contains TEXT`, `header NAME == TEXT` or `json /POINTER == VALUE`",
            );
            if let Some(near) = nearest(word, KINDS) {
                error.hint = format!("; did you mean `{near}`?");
            }
            Err(error)
        }
    }
}

fn status(reader: &mut Reader<'_>) -> Result<Test, CheckError> {
    if let Some(comparison) = reader.comparison() {
        reader.spaces();
        let at = reader.at;
        let number = code(reader.rest()).ok_or_else(|| reader.refuse(at, "a status from 100 to 599"))?;
        return Ok(Test::Status(comparison, number));
    }
    reader.spaces();
    let at = reader.at;
    if reader.word() != "in" {
        return Err(reader.refuse(at, "a comparison such as `status==200`, or `status in 200..299`"));
    }
    let mut ranges = Vec::new();
    reader.spaces();
    for part in reader.rest().split(',') {
        let at = reader.at + (part.len() - part.trim_start().len());
        let range = range(part.trim())
            .ok_or_else(|| reader.refuse(at, "a status or a range such as 200..299, both ends included"))?;
        ranges.push(range);
        reader.at += part.len() + 1;
    }
    Ok(Test::StatusIn(ranges))
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let Some((from, to)) = text.split_once("..") else {
        return code(text).map(|code| code..=code);
    };
    let (from, to) = (code(from)?, code(to.strip_prefix('=').unwrap_or(to))?);
    (from <= to).then_some(from..=to)
}

fn code(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = digits.then(|| text.parse().ok()).flatten()?;
    (100..600).contains(&code).then_some(code)
}

fn body(reader: &mut Reader<'_>) -> Result<Test, CheckError> {
    reader.spaces();
    let at = reader.at;
    if reader.word() != "contains" {
        return Err(reader.refuse(at, "`body contains TEXT`"));
    }
    Ok(Test::BodyContains(text(reader)?.into_bytes()))
}

/// The rest, with or without double quotes (a JSON string).
fn text(reader: &mut Reader<'_>) -> Result<String, CheckError> {
    reader.spaces();
    let (at, rest) = (reader.at, reader.rest());
    let text = if rest.starts_with('"') {
        serde_json::from_str(rest).map_err(|_| reader.refuse(at, "a text that ends with its double quote"))?
    } else {
        rest.to_owned()
    };
    if text.is_empty() {
        return Err(reader.refuse(at, "a text: every response has an empty one"));
    }
    Ok(text)
}

fn header(reader: &mut Reader<'_>) -> Result<Test, CheckError> {
    reader.spaces();
    let at = reader.at;
    let rest = reader.rest();
    let end = rest
        .find(|letter: char| letter.is_whitespace() || matches!(letter, '=' | '!'))
        .unwrap_or(rest.len());
    reader.at += end;
    let name: HeaderName = rest[..end]
        .parse()
        .map_err(|_| reader.refuse(at, "the name of a header"))?;
    let wanted = matching(
        reader,
        "`exists`, `contains TEXT`, `== TEXT` or `!= TEXT` after the header's name",
        text,
    )?;
    Ok(Test::Header(name, wanted))
}

fn json(reader: &mut Reader<'_>) -> Result<Test, CheckError> {
    reader.spaces();
    let at = reader.at;
    let pointer = reader.piece();
    if !pointer.starts_with('/') {
        return Err(reader.refuse(at, "a JSON pointer, which begins with a slash, such as /data/user/id"));
    }
    let wanted = matching(
        reader,
        "`exists`, `contains VALUE`, `== VALUE` or `!= VALUE` after the pointer",
        value,
    )?;
    Ok(Test::Json(pointer.to_owned(), wanted))
}

/// JSON if it is JSON, and text otherwise.
fn value(reader: &mut Reader<'_>) -> Result<Value, CheckError> {
    reader.spaces();
    let rest = reader.rest();
    if rest.is_empty() {
        return Err(reader.refuse(reader.at, "a value: JSON, or text"));
    }
    match serde_json::from_str(rest) {
        Ok(value) => Ok(value),
        Err(_) if rest.starts_with(['"', '{', '[']) => Err(reader.refuse(reader.at, "a value that is JSON to its end")),
        Err(_) => Ok(Value::String(rest.to_owned())),
    }
}

fn matching<T>(
    reader: &mut Reader<'_>,
    expected: &'static str,
    operand: impl Fn(&mut Reader<'_>) -> Result<T, CheckError>,
) -> Result<Match<T>, CheckError> {
    match reader.comparison() {
        Some(Comparison::Equal) => return operand(reader).map(Match::Equal),
        Some(Comparison::NotEqual) => return operand(reader).map(Match::NotEqual),
        Some(_) => return Err(reader.refuse(reader.at.saturating_sub(1), expected)),
        None => {}
    }
    reader.spaces();
    let at = reader.at;
    match reader.word() {
        "exists" if reader.rest().trim().is_empty() => Ok(Match::Exists),
        "contains" => operand(reader).map(Match::Contains),
        _ => Err(reader.refuse(at, expected)),
    }
}
