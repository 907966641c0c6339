//! Owns the faults that change a right answer of MC's GraphQL into a wrong one. No I/O.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::fault::Fault;

/// An answer on its way out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    /// `Age`, as a cache sets it.
    pub(super) age: Option<u32>,
    pub(super) body: Bytes,
}

/// Applies the faults in their order: first those that change the value, then those that change its text.
pub(super) fn garble(mut draft: Draft, mut value: Value, faults: &[Fault], now: jiff::Timestamp) -> Draft {
    for fault in faults {
        change(&mut value, fault, now);
    }
    let mut text = value.to_string();
    for fault in faults {
        match fault {
            Fault::DuplicateOk => text = twice(&text),
            Fault::Bom => text.insert(0, '\u{feff}'),
            Fault::TwoDocuments => text = format!("{text}\n{text}"),
            Fault::CutJson { at } => text.truncate(text.floor_char_boundary(*at)),
            Fault::EmptyBody { code } => {
                text.clear();
                draft.status = StatusCode::from_u16(*code).unwrap_or(StatusCode::OK);
            }
            Fault::Body { text: other } => text.clone_from(other),
            Fault::ContentType { value } => draft.content_type.clone_from(value),
            Fault::Cached { seconds } => draft.age = Some(*seconds),
            _ => {}
        }
    }
    draft.body = Bytes::from(text);
    draft
}

fn change(value: &mut Value, fault: &Fault, now: jiff::Timestamp) {
    match fault {
        Fault::DataNull => *value = json!({ "data": null }),
        Fault::GraphqlErrors {
            message,
            code,
            with_data,
        } => {
            let message = message.as_deref().unwrap_or("fault on demand");
            let mut error = json!({ "message": message, "path": ["evidenceOk"] });
            if let Some(code) = code
                && let Some(error) = error.as_object_mut()
            {
                error.insert("extensions".to_owned(), json!({ "code": code }));
            }
            let data = if *with_data { value["data"].take() } else { Value::Null };
            *value = json!({ "errors": [error], "data": data });
        }
        Fault::MissingField { field } => {
            let (parent, name) = split(field);
            if let Some(parent) = member(value, parent) {
                parent.remove(name);
            }
        }
        Fault::SetField { field, value: other } => {
            let (parent, name) = split(field);
            if let Some(parent) = member(value, parent) {
                parent.insert(name.to_owned(), other.clone());
            }
        }
        Fault::StaleSnapshot { seconds } => {
            let ago = |seconds: u64| {
                let back = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
                now.checked_sub(back).unwrap_or(jiff::Timestamp::MIN)
            };
            let window = format!("{}/{}", ago(seconds.saturating_add(900)), ago(*seconds));
            if let Some(snapshot) = member(value, "snapshot") {
                snapshot.insert("window".to_owned(), json!(window));
            }
        }
        _ => {}
    }
}

/// `snapshot.window` is `window` in `snapshot`; `ok` is in the answer itself.
fn split(field: &str) -> (&str, &str) {
    field.rsplit_once('.').unwrap_or(("", field))
}

/// The object at this path below `data.evidenceOk`.
fn member<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    let mut at = value.get_mut("data")?.get_mut("evidenceOk")?;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        at = at.get_mut(name)?;
    }
    at.as_object_mut()
}

/// Says `ok` twice: first what it is not, then what it is.
fn twice(text: &str) -> String {
    text.replacen("\"ok\":true", "\"ok\":false,\"ok\":true", 1)
        .replacen("\"ok\":false}", "\"ok\":true,\"ok\":false}", 1)
        .replacen("\"ok\":false,\"r", "\"ok\":true,\"ok\":false,\"r", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn garbled(faults: &[Fault]) -> String {
        let draft = Draft {
            status: StatusCode::OK,
            content_type: "application/json".to_owned(),
            age: None,
            body: Bytes::new(),
        };
        let value = json!({ "data": { "evidenceOk": { "ok": true, "reasons": [], "snapshot": { "window": "15m" } } } });
        let body = garble(draft, value, faults, jiff::Timestamp::UNIX_EPOCH).body;
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let set = |field: &str, value: Value| Fault::SetField {
            field: field.to_owned(),
            value,
        };
        for (faults, expected) in [
            (vec![Fault::DataNull], r#"{"data":null}"#),
            (
                vec![Fault::GraphqlErrors {
                    message: None,
                    code: Some("X".to_owned()),
                    with_data: false,
                }],
                r#"{"data":null,"errors":[{"extensions":{"code":"X"},"message":"fault on demand","path":["evidenceOk"]}]}"#,
            ),
            (
                vec![Fault::MissingField {
                    field: "snapshot.window".to_owned(),
                }],
                r#"{"data":{"evidenceOk":{"ok":true,"reasons":[],"snapshot":{}}}}"#,
            ),
            (
                vec![set("ok", json!("true")), Fault::CutJson { at: 40 }],
                r#"{"data":{"evidenceOk":{"ok":"true","reas"#,
            ),
            (
                vec![Fault::DuplicateOk],
                r#"{"data":{"evidenceOk":{"ok":false,"ok":true,"reasons":[],"snapshot":{"window":"15m"}}}}"#,
            ),
            (
                vec![set("ok", json!(false)), Fault::DuplicateOk],
                r#"{"data":{"evidenceOk":{"ok":true,"ok":false,"reasons":[],"snapshot":{"window":"15m"}}}}"#,
            ),
            (
                vec![Fault::StaleSnapshot { seconds: 60 }],
                r#"{"data":{"evidenceOk":{"ok":true,"reasons":[],"snapshot":{"window":"1969-12-31T23:44:00Z/1969-12-31T23:59:00Z"}}}}"#,
            ),
            (vec![Fault::EmptyBody { code: 204 }], ""),
        ] {
            assert_eq!(garbled(&faults), expected, "{faults:?}");
        }
        assert!(garbled(&[Fault::Bom]).starts_with("\u{feff}{"));
        assert_eq!(garbled(&[Fault::TwoDocuments]).lines().count(), 2);
    }
}
