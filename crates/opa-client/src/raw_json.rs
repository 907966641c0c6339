//! Owns [`RawJson`]: JSON text that was checked once by streaming and is then handed on byte for byte.
//! A document of a million entries as a tree would need thirty times its text.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::body::Chunks;

/// One complete, valid JSON value as text. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct RawJson(Chunks);

/// Documents that cannot lie in one object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NestError {
    /// Two documents have the same path, or one lies inside the other.
    #[error("two documents want the same place: `{path}` is given twice or lies inside another document")]
    Overlap {
        /// The path of the second one.
        path: String,
    },
}

/// Objects on the way down to the documents.
enum Node {
    Object(BTreeMap<String, Node>),
    Document(RawJson),
}

impl RawJson {
    /// Takes JSON text after one streaming pass over it: syntax, nesting below 128, nothing after the value.
    ///
    /// # Errors
    /// The first fault with its line and column.
    pub fn check(text: Bytes) -> Result<Self, serde_json::Error> {
        serde_json::from_slice::<IgnoredAny>(&text)?;
        Ok(Self(text.into()))
    }

    /// The text of a value in memory.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(Bytes::from(value.to_string()).into())
    }

    /// One object holding documents at paths relative to it: `["a", "b"]` becomes `{"a":{"b":…}}`.
    /// Keys are sorted; the texts of the documents are not touched. A path without segments is the
    /// whole value, so it must be the only one.
    ///
    /// # Errors
    /// Two documents at one place.
    pub fn nest<'a>(documents: impl IntoIterator<Item = (&'a [String], Self)>) -> Result<Self, NestError> {
        let mut root = Node::Object(BTreeMap::new());
        for (path, document) in documents {
            let overlap = || NestError::Overlap { path: path.join("/") };
            let mut place = &mut root;
            for segment in path {
                match place {
                    Node::Object(members) => {
                        place = members
                            .entry(segment.clone())
                            .or_insert_with(|| Node::Object(BTreeMap::new()));
                    }
                    Node::Document(_) => return Err(overlap()),
                }
            }
            match place {
                // An object with members was made by another document below this place.
                Node::Object(members) if members.is_empty() => *place = Node::Document(document),
                _ => return Err(overlap()),
            }
        }
        let mut out = Chunks::default();
        write_node(root, &mut out);
        Ok(Self(out))
    }

    /// The text in pieces.
    pub fn chunks(&self) -> &Chunks {
        &self.0
    }

    pub(crate) fn into_chunks(self) -> Chunks {
        self.0
    }
}

fn write_node(node: Node, out: &mut Chunks) {
    match node {
        Node::Document(RawJson(text)) => out.append(text),
        Node::Object(members) => {
            let mut before = "{";
            for (key, member) in members {
                out.push(Bytes::from(format!("{before}{}:", json_string(&key))));
                write_node(member, out);
                before = ",";
            }
            out.push(Bytes::from_static(if before == "{" { b"{}" } else { b"}" }));
        }
    }
}

/// A JSON string literal.
pub(crate) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &'static str) -> RawJson {
        RawJson::check(Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn only_one_complete_value_is_json() {
        for bad in ["", "{", "{}{}", "{\"a\":1},\"b\":{}", "nul", "[1,]", "'a'"] {
            assert!(RawJson::check(Bytes::from_static(bad.as_bytes())).is_err(), "{bad}");
        }
        assert_eq!(raw(" {\"a\": 1.50} ").chunks().to_bytes(), " {\"a\": 1.50} ");
    }

    #[test]
    fn documents_are_nested_without_touching_their_text() {
        let (retention, deep, odd) = (path("retention"), path("a/b/c"), vec!["q\"/\n".to_owned()]);
        let nested = RawJson::nest([
            (retention.as_slice(), raw("{\"days\": 1.50e2}")),
            (deep.as_slice(), raw("[1]")),
            (odd.as_slice(), raw("null")),
        ])
        .unwrap();
        let text = nested.chunks().to_bytes();
        assert_eq!(
            text,
            r#"{"a":{"b":{"c":[1]}},"q\"/\n":null,"retention":{"days": 1.50e2}}"#
        );
        assert!(RawJson::check(text).is_ok());
    }

    #[test]
    fn a_value_without_a_path_is_itself_and_nothing_is_an_empty_object() {
        assert_eq!(
            RawJson::nest([([].as_slice(), raw("7"))]).unwrap().chunks().to_bytes(),
            "7"
        );
        assert_eq!(RawJson::nest([]).unwrap().chunks().to_bytes(), "{}");
    }

    #[test]
    fn overlapping_documents_are_refused() {
        let (a, ab) = (path("a"), path("a/b"));
        for (first, second) in [(&a, &a), (&a, &ab), (&ab, &a)] {
            let error = RawJson::nest([(first.as_slice(), raw("{}")), (second.as_slice(), raw("{}"))]).err();
            assert_eq!(error, Some(NestError::Overlap { path: second.join("/") }));
        }
    }
}
