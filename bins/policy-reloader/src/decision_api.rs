//! Owns the embedded mode's port: the part of OPA's REST API that asks for decisions.
//!
//! `GET` and `POST /v1/data/<path>` (with `?provenance=true`), `/health`, `/health?bundles`. Shapes as in OPA's
//! REST documentation: an undefined decision is a 200 without `result`.

use std::collections::HashMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::activate::EmbeddedMode;

/// Inputs are small documents; OPA's own default limit is of this order.
const INPUT_LIMIT: usize = 1 << 20;

/// The decision API over `mode`.
pub(crate) fn router(mode: EmbeddedMode) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/v1/data", get(whole).post(whole))
        .route("/v1/data/{*path}", get(by_query).post(by_body))
        .layer(DefaultBodyLimit::max(INPUT_LIMIT))
        .with_state(mode)
}

type Parameters = Query<HashMap<String, String>>;

async fn health(State(mode): State<EmbeddedMode>, Query(query): Parameters) -> Response {
    if query.contains_key("bundles") && mode.current().is_none() {
        let error = json!({ "error": "one or more bundles are not activated: policy" });
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response();
    }
    Json(json!({})).into_response()
}

async fn whole() -> Response {
    invalid("ask for a path, for example /v1/data/cos/abac/allow; the whole of `data` is not served")
}

async fn by_query(State(mode): State<EmbeddedMode>, Path(path): Path<String>, Query(query): Parameters) -> Response {
    let input = match query.get("input").map(|text| serde_json::from_str(text)) {
        Some(Err(error)) => return invalid(&format!("parameter `input` is not JSON: {error}")),
        Some(Ok(input)) => Some(input),
        None => None,
    };
    answer(mode, path, input, &query).await
}

async fn by_body(
    State(mode): State<EmbeddedMode>,
    Path(path): Path<String>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    if body.iter().all(u8::is_ascii_whitespace) {
        return answer(mode, path, None, &query).await;
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut body)) => answer(mode, path, body.remove("input"), &query).await,
        Ok(_) => invalid("the body must be an object with the key `input`"),
        Err(error) => invalid(&format!("the body is not JSON: {error}")),
    }
}

async fn answer(mode: EmbeddedMode, path: String, input: Option<Value>, query: &HashMap<String, String>) -> Response {
    let with_provenance = query.get("provenance").is_some_and(|value| value != "false");
    let Some(decider) = mode.current() else {
        return Json(json!({})).into_response();
    };
    let path: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let revision = decider.revision().to_owned();
    let outcome = tokio::task::spawn_blocking(move || decider.decide(&path, input.as_ref())).await;
    let result = match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(message)) => return failed("evaluation_error", &message),
        Err(error) => return failed("internal_error", &error.to_string()),
    };
    let mut body = serde_json::Map::new();
    if let Some(result) = result {
        body.insert("result".to_owned(), result);
    }
    if with_provenance {
        let provenance = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "bundles": { "policy": { "revision": revision } },
        });
        body.insert("provenance".to_owned(), provenance);
    }
    Json(Value::Object(body)).into_response()
}

fn invalid(message: &str) -> Response {
    let body = json!({ "code": "invalid_parameter", "message": message });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn failed(code: &str, message: &str) -> Response {
    let body = json!({ "code": code, "message": message });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}
