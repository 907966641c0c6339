//! Looks up several paths in one document in one pass, skipping everything beside them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Nothing, but an object has room for it.
    Absent,
    /// Something that is not an object stands on the way.
    Blocked,
    /// An object.
    Object,
    /// Another value.
    Other,
}

/// Answers for each path, in their order. A document that does not parse answers with what was seen so far.
pub(crate) fn lookup(bytes: &[u8], paths: &[&[&str]]) -> Vec<Lookup> {
    let mut answers = Answers {
        found: vec![Lookup::Absent; paths.len()],
        open: paths.len(),
    };
    let wanted = paths
        .iter()
        .enumerate()
        .map(|(index, rest)| Wanted { index, rest })
        .collect();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    // An error is either ours, because all is answered, or the document's, which has nothing more to say.
    let _done = Probe {
        wanted,
        answers: &mut answers,
    }
    .deserialize(&mut deserializer);
    answers.found
}

struct Answers {
    found: Vec<Lookup>,
    open: usize,
}

#[derive(Clone, Copy)]
struct Wanted<'p> {
    index: usize,
    rest: &'p [&'p str],
}

struct Probe<'p, 'a> {
    wanted: Vec<Wanted<'p>>,
    answers: &'a mut Answers,
}

impl<'p> Probe<'p, '_> {
    /// Answers the paths that end here with `here`, and those that `blocks` says cannot go on.
    fn settle<E: serde::de::Error>(&mut self, here: Lookup, blocks: impl Fn(&str) -> bool) -> Result<(), E> {
        let answers = &mut *self.answers;
        self.wanted.retain(|wanted| {
            let answer = match wanted.rest.first() {
                None => here,
                Some(next) if blocks(next) => Lookup::Blocked,
                Some(_) => return true,
            };
            if let Some(slot) = answers.found.get_mut(wanted.index) {
                *slot = answer;
            }
            answers.open -= 1;
            false
        });
        if answers.open == 0 {
            Err(E::custom("all answered"))
        } else {
            Ok(())
        }
    }

    fn under(&self, key: &str) -> Vec<Wanted<'p>> {
        let step = |wanted: &Wanted<'p>| match wanted.rest.split_first() {
            Some((first, rest)) if *first == key => Some(Wanted {
                index: wanted.index,
                rest,
            }),
            _ => None,
        };
        self.wanted.iter().filter_map(step).collect()
    }
}

impl<'de> DeserializeSeed<'de> for Probe<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: serde::de::Error>(mut self, _: bool) -> Result<(), E> {
        self.settle(Lookup::Other, |_| true)
    }

    fn visit_i64<E: serde::de::Error>(mut self, _: i64) -> Result<(), E> {
        self.settle(Lookup::Other, |_| true)
    }

    fn visit_u64<E: serde::de::Error>(mut self, _: u64) -> Result<(), E> {
        self.settle(Lookup::Other, |_| true)
    }

    fn visit_f64<E: serde::de::Error>(mut self, _: f64) -> Result<(), E> {
        self.settle(Lookup::Other, |_| true)
    }

    fn visit_str<E: serde::de::Error>(mut self, _: &str) -> Result<(), E> {
        self.settle(Lookup::Other, |_| true)
    }

    fn visit_unit<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.settle(Lookup::Other, |_| true)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.settle(Lookup::Other, |next| next.parse::<usize>().is_err())?;
        for position in 0_usize.. {
            let wanted = self.under(&position.to_string());
            let more = if wanted.is_empty() {
                items.next_element::<IgnoredAny>()?.is_some()
            } else {
                items
                    .next_element_seed(Probe {
                        wanted,
                        answers: self.answers,
                    })?
                    .is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.settle(Lookup::Object, |_| false)?;
        while let Some(wanted) = members.next_key_seed(Choose(&self))? {
            if wanted.is_empty() {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(Probe {
                    wanted,
                    answers: self.answers,
                })?;
            }
        }
        Ok(())
    }
}

/// Reads a key and gives the paths that go on under it.
struct Choose<'c, 'p, 'a>(&'c Probe<'p, 'a>);

impl<'de, 'p> DeserializeSeed<'de> for Choose<'_, 'p, '_> {
    type Value = Vec<Wanted<'p>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Choose<'_, 'p, '_> {
    type Value = Vec<Wanted<'p>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.under(key))
    }
}

#[cfg(test)]
mod tests {
    use super::Lookup::{Absent, Blocked, Object, Other};
    use super::*;

    #[test]
    fn answers_several_paths_in_one_pass() {
        let text = br#"{"a":{"b":1,"c":{}},"l":[10,{"k":null}],"s":"x"}"#;
        let paths: [&[&str]; 10] = [
            &[],
            &["a"],
            &["a", "b"],
            &["a", "b", "c"],
            &["a", "c"],
            &["a", "c", "d"],
            &["l", "1", "k"],
            &["l", "x"],
            &["l", "2"],
            &["z"],
        ];
        let expected = [
            Object, Object, Other, Blocked, Object, Absent, Other, Blocked, Absent, Absent,
        ];
        assert_eq!(lookup(text, &paths), expected);
    }

    #[test]
    fn a_scalar_document() {
        assert_eq!(lookup(b"3", &[&[], &["a"]]), [Other, Blocked]);
    }
}
