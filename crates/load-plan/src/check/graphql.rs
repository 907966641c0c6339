//! Whether a body is a GraphQL answer without errors. The status says nothing: errors come with 200.

use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// The two members that count. Twice the same member is an error, so that nothing can be hidden.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "count")]
    errors: usize,
}

/// Length of a list; `null` is none. Anything else is no GraphQL.
fn count<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let list: Option<Vec<IgnoredAny>> = Option::deserialize(from)?;
    Ok(list.map_or(0, |list| list.len()))
}

/// A JSON object with `data` that is not null, and no `errors` (or an empty list, or null).
pub(super) fn is_clean(body: &[u8]) -> bool {
    // A list would be read as a struct by position.
    let object = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    object
        // The parser does not look into text that is skipped.
        && std::str::from_utf8(body)
            .is_ok_and(|text| serde_json::from_str::<Answer>(text).is_ok_and(|answer| answer.data.is_some() && answer.errors == 0))
}
