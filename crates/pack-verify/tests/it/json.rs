//! The JSON check: a table of cases, and agreement with `serde_json` and a naive search for duplicate keys.

use std::collections::HashSet;
use std::fmt::Write as _;

use pack_verify::json::{DEEPEST, JsonKind, JsonProblem, check, has_path};
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[test]
fn sound_documents() {
    for (text, kind, depth, keys) in [
        ("null", JsonKind::Scalar, 0, 0),
        (" \"x\" ", JsonKind::Scalar, 0, 0),
        ("{}", JsonKind::Object, 1, 0),
        ("[[],{\"a\":[]}]", JsonKind::Array, 3, 1),
        ("{\"\":1,\"\\u0000\":2,\"a\":{\"a\":{\"a\":1}}}", JsonKind::Object, 3, 5),
        (
            "[-0, 1E5, 123456789012345678901234567890, 0.1e-7, true, false]",
            JsonKind::Array,
            1,
            0,
        ),
        ("\"\\ud83d\\ude00 \\\" \\\\ ä\"", JsonKind::Scalar, 0, 0),
    ] {
        let shape = check(text.as_bytes(), 64).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((shape.kind, shape.depth, shape.keys), (kind, depth, keys), "{text}");
    }
}

#[test]
fn refused_documents() {
    for (text, says) in [
        (&b""[..], "line 1, column 0: the text ends before the value does"),
        (b"  \n ", "ends before"),
        (b"{\"a\":", "line 1, column 5: the text ends before"),
        (b"{\"a\" 1}", "line 1, column 6: expected `:`"),
        (b"[1,]", "line 1, column 4: trailing comma"),
        (b"{\"a\":1,}", "trailing comma"),
        (b"{a:1}", "key must be a string"),
        (b"[1 2]", "expected `,` or `]`"),
        (b"// x\n1", "expected value"),
        (b"NaN", "expected value"),
        (b"01", "invalid number"),
        (b"1e999", "out of range"),
        (b"{} {}", "line 1, column 4: there is more text"),
        (b"1\0", "more text"),
        (b"\"a\nb\"", "control character"),
        (b"\"\\x\"", "invalid escape"),
        (b"\"\\ud800\"", "unexpected end of hex escape"),
        (b"\"\\udc00\"", "lone leading surrogate"),
        (b"{\"\\ud800\":1}", "unexpected end of hex escape"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\0}\0", "line 1, column 1: the text is not UTF-8"),
        (b"{\n  \"a\": \"\xff\"}", "line 2, column 9: the text is not UTF-8"),
        (b"\"\xed\xa0\x80\"", "not UTF-8"),
        (
            b"{\"a\":1,\"b\":2,\n\"a\":3}",
            "line 2, column 3: the key \"a\" is there twice in one object",
        ),
        (b"{\"a\":1,\"\\u0061\":3}", "the key \"a\" is there twice"),
        (b"[0,{\"x\":{\"\":1,\"\":2}}]", "the key \"\" is there twice"),
        ("{\"é\":1,\"\\u00e9\":2}".as_bytes(), "the key \"é\" is there twice"),
    ] {
        let error = check(text, 64).expect_err(says).to_string();
        assert!(
            error.contains(says),
            "{}: expected {says:?} in {error}",
            text.escape_ascii()
        );
    }
}

#[test]
fn the_same_key_in_two_objects_is_fine() {
    let text = br#"{"a":{"a":1,"b":1},"b":{"a":1,"b":1},"c":[{"a":1},{"a":1}]}"#;
    assert_eq!(check(text, 64).unwrap().objects, 5);
    // Written as \u00e9 and as e with an accent: two keys for every JSON reader.
    assert!(check("{\"\u{e9}\":1,\"e\u{301}\":2}".as_bytes(), 64).is_ok());
}

#[test]
fn nesting_never_overflows_the_stack() {
    for open in ["[", "{\"a\":"] {
        let text = open.repeat(1_000_000);
        for max in [0, 1, 64, DEEPEST, usize::MAX] {
            let error = check(text.as_bytes(), max).unwrap_err();
            assert_eq!(error.what, JsonProblem::TooDeep { max: max.min(DEEPEST) });
        }
        assert!(!has_path(text.as_bytes(), &["a"; 1000]));
    }
    let deepest = ["[".repeat(DEEPEST), "]".repeat(DEEPEST)].concat();
    assert_eq!(check(deepest.as_bytes(), usize::MAX).unwrap().depth, DEEPEST);
    assert!(check(b"1", 0).is_ok());
}

#[test]
fn a_duplicate_among_many_is_found() {
    let count = 200_000;
    for duplicate in [None, Some(0), Some(count / 2), Some(count - 1)] {
        let mut text = String::from("{\"outer\":{\n");
        for index in 0..count {
            writeln!(text, "\"key-{index}\":{{\"value\":{index}}},").unwrap();
        }
        match duplicate {
            None => text.push_str("\"last\":0}}"),
            Some(index) => write!(text, "\"key-{index}\":0}}}}").unwrap(),
        }
        match (check(text.as_bytes(), 64), duplicate) {
            (Ok(shape), None) => assert_eq!(shape.objects, count + 2),
            (Err(error), Some(index)) => {
                assert_eq!(
                    error.what,
                    JsonProblem::DuplicateKey {
                        key: format!("key-{index}")
                    }
                );
                assert_eq!(error.line as u64, count + 2);
            }
            (result, _) => panic!("{duplicate:?}: {result:?}"),
        }
    }
}

#[test]
fn paths() {
    let text = br#"{"skip":{"a":1},"a":{"b\u002fc":[{"d":null}]},"e":3}"#;
    for (path, expected) in [
        (&[][..], true),
        (&["a"], true),
        (&["a", "b/c"], true),
        (&["a", "b/c", "0"], true),
        (&["a", "b/c", "0", "d"], true),
        (&["a", "b/c", "0", "d", "x"], false),
        (&["a", "b/c", "1"], false),
        (&["a", "b"], false),
        (&["e"], true),
        (&["e", "f"], false),
        (&["b/c"], false),
    ] {
        assert_eq!(has_path(text, path), expected, "{path:?}");
    }
    assert!(!has_path(b"{\"a\":", &["b"]));
}

/// A tree that keeps what `serde_json::Value` loses: keys that are there twice.
#[derive(Debug, Clone)]
enum Tree {
    Scalar(serde_json::Value),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    fn has_duplicate(&self) -> bool {
        match self {
            Self::Scalar(_) => false,
            Self::List(items) => items.iter().any(Self::has_duplicate),
            Self::Map(members) => {
                let mut seen = HashSet::new();
                members
                    .iter()
                    .any(|(key, value)| !seen.insert(key) || value.has_duplicate())
            }
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Scalar(_) => 0,
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }

    /// As text; every second time a key is written with escapes.
    fn write(&self, out: &mut String, escape: &mut bool) {
        match self {
            Self::Scalar(value) => write!(out, "{value}").unwrap(),
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { ", " } else { "" });
                    item.write(out, escape);
                }
                out.push(']');
            }
            Self::Map(members) => {
                out.push_str("{\n");
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { ",\n" } else { "" });
                    *escape = !*escape;
                    if *escape {
                        out.push('"');
                        key.encode_utf16()
                            .for_each(|unit| write!(out, "\\u{unit:04x}").unwrap());
                        out.push('"');
                    } else {
                        write!(out, "{}", serde_json::Value::from(key.as_str())).unwrap();
                    }
                    out.push(':');
                    value.write(out, escape);
                }
                out.push('}');
            }
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, &mut false);
        out
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(serde_json::Value::Null))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(serde_json::Value::Null))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(serde_json::Value::Null))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(serde_json::Value::Null))
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(serde_json::Value::Null))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(serde_json::Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Tree::Map(map))
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,8}".prop_map(Into::into),
    ];
    let key = prop_oneof!["[a-c]{0,2}", "[\"\\\\ä😀]{1,2}"];
    scalar.prop_map(Tree::Scalar).prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            proptest::collection::vec((key.clone(), inner), 0..6).prop_map(Tree::Map),
        ]
    })
}

fn agrees(bytes: &[u8], max_depth: usize) -> Result<(), TestCaseError> {
    let ours = check(bytes, max_depth);
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    let naive = serde_json::from_slice::<Tree>(bytes);
    prop_assert_eq!(theirs.is_ok(), naive.is_ok());
    match (ours, naive) {
        (Ok(shape), Ok(tree)) => {
            prop_assert!(!tree.has_duplicate());
            prop_assert_eq!(shape.depth, tree.depth());
        }
        (Ok(shape), Err(error)) => prop_assert!(false, "{shape:?} although {error}"),
        (Err(error), Ok(tree)) => match error.what {
            JsonProblem::DuplicateKey { .. } => prop_assert!(tree.has_duplicate()),
            JsonProblem::TooDeep { .. } => prop_assert!(tree.depth() > max_depth),
            other => prop_assert!(false, "{other} although it parses"),
        },
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #[test]
    fn agrees_on_documents(tree in tree(), max_depth in 3..10_usize) {
        agrees(tree.text().as_bytes(), max_depth)?;
    }

    #[test]
    fn agrees_on_broken_documents(tree in tree(), at: proptest::sample::Index, byte in proptest::sample::select(b"\"\\{}[],:0e-n \x00\xff\xc3".to_vec()), remove: bool) {
        let mut text = tree.text().into_bytes();
        let at = at.index(text.len());
        if remove { text.remove(at); } else { text.insert(at, byte); }
        agrees(&text, 64)?;
    }

    #[test]
    fn agrees_on_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}\",:0-9a-c\\\\ ]{0,24}") {
        agrees(&bytes, 64)?;
        agrees(text.as_bytes(), 64)?;
    }

    #[test]
    fn paths_agree_with_a_tree(tree in tree(), path in proptest::collection::vec("[a-c]{0,2}|[0-2]", 0..4)) {
        let text = tree.text();
        if check(text.as_bytes(), 64).is_err() { return Ok(()); }
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut at = Some(&value);
        for part in &path {
            at = at.and_then(|value| match value {
                serde_json::Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                other => other.get(part),
            });
        }
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        prop_assert_eq!(has_path(text.as_bytes(), &path), at.is_some(), "{:?} in {}", path, text);
    }
}
