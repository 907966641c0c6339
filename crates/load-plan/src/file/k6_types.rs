//! The parts of k6's options that mean something here, as `k6 inspect` and scripts write them. `null` is "not given".

use super::values::Pairs;
use crate::duration;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use std::{fmt, time::Duration};

/// k6's durations: a text with a unit, or milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct K6Span(pub Duration);

impl<'de> Deserialize<'de> for K6Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = K6Span;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration such as \"5m\", or milliseconds")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<K6Span, E> {
                // "5000" is milliseconds too.
                if let Ok(millis) = text.trim().parse::<f64>() {
                    return self.visit_f64(millis);
                }
                duration::parse(text).map(K6Span).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<K6Span, E> {
                Ok(K6Span(Duration::from_millis(millis)))
            }
            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<K6Span, E> {
                u64::try_from(millis)
                    .map(|millis| K6Span(Duration::from_millis(millis)))
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(millis), &self))
            }
            fn visit_f64<E: de::Error>(self, millis: f64) -> Result<K6Span, E> {
                Duration::try_from_secs_f64(millis / 1000.0)
                    .map(K6Span)
                    .map_err(|_| E::invalid_value(de::Unexpected::Float(millis), &self))
            }
        }
        from.deserialize_any(Reader)
    }
}

/// A scenario with an arrival rate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Scenario {
    /// Looked at before.
    #[serde(rename = "executor")]
    pub _executor: de::IgnoredAny,
    pub rate: Option<f64>,
    pub time_unit: Option<K6Span>,
    pub duration: Option<K6Span>,
    pub start_rate: Option<f64>,
    pub stages: Option<Vec<Stage>>,
    pub start_time: Option<K6Span>,
    pub graceful_stop: Option<K6Span>,
    #[serde(rename = "preAllocatedVUs")]
    pub pre_allocated_vus: Option<usize>,
    #[serde(rename = "maxVUs")]
    pub max_vus: Option<usize>,
    pub exec: Option<String>,
    pub env: Option<Pairs<serde_json::Value>>,
    pub tags: Option<Pairs<String>>,
    pub options: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    pub duration: K6Span,
    pub target: f64,
}
