//! Owns the port that OPA polls: its bundle, by long polling, and its status reports.
//!
//! Facts about OPA 1.22 that shape this file: it answers a 304 by asking again at once, so a 304 is only given
//! after waiting; a 200 with the validator it sent makes it load the same bundle again and again, so that is never
//! given; `If-None-Match` names the bundle that it has *activated*; without the content type below it stops long
//! polling.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use opa_client::status::StatusUpdate;

use crate::feed::Feed;

/// What keeps OPA in long-polling mode.
const BUNDLE_TYPE: &str = "application/vnd.openpolicyagent.bundles";
/// No poll is held longer than this, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// A status report carries OPA's own metrics: 60 KB for a small OPA.
pub(crate) const STATUS_LIMIT: usize = opa_client::status::MAX_STATUS_BYTES;

#[derive(Clone)]
struct Shared {
    feed: Feed,
    name: String,
    draining: runtime::shutdown::Shutdown,
}

/// `GET /bundles/<name>` and `POST /status`.
pub(crate) fn router(name: &str, feed: Feed, shutdown: runtime::shutdown::Shutdown) -> Router {
    Router::new()
        .route("/bundles/{name}", get(bundle))
        .route("/status", post(status))
        .layer(DefaultBodyLimit::max(STATUS_LIMIT))
        .with_state(Shared {
            feed,
            name: name.to_owned(),
            draining: shutdown,
        })
}

async fn bundle(State(shared): State<Shared>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if name != shared.name {
        let error = format!("there is no bundle `{name}` here; ask for `{}`", shared.name);
        return (StatusCode::NOT_FOUND, Json(serde_json::json!({ "error": error }))).into_response();
    }
    let known = first_validator(&headers);
    let wait = asked_wait(&headers);
    let newer = tokio::select! {
        newer = shared.feed.newer_than(known.as_deref(), wait.unwrap_or_default()) => newer,
        () = shared.draining.recv() => None,
    };
    match newer {
        Some(served) => {
            let mut response = Response::new(Body::new(served.body.chunks().clone()));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BUNDLE_TYPE));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(served.body.chunks().len()));
            if let Ok(etag) = HeaderValue::from_str(&served.etag()) {
                headers.insert(header::ETAG, etag);
            }
            response
        }
        None if known.is_some() || wait.is_some() => StatusCode::NOT_MODIFIED.into_response(),
        None => {
            let error = "no policy pack has been accepted yet; the reloader's /status tells why";
            (StatusCode::NOT_FOUND, Json(serde_json::json!({ "error": error }))).into_response()
        }
    }
}

async fn status(State(shared): State<Shared>, Json(update): Json<StatusUpdate>) -> StatusCode {
    shared.feed.report(update);
    StatusCode::NO_CONTENT
}

/// The validator of the active bundle: the first of the list.
fn first_validator(headers: &HeaderMap) -> Option<String> {
    let list = headers.get(header::IF_NONE_MATCH)?.to_str().ok()?;
    let first = list.split(',').next()?.trim();
    Some(first.trim_start_matches("W/").to_owned()).filter(|tag| !tag.is_empty())
}

/// `Prefer: modes=snapshot,delta;wait=N` (seconds); `None` when OPA does not poll long.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([';', ',']))
        .find_map(|part| part.trim().strip_prefix("wait=")?.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests;
