//! What a response must satisfy.
//!
//! | written | passes when |
//! |---|---|
//! | `status==200`, `!=`, `<`, `<=`, `>`, `>=` | the status compares so |
//! | `status in 200..299,304` | the status is in one of the ranges, both ends included |
//! | `no_graphql_errors` | the body is a JSON object whose `data` is not null, without `errors` |
//! | `body contains TEXT` | the body has these bytes |
//! | `header NAME exists`, `contains TEXT`, `== TEXT`, `!= TEXT` | some value of the header does |
//! | `json /POINTER exists`, `== VALUE`, `!= VALUE` | the body is JSON and the value there (RFC 6901) does |

mod graphql;
mod parse;
#[cfg(test)]
mod tests;

pub use parse::CheckError;

use http::{HeaderMap, HeaderName};
use serde_json::Value;
use std::{cmp::Ordering, ops::RangeInclusive};

/// What a response must satisfy.
#[derive(Debug, Clone)]
pub struct Check {
    name: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Status(Comparison, u16),
    StatusIn(Vec<RangeInclusive<u16>>),
    NoGraphqlErrors,
    BodyContains(Vec<u8>),
    Header(HeaderName, Match<String>),
    Json(String, Match<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

#[derive(Debug, Clone)]
enum Match<T> {
    Exists,
    Contains(T),
    Equal(T),
    NotEqual(T),
}

impl Check {
    /// Reads a check.
    ///
    /// # Errors
    /// It is none of the forms above. The message points at the place.
    pub fn parse(text: &str) -> Result<Self, CheckError> {
        let name = text.trim();
        Ok(Self {
            name: name.to_owned(),
            test: parse::test(name)?,
        })
    }

    /// As it was written, without outer spaces: the value of the tag `check`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the response's body is needed.
    pub fn needs_body(&self) -> bool {
        matches!(
            self.test,
            Test::NoGraphqlErrors | Test::BodyContains(_) | Test::Json(..)
        )
    }

    /// Whether a response satisfies it. What cannot be read does not.
    pub fn passes(&self, status: u16, headers: &HeaderMap, body: &[u8]) -> bool {
        match &self.test {
            Test::Status(comparison, wanted) => comparison.holds(status.cmp(wanted)),
            Test::StatusIn(ranges) => ranges.iter().any(|range| range.contains(&status)),
            Test::NoGraphqlErrors => graphql::is_clean(body),
            Test::BodyContains(wanted) => {
                wanted.is_empty() || body.windows(wanted.len()).any(|part| part == wanted.as_slice())
            }
            Test::Header(name, wanted) => header(headers, name, wanted),
            Test::Json(pointer, wanted) => json(body, pointer, wanted),
        }
    }
}

fn header(headers: &HeaderMap, name: &HeaderName, wanted: &Match<String>) -> bool {
    let mut values = headers.get_all(name).iter().map(http::HeaderValue::as_bytes).peekable();
    match wanted {
        Match::Exists => values.peek().is_some(),
        Match::Contains(text) => {
            let text = text.as_bytes();
            values.any(|value| value.windows(text.len()).any(|part| part == text))
        }
        Match::Equal(text) => values.any(|value| value == text.as_bytes()),
        // A header that is missing has no value that differs.
        Match::NotEqual(text) => values.peek().is_some() && values.all(|value| value != text.as_bytes()),
    }
}

fn json(body: &[u8], pointer: &str, wanted: &Match<Value>) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    let Some(found) = document.pointer(pointer) else {
        return false;
    };
    match wanted {
        Match::Exists => true,
        Match::Contains(part) => match (found, part) {
            (Value::String(found), Value::String(part)) => found.contains(part.as_str()),
            (Value::Array(found), part) => found.iter().any(|each| same(each, part)),
            _ => false,
        },
        Match::Equal(value) => same(found, value),
        Match::NotEqual(value) => !same(found, value),
    }
}

/// Equal as JSON means it: 1 and 1.0 are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
