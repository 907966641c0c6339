//! The checking pass: one visitor that throws every value away and remembers only hashes of open objects' keys.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::{DEEPEST, JsonError, JsonKind, JsonProblem, JsonShape};

/// Hashes that were equal within one object, by the object's number (counted as they open). Those keys are compared
/// as text in the next pass.
type Suspects = HashMap<u64, HashSet<u64>>;

pub(super) fn check<H: BuildHasher>(bytes: &[u8], max_depth: usize, hasher: &H) -> Result<JsonShape, JsonError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError {
            line: 1,
            column: 1,
            what: JsonProblem::ByteOrderMark,
        });
    }
    // Once for the whole text: it is faster than string by string, and also covers strings that nobody looks at.
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;

    let max_depth = max_depth.min(DEEPEST);
    let mut suspects = Suspects::new();
    loop {
        match pass(text, max_depth, hasher, &suspects) {
            Ok(shape) => return Ok(shape),
            Err(Stop::Problem(error)) => return Err(error),
            // Each round clears or convicts one more object, so this ends; a second round is already rare.
            Err(Stop::Suspect { object, hashes }) => suspects.insert(object, hashes),
        };
    }
}

enum Stop {
    Problem(JsonError),
    Suspect { object: u64, hashes: HashSet<u64> },
}

fn pass<H: BuildHasher>(text: &str, max_depth: usize, hasher: &H, suspects: &Suspects) -> Result<JsonShape, Stop> {
    let mut state = State {
        hasher,
        suspects,
        max_depth,
        depth: 0,
        deepest: 0,
        objects: 0,
        keys: 0,
        open: Vec::new(),
        kind: None,
        found: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let result = Node(&mut state)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match (result, state.found) {
        (Ok(()), _) => Ok(JsonShape {
            kind: state.kind.unwrap_or(JsonKind::Scalar),
            depth: state.deepest,
            objects: state.objects,
            keys: state.keys,
        }),
        (Err(_), Some(Found::Suspect { object, hashes })) => Err(Stop::Suspect { object, hashes }),
        (Err(error), Some(Found::Problem(what))) => Err(Stop::Problem(at(&error, what))),
        (Err(error), None) => {
            let what = match error.classify() {
                Category::Eof => JsonProblem::Truncated,
                _ => syntax(&error),
            };
            Err(Stop::Problem(at(&error, what)))
        }
    }
}

fn at(error: &serde_json::Error, what: JsonProblem) -> JsonError {
    JsonError {
        line: error.line(),
        column: error.column(),
        what,
    }
}

/// The parser's own words without its " at line 1 column 2", which is told once, by us.
fn syntax(error: &serde_json::Error) -> JsonProblem {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place).unwrap_or(&text) {
        "trailing characters" => JsonProblem::TrailingData,
        words => JsonProblem::Syntax(words.to_owned()),
    }
}

fn not_utf8(bytes: &[u8], offset: usize) -> JsonError {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    JsonError {
        line,
        column: offset - start + 1,
        what: JsonProblem::NotUtf8,
    }
}

enum Found {
    Problem(JsonProblem),
    Suspect { object: u64, hashes: HashSet<u64> },
}

struct State<'s, H> {
    hasher: &'s H,
    suspects: &'s Suspects,
    max_depth: usize,
    depth: usize,
    deepest: usize,
    objects: u64,
    keys: u64,
    /// Key hashes of all objects that are open now, innermost last: one growing list for the whole document.
    open: Vec<u64>,
    kind: Option<JsonKind>,
    /// The reason of the error that ended the pass; serde's error carries the place.
    found: Option<Found>,
}

impl<H> State<'_, H> {
    fn enter<E: serde::de::Error>(&mut self, kind: JsonKind) -> Result<(), E> {
        self.kind.get_or_insert(kind);
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        if self.depth > self.max_depth {
            return Err(self.stop(Found::Problem(JsonProblem::TooDeep { max: self.max_depth })));
        }
        Ok(())
    }

    fn stop<E: serde::de::Error>(&mut self, found: Found) -> E {
        self.found = Some(found);
        E::custom("stopped")
    }

    fn scalar(&mut self) {
        self.kind.get_or_insert(JsonKind::Scalar);
    }

    /// The object is closed: equal hashes make it a suspect, unless its keys were already compared as text.
    fn close_object<E: serde::de::Error>(&mut self, object: u64, start: usize) -> Result<(), E> {
        if !self.suspects.contains_key(&object) {
            let mine = self.open.get_mut(start..).unwrap_or_default();
            mine.sort_unstable();
            let hashes: HashSet<u64> = mine
                .windows(2)
                // Neighbours in sorted order.
                .filter_map(|pair| match pair {
                    [one, other] if one == other => Some(*one),
                    _ => None,
                })
                .collect();
            if !hashes.is_empty() {
                return Err(self.stop(Found::Suspect { object, hashes }));
            }
        }
        self.open.truncate(start);
        self.depth -= 1;
        Ok(())
    }
}

struct Node<'a, 's, H>(&'a mut State<'s, H>);

impl<'de, H: BuildHasher> DeserializeSeed<'de> for Node<'_, '_, H> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, H: BuildHasher> Visitor<'de> for Node<'_, '_, H> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.0.scalar();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.0.scalar();
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.0.scalar();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.0.scalar();
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.0.scalar();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.scalar();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let state = self.0;
        state.enter(JsonKind::Array)?;
        while items.next_element_seed(Node(state))?.is_some() {}
        state.depth -= 1;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let state = self.0;
        state.enter(JsonKind::Object)?;
        let object = state.objects;
        state.objects += 1;
        let start = state.open.len();
        let suspects = state.suspects.get(&object);
        let mut compared = HashSet::new();
        while members
            .next_key_seed(Key {
                state,
                suspects,
                compared: &mut compared,
            })?
            .is_some()
        {
            members.next_value_seed(Node(state))?;
        }
        state.close_object(object, start)
    }
}

/// Reads one key: keeps its hash, or compares its text when its object is a suspect.
struct Key<'a, 's, H> {
    state: &'a mut State<'s, H>,
    suspects: Option<&'s HashSet<u64>>,
    compared: &'a mut HashSet<String>,
}

impl<'de, H: BuildHasher> DeserializeSeed<'de> for Key<'_, '_, H> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<H: BuildHasher> Visitor<'_> for Key<'_, '_, H> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<(), E> {
        self.state.keys += 1;
        let hash = self.state.hasher.hash_one(key);
        match self.suspects {
            None => self.state.open.push(hash),
            Some(hashes) if hashes.contains(&hash) && !self.compared.insert(key.to_owned()) => {
                let key = key.chars().take(100).collect();
                return Err(self.state.stop(Found::Problem(JsonProblem::DuplicateKey { key })));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, Hasher};

    use super::*;

    /// The worst hash there is: everything collides.
    #[derive(Default)]
    struct Same;

    impl Hasher for Same {
        fn finish(&self) -> u64 {
            7
        }

        fn write(&mut self, _: &[u8]) {}
    }

    type AllCollide = BuildHasherDefault<Same>;

    #[test]
    fn colliding_hashes_never_make_a_duplicate() {
        let text = br#"{"a":{"x":1,"y":2},"b":[{"p":1,"q":{"r":1,"s":2}}],"c":3}"#;
        let shape = check(text, 64, &AllCollide::default()).unwrap();
        assert_eq!((shape.objects, shape.keys, shape.depth), (4, 9, 4));
    }

    #[test]
    fn colliding_hashes_still_find_the_duplicate() {
        let text = b"{\"a\":{\"x\":1,\"y\":2},\n\"b\":[{\"p\":1,\"q\":1,\"\\u0070\":2}]}";
        let error = check(text, 64, &AllCollide::default()).unwrap_err();
        assert_eq!(error.what, JsonProblem::DuplicateKey { key: "p".to_owned() });
        assert_eq!(error.line, 2);
    }
}
