//! Owns reading MC's GraphQL answer. Strict on purpose: each member that was asked for once, nothing else, each of its own
//! type. A parser that is lenient here (a string for a boolean, the second of two `ok`, a list for an object) is a gate
//! that can be talked open.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::answer::{CostSnapshot, EvidenceOk, SloSnapshot};
use super::error::{EvidenceError, GraphQlError};
use super::plausible;
use crate::outcome;

/// Further reasons and errors are left out: nobody reads them, and MC's text goes to terminals and logs.
const MOST_TEXTS: usize = 50;
const LONGEST_TEXT: usize = 500;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    #[serde(default)]
    data: Member<Object<Data>>,
    #[serde(default)]
    errors: Member<Value>,
    /// Servers may add what they like here (GraphQL, section 7.1).
    #[serde(default, rename = "extensions")]
    _extensions: Option<IgnoredAny>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Data {
    #[serde(deserialize_with = "needed")]
    evidence_ok: Option<Object<Evidence>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    ok: bool,
    reasons: Vec<String>,
    #[serde(deserialize_with = "needed")]
    snapshot: Option<Object<Snapshot>>,
    #[serde(deserialize_with = "needed")]
    cost: Option<Object<Cost>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Snapshot {
    service: String,
    p95_ms: i32,
    #[serde(deserialize_with = "needed")]
    p99_ms: Option<i32>,
    error_rate: f64,
    window: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Cost {
    #[serde(deserialize_with = "needed")]
    graphql_per_million_usd: Option<f64>,
    #[serde(deserialize_with = "needed")]
    ingest_per_thousand_usd: Option<f64>,
}

/// Tells a member that is `null` from one that is missing.
#[derive(Default)]
enum Member<T> {
    #[default]
    Missing,
    Null,
    There(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::deserialize(deserializer)? {
            None => Self::Null,
            Some(value) => Self::There(value),
        })
    }
}

/// May be `null`, must be there: serde takes a missing member for `null` unless it is read by a function.
fn needed<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// A structure that is written as an object. What serde derives would take a list of the values as well.
struct Object<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for OnlyMap<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyMap(PhantomData))
    }
}

pub(super) fn read(body: &[u8], service: &str, request: &str) -> Result<EvidenceOk, EvidenceError> {
    let wrong = |what: String| EvidenceError::NotTrusted {
        request: request.to_owned(),
        what,
    };
    let missing = |what: &'static str| EvidenceError::NoEvidence {
        request: request.to_owned(),
        what,
    };
    let Response { data, errors, .. } = parse(body).map_err(wrong)?;
    match &errors {
        Member::Missing => {}
        // Without errors the member must not be there (GraphQL, section 7.1).
        Member::Null => return Err(wrong("`errors` is there, but it is null".to_owned())),
        Member::There(errors) => {
            return Err(match graphql_errors(errors) {
                Some(errors) => EvidenceError::Errors {
                    request: request.to_owned(),
                    errors,
                    with_data: matches!(data, Member::There(_)),
                },
                None => wrong("`errors` is there, but it is no list of errors".to_owned()),
            });
        }
    }
    let Object(data) = match data {
        Member::Missing => return Err(wrong("it has no `data`".to_owned())),
        Member::Null => return Err(missing("`data` is null")),
        Member::There(data) => data,
    };
    let Object(evidence) = data.evidence_ok.ok_or_else(|| missing("`evidenceOk` is null"))?;
    let Object(snapshot) = evidence.snapshot.ok_or_else(|| missing("`snapshot` is null"))?;
    if snapshot.service != service {
        return Err(EvidenceError::OtherService {
            request: request.to_owned(),
            asked: service.to_owned(),
            found: outcome::fit_to_print(&snapshot.service, LONGEST_TEXT),
        });
    }
    let answer = EvidenceOk {
        ok: evidence.ok,
        reasons: texts(evidence.reasons),
        snapshot: SloSnapshot {
            service: snapshot.service,
            p95_ms: snapshot.p95_ms,
            p99_ms: snapshot.p99_ms,
            error_rate: snapshot.error_rate,
            window: outcome::fit_to_print(&snapshot.window, LONGEST_TEXT),
        },
        cost: evidence.cost.map(|Object(cost)| CostSnapshot {
            graphql_per_million_usd: cost.graphql_per_million_usd,
            ingest_per_thousand_usd: cost.ingest_per_thousand_usd,
        }),
    };
    plausible::check(&answer).map_err(wrong)?;
    Ok(answer)
}

fn parse(body: &[u8]) -> Result<Response, String> {
    if body.is_empty() {
        return Err("it is empty".to_owned());
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err("it starts with a byte order mark, which JSON does not allow".to_owned());
    }
    // All of it: the parser does not look into strings that it passes over.
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    let Object(response) = serde_json::from_str(text).map_err(|error| {
        let said = outcome::fit_to_print(&error.to_string(), LONGEST_TEXT);
        format!("it is not the JSON that was asked for: {said}")
    })?;
    Ok(response)
}

/// The errors as far as they can be read; none when this is no list with something in it.
pub(super) fn graphql_errors(errors: &Value) -> Option<Vec<GraphQlError>> {
    let list = errors.as_array().filter(|list| !list.is_empty())?;
    let text = |value: Option<&Value>| {
        let text = outcome::fit_to_print(value?.as_str()?, LONGEST_TEXT);
        (!text.is_empty()).then_some(text)
    };
    let read = list.iter().take(MOST_TEXTS).map(|error| GraphQlError {
        message: text(error.get("message")).unwrap_or_else(|| "an error without a message".to_owned()),
        code: text(error.pointer("/extensions/code")),
    });
    Some(read.collect())
}

fn texts(texts: Vec<String>) -> Vec<String> {
    let clean = |text: String| outcome::fit_to_print(&text, LONGEST_TEXT);
    texts.into_iter().take(MOST_TEXTS).map(clean).collect()
}
