//! The bytes of every answer, made once.

use bytes::Bytes;

use crate::config::{Kind, TargetConfig};

/// A right answer to the smallest GraphQL query, `{ __typename }`.
const RIGHT: &str = r#"{"data":{"__typename":"Query"}}"#;
const GRAPHQL_ERROR: &str = r#"{"data":null,"errors":[{"message":"the database is away","path":["__typename"]}]}"#;
const LOGIN_PAGE: &str =
    "<!doctype html><title>Sign in</title><form method=post action=/login><input name=user></form>\n";
const ERROR: &str = r#"{"error":"as configured"}"#;

/// What is sent instead of HTTP.
pub(crate) const GARBAGE: &[u8] = b"\x15\x03\x01 220 this is no HTTP\r\n\r\n";
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
pub(crate) const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// As HTTP/1.1, keeping the connection.
    pub(crate) kept: Bytes,
    /// As HTTP/1.1, announcing its end.
    pub(crate) last: Bytes,
    /// How long the head of `kept` is.
    pub(crate) head: usize,
}

impl Answer {
    fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown");
        let head = |extra: &str| {
            format!(
                "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n{extra}\r\n",
                body.len()
            )
        };
        let whole = |head: &str| Bytes::from([head.as_bytes(), &body].concat());
        let (kept, last) = (head(""), head("connection: close\r\n"));
        Self {
            status,
            content_type,
            kept: whole(&kept),
            last: whole(&last),
            head: kept.len(),
            body,
        }
    }
}

/// All answers of a target.
#[derive(Debug)]
pub(crate) struct Answers {
    right: Answer,
    error: Answer,
    graphql_error: Answer,
    html: Answer,
}

impl Answers {
    pub(crate) fn new(config: &TargetConfig) -> Self {
        let json = "application/json";
        Self {
            right: Answer::new(200, json, right_body(config.body_bytes)),
            error: Answer::new(config.error_status, json, ERROR),
            graphql_error: Answer::new(200, json, GRAPHQL_ERROR),
            html: Answer::new(200, "text/html; charset=utf-8", LOGIN_PAGE),
        }
    }

    /// The answer to a request that this becomes of; what has no answer of its own has the right one, for the part of
    /// it that is sent.
    pub(crate) fn of(&self, kind: Kind) -> &Answer {
        match kind {
            Kind::Error => &self.error,
            Kind::GraphqlError => &self.graphql_error,
            Kind::Html => &self.html,
            _ => &self.right,
        }
    }
}

fn right_body(bytes: usize) -> String {
    const WITH: &str = r#"{"data":{"__typename":"Query","filler":""}}"#;
    if bytes <= WITH.len() {
        return RIGHT.to_owned();
    }
    let filler = "x".repeat(bytes - WITH.len());
    format!(r#"{{"data":{{"__typename":"Query","filler":"{filler}"}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_of_the_size_that_was_asked_for() {
        for bytes in [0, 100, 10_000] {
            let body = right_body(bytes);
            let value: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(value["data"]["__typename"], "Query");
            assert!(bytes == 0 || body.len() == bytes);
        }
    }

    #[test]
    fn heads_end_where_bodies_begin() {
        let answers = Answers::new(&TargetConfig::default());
        let answer = answers.of(Kind::GraphqlError);
        assert_eq!(&answer.kept[answer.head..], &answer.body[..]);
        assert!(answer.last.ends_with(&answer.body));
        assert!(String::from_utf8_lossy(&answer.last).contains("\r\nconnection: close\r\n\r\n"));
    }
}
