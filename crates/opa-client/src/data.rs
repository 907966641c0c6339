//! Owns `/v1/data` as a store: get, put, patch, delete. Values go out byte for byte, see [`RawJson`].

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::body::Chunks;
use crate::client::{Call, OpaClient, segments};
use crate::error::OpaError;
use crate::path::DataPath;
use crate::raw_json::{RawJson, json_string};

/// One operation of a JSON Patch. OPA applies all operations of one call in one transaction, or none of them.
#[derive(Clone, Debug)]
pub struct PatchOp {
    op: &'static str,
    path: String,
    value: Option<RawJson>,
}

impl PatchOp {
    /// Adds a document or replaces the one that is there. Its parent must exist: an earlier operation may add it.
    pub fn add(path: &DataPath, value: RawJson) -> Self {
        Self {
            op: "add",
            path: path.pointer(),
            value: Some(value),
        }
    }

    /// Replaces a document that exists.
    pub fn replace(path: &DataPath, value: RawJson) -> Self {
        Self {
            op: "replace",
            path: path.pointer(),
            value: Some(value),
        }
    }

    /// Removes a document that exists.
    pub fn remove(path: &DataPath) -> Self {
        Self {
            op: "remove",
            path: path.pointer(),
            value: None,
        }
    }
}

#[derive(Deserialize)]
struct Found {
    result: Option<Value>,
}

const JSON: &str = "application/json";

impl OpaClient {
    /// `GET /v1/data/{path}`: base documents and the values of rules (without input). None if there is nothing.
    pub async fn get_data(&self, path: &DataPath) -> Result<Option<Value>, OpaError> {
        let found: Found = self.call(at(Method::GET, "GET /v1/data/{path}", path)).await?.json()?;
        Ok(found.result)
    }

    /// `PUT /v1/data/{path}`: puts a document, and the objects above it if they do not exist.
    pub async fn put_data(&self, path: &DataPath, value: RawJson) -> Result<(), OpaError> {
        let call = at(Method::PUT, "PUT /v1/data/{path}", path).with_body(JSON, value.into_chunks());
        self.call(call).await?.done()
    }

    /// `PUT /v1/data/{path}` with `If-None-Match: *`: as [`OpaClient::put_data`], but a document that exists stays as it
    /// is. Whether it was put.
    pub async fn create_data(&self, path: &DataPath, value: RawJson) -> Result<bool, OpaError> {
        let call = at(Method::PUT, "PUT /v1/data/{path}", path).with_body(JSON, value.into_chunks());
        let answer = self
            .call(Call {
                only_if_absent: true,
                ..call
            })
            .await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(false);
        }
        answer.done().map(|()| true)
    }

    /// `PATCH /v1/data`: all operations in one transaction.
    ///
    /// # Errors
    /// [`OpaError::NotFound`] if a parent or a document to be replaced or removed does not exist,
    /// [`OpaError::Compile`] if data would lie at a rule's path, [`OpaError::OwnedByBundle`]; nothing is changed then.
    pub async fn patch_data(&self, operations: &[PatchOp]) -> Result<(), OpaError> {
        let call = Call::new(Method::PATCH, "PATCH /v1/data", segments(&["v1", "data"], []))
            .with_body(JSON, patch_body(operations));
        self.call(call).await?.done()
    }

    /// `DELETE /v1/data/{path}`; whether there was a document.
    pub async fn delete_data(&self, path: &DataPath) -> Result<bool, OpaError> {
        match self
            .call(at(Method::DELETE, "DELETE /v1/data/{path}", path))
            .await?
            .done()
        {
            Ok(()) => Ok(true),
            Err(OpaError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn at(method: Method, endpoint: &'static str, path: &DataPath) -> Call {
    Call::new(
        method,
        endpoint,
        segments(&["v1", "data"], path.segments().iter().map(String::as_str)),
    )
}

/// The operations as JSON text. The values are valid JSON by their type, so joining texts cannot change their meaning.
fn patch_body(operations: &[PatchOp]) -> Chunks {
    let mut body = Chunks::default();
    let mut before = "[";
    for PatchOp { op, path, value } in operations {
        let head = format!("{before}{{\"op\":\"{op}\",\"path\":{}", json_string(path));
        body.push(Bytes::from(head));
        if let Some(value) = value {
            body.push(Bytes::from_static(b",\"value\":"));
            body.append(value.clone().into_chunks());
        }
        body.push(Bytes::from_static(b"}"));
        before = ",";
    }
    body.push(Bytes::from_static(if before == "[" { b"[]" } else { b"]" }));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_the_text_of_its_values_between_its_operations() {
        let raw = |text: &'static str| RawJson::check(Bytes::from_static(text.as_bytes())).unwrap();
        let retention = DataPath::parse("cos/retention").unwrap();
        let odd = DataPath::new(["cos", "a/\"b"]).unwrap();
        let operations = [
            PatchOp::add(&retention, raw("{ \"days\": 1.0e3 }")),
            PatchOp::replace(&odd, raw("[\"x\"]")),
            PatchOp::remove(&retention),
        ];
        let text = patch_body(&operations).to_bytes();
        assert_eq!(
            text,
            concat!(
                r#"[{"op":"add","path":"/cos/retention","value":{ "days": 1.0e3 }},"#,
                r#"{"op":"replace","path":"/cos/a~1\"b","value":["x"]},"#,
                r#"{"op":"remove","path":"/cos/retention"}]"#
            )
        );
        assert!(RawJson::check(text).is_ok());
        assert_eq!(patch_body(&[]).to_bytes(), "[]");
    }
}
