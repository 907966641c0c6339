//! Values with more than one way to write them. Each reads itself, so that errors say what was expected.

use crate::duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData, path::PathBuf, time::Duration};

/// A duration such as `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Span;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration with its unit, such as 30s, 5m or 1m30s")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                duration::parse(text).map(Span).map_err(E::custom)
            }
        }
        from.deserialize_any(Reader)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration with its unit: h, m, s, ms, us or ns.",
            "pattern": "^\\s*(0|([0-9]*\\.?[0-9]+\\s*(h|m|s|ms|us|µs|ns)\\s*)+)\\s*$",
            "examples": ["5m", "1m30s", "500ms"]
        })
    }
}

/// A map in the order of writing, in which no name comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairs<V>(pub Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Pairs<V>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("names with values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs: Vec<(String, V)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom(format_args!(
                            "`{name}` is given twice: keep one of them"
                        )));
                    }
                    pairs.push((name, map.next_value()?));
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Reader(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Pairs<V> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        BTreeMap::<String, V>::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, V>::json_schema(generator)
    }
}

/// Where a header's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderSource {
    /// Written down; may have placeholders.
    Text(crate::Hidden),
    /// Somewhere else: never shown.
    From(HeaderFrom),
}

/// A header's value from outside of the file. Exactly one of `env` and `file`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderFrom {
    /// Name of an environment variable.
    pub env: Option<String>,
    /// Path of a file, relative to the scenario file; spaces and line ends around its content are removed.
    pub file: Option<PathBuf>,
    /// Comes before the value, such as "Bearer ".
    #[serde(default)]
    pub prefix: String,
}

impl<'de> Deserialize<'de> for HeaderSource {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = HeaderSource;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text, {env: VARIABLE} or {file: PATH}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HeaderSource, E> {
                Ok(HeaderSource::Text(text.to_owned().into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HeaderSource, A::Error> {
                let from = HeaderFrom::deserialize(MapAccessDeserializer::new(map))?;
                if from.env.is_some() == from.file.is_some() {
                    return Err(de::Error::custom("expected either `env` or `file`"));
                }
                Ok(HeaderSource::From(from))
            }
        }
        from.deserialize_any(Reader)
    }
}

impl JsonSchema for HeaderSource {
    fn schema_name() -> Cow<'static, str> {
        "Header".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let from = generator.subschema_for::<HeaderFrom>();
        json_schema!({
            "description": "A text, which may have placeholders, or where the value comes from; such a value is never shown.",
            "anyOf": [{ "type": "string" }, from]
        })
    }
}

/// A threshold's expression, alone or with when to stop because of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ThresholdSpec {
    pub expression: String,
    pub abort_on_fail: bool,
    pub delay_abort: Duration,
}

/// The long form of a threshold.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ThresholdObject {
    /// The expression, such as `p(95)<350`.
    threshold: String,
    /// Stop the run once this threshold has failed for certain.
    #[serde(default, alias = "abortOnFail")]
    abort_on_fail: Option<bool>,
    /// But not before this much time has passed.
    #[serde(default, alias = "delayAbortEval")]
    delay_abort_eval: Option<Span>,
}

impl<'de> Deserialize<'de> for ThresholdSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ThresholdSpec;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an expression such as p(95)<350, or {threshold: EXPRESSION, abort_on_fail: true}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ThresholdSpec, E> {
                Ok(ThresholdSpec {
                    expression: text.to_owned(),
                    abort_on_fail: false,
                    delay_abort: Duration::ZERO,
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThresholdSpec, A::Error> {
                let object = ThresholdObject::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ThresholdSpec {
                    expression: object.threshold,
                    abort_on_fail: object.abort_on_fail.unwrap_or_default(),
                    delay_abort: object.delay_abort_eval.map_or(Duration::ZERO, |span| span.0),
                })
            }
        }
        from.deserialize_any(Reader)
    }
}

impl JsonSchema for ThresholdSpec {
    fn schema_name() -> Cow<'static, str> {
        "Threshold".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let object = generator.subschema_for::<ThresholdObject>();
        json_schema!({
            "description": "An expression such as p(95)<350, alone or with when to stop because of it.",
            "anyOf": [{ "type": "string" }, object]
        })
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an expression such as p(95)<350, or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|one| OneOrMany(vec![one]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(each) = list.next_element()? {
                    all.push(each);
                }
                Ok(OneOrMany(all))
            }
        }
        from.deserialize_any(Reader(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
