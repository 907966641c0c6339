//! Owns the way from the tree to the document's types, stricter than serde_json's: a list is no structure (serde would fill its fields in
//! turn, so that `truncate_ip: [24, 48]` had a meaning), and nothing is no value.

use super::tree::MARK;
use serde::{
    Deserializer,
    de::{
        self, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Value};

/// A value of the tree.
pub(super) struct Strict(pub Value);

impl IntoDeserializer<'_, Error> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(all) => visitor.visit_seq(SeqDeserializer::new(all.into_iter().map(Strict))),
            Value::Object(all) => visitor.visit_map(MapDeserializer::new(
                all.into_iter().map(|(key, each)| (key, Self(each))),
            )),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.0.is_array() {
            return Err(de::Error::invalid_type(Unexpected::Seq, &visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(name.into_deserializer()),
            Value::Object(all) if all.len() == 1 => {
                let only = all.into_iter().map(|(key, each)| (key, Self(each)));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(only)))
            }
            Value::Object(all) => Err(Error::custom(format!(
                "{MARK}expected one key with its value, found {}",
                if all.is_empty() {
                    "none".to_owned()
                } else {
                    all.len().to_string()
                }
            ))),
            other => {
                let expected = "string or map";
                let found = match &other {
                    Value::Bool(value) => Unexpected::Bool(*value),
                    Value::Array(_) => Unexpected::Seq,
                    Value::Number(number) => match number.as_i64() {
                        Some(whole) => Unexpected::Signed(whole),
                        None => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
                    },
                    _ => Unexpected::Unit,
                };
                Err(de::Error::invalid_type(found, &expected))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}
