//! Owns the tree of values that JSON and YAML have in common, and what is refused on the way to it: a key that is there twice, a number
//! that cannot be kept, aliases that grow into more than was written, a key without a value.

use super::{Refused, strict::Strict, words};
use crate::{
    document::PolicyDocument,
    error::Mistake,
    text::{plain, quoted},
};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// Most values of a document, and most bytes of text: what aliases stand for counts each time. Without aliases no document of 1 MiB has
/// more text; and with four bytes a value, a list of numbers fits.
const MAX_VALUES: usize = 1 << 18;
const MAX_TEXT: usize = 4 << 20;

/// Digits that a fraction keeps on its way through 64 bits.
const DIGITS: usize = 15;

/// Levels of nesting: a policy with the longest way from a row to its subject has less than half of it.
const MAX_DEPTH: usize = 64;

/// The YAML parser looks at all brackets that are open for every word that it reads, and at all directives for each of them: before it
/// sees a document, brackets times bytes, and directives, are limited. A megabyte in a thousand brackets passes, or a hundred kilobytes with one
/// bracket for ten bytes.
const MAX_BRACKETS_BY_BYTES: usize = 1 << 30;
const MAX_DIRECTIVES: usize = 8;

/// Comes before messages of our own: parsers put more in front of it.
pub(super) const MARK: char = '\u{1}';

pub(super) fn json(content: &str) -> Result<Value, Refused> {
    let mut reader = serde_json::Deserializer::from_str(content);
    let mut track = serde_path_to_error::Track::new();
    let budget = Budget::default();
    let value = Node {
        budget: &budget,
        depth: 0,
    }
    .deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track));
    let value = value.map_err(|error| syntax(&track.path().to_string(), error.line(), error.column(), &error))?;
    let end = reader.end();
    end.map_err(|error| syntax(".", error.line(), error.column(), &error))?;
    Ok(value)
}

pub(super) fn yaml(content: &str) -> Result<Value, Refused> {
    affordable(content)?;
    let reader = yaml_serde::Deserializer::from_str(content);
    let mut track = serde_path_to_error::Track::new();
    let budget = Budget::default();
    let value = Node {
        budget: &budget,
        depth: 0,
    }
    .deserialize(serde_path_to_error::Deserializer::new(reader, &mut track));
    value.map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        syntax(&track.path().to_string(), line, column, &error)
    })
}

fn affordable(content: &str) -> Result<(), Refused> {
    let brackets = content.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    let most = MAX_BRACKETS_BY_BYTES / content.len().max(1);
    let directives = content.lines().filter(|line| line.starts_with('%')).count();
    let message = if brackets > most {
        format!(
            "expected at most {most} of `[` and `{{` in YAML of this size, found {brackets}: write it in lines, or as JSON"
        )
    } else if directives > MAX_DIRECTIVES {
        format!("expected at most {MAX_DIRECTIVES} directives of YAML (`%`), found {directives}")
    } else {
        return Ok(());
    };
    Err(Refused::Syntax {
        line: 0,
        column: 0,
        mistake: Mistake::new("", message),
    })
}

/// The tree as a document: every key known.
pub(super) fn document(tree: Value) -> Result<PolicyDocument, Refused> {
    serde_path_to_error::deserialize(Strict(tree)).map_err(|error| {
        let at = error.path().to_string();
        syntax(&at, 0, 0, error.inner())
    })
}

fn syntax(at: &str, line: usize, column: usize, error: &dyn fmt::Display) -> Refused {
    let path = if matches!(at, "." | "?") { "" } else { at };
    Refused::Syntax {
        line,
        column,
        mistake: Mistake::new(plain(path), words::ours(path, &error.to_string())),
    }
}

/// A key without a value is refused: with everything below it commented out, `age:` would be a rule for rows of any age. Only where a
/// column is made NULL may it be said by null.
pub(super) fn refuse_nulls(tree: &mut Value, out: &mut Vec<Mistake>) {
    walk(tree, &mut Vec::new(), out);
}

fn walk(value: &mut Value, path: &mut Vec<String>, out: &mut Vec<Mistake>) {
    match value {
        Value::Null => {
            let keys: Vec<&str> = path.iter().map(String::as_str).collect();
            let message = match keys.as_slice() {
                [.., "action", "anonymise", _] => {
                    *value = Value::String("null".to_owned());
                    return;
                }
                [.., "constant"] => {
                    "expected a value, found nothing: to set a column to NULL, write `null` instead of `constant`"
                }
                [.., "where" | "requested", _, "value"] | [.., "value", _] => {
                    "expected a value, found nothing: a NULL is found by `op: is_null`"
                }
                _ => "expected a value, found nothing: write one, or leave the key out",
            };
            out.push(Mistake::new(joined(path), message));
        }
        Value::Array(all) => {
            for (index, each) in all.iter_mut().enumerate() {
                path.push(format!("[{index}]"));
                walk(each, path, out);
                path.pop();
            }
        }
        Value::Object(object) => {
            for (key, each) in object.iter_mut() {
                path.push(key.clone());
                walk(each, path, out);
                path.pop();
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn joined(path: &[String]) -> String {
    let mut joined = String::new();
    for each in path {
        if !joined.is_empty() && !each.starts_with('[') {
            joined.push('.');
        }
        joined.push_str(&plain(each));
    }
    joined
}

/// What may still be read.
struct Budget {
    values: Cell<usize>,
    text: Cell<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            values: Cell::new(MAX_VALUES),
            text: Cell::new(MAX_TEXT),
        }
    }
}

impl Budget {
    fn value<E: de::Error>(&self) -> Result<(), E> {
        match self.values.get().checked_sub(1) {
            Some(left) => self.values.set(left),
            None => {
                return Err(E::custom(format!(
                    "{MARK}expected at most {MAX_VALUES} values, found more (aliases count each time)"
                )));
            }
        }
        Ok(())
    }

    fn text<E: de::Error>(&self, text: &str) -> Result<(), E> {
        match self.text.get().checked_sub(text.len()) {
            Some(left) => self.text.set(left),
            None => {
                return Err(E::custom(format!(
                    "{MARK}expected at most {MAX_TEXT} bytes of text, found more (aliases count each time)"
                )));
            }
        }
        Ok(())
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Node<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Node<'_> {
    fn below<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format!(
                "{MARK}expected at most {MAX_DEPTH} levels, found more"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.budget.value()?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value of JSON (no tags of YAML)")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    // What YAML says when there is no document.
    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    // YAML tells larger whole numbers apart, JSON does not.
    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        // `-0` is a whole number in YAML and a fraction in JSON.
        let number = if value == 0.0 {
            Some(Number::from(0))
        } else {
            Number::from_f64(value)
        };
        let Some(number) = number else {
            return Err(E::custom(format!(
                "{MARK}expected a finite number, found {value}: in quotes it is a text, which a column may understand"
            )));
        };
        let written = number.to_string();
        let mantissa = written.split('e').next().unwrap_or_default().replace(['-', '.'], "");
        if mantissa.trim_matches('0').len() > DIGITS {
            return Err(E::custom(format!(
                "{MARK}expected a number of at most {DIGITS} digits, found about {written}: in quotes it keeps all of them"
            )));
        }
        Ok(Value::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.budget.text(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut all = Vec::new();
        while let Some(each) = list.next_element_seed(below)? {
            all.push(each);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut all = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.budget.text(&key)?;
            if all.contains_key(&key) {
                return Err(de::Error::custom(format!(
                    "{MARK}{} is given twice: keep one of them",
                    quoted(&key)
                )));
            }
            let value = map.next_value_seed(below)?;
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}
