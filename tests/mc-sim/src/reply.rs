//! Owns the answers that say something other than "here it is".

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::store::Served;

const HTML: &str = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>";

pub(crate) fn unchanged(tag: &str, current: &Served) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    set(headers, header::ETAG, tag);
    set(
        headers,
        header::LAST_MODIFIED,
        &httpdate::fmt_http_date(current.last_modified),
    );
    response
}

pub(crate) fn no_attestation() -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "attestation not available")
}

pub(crate) fn unauthorized() -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, "unauthorized");
    set(response.headers_mut(), header::WWW_AUTHENTICATE, "Bearer");
    response
}

pub(crate) fn faulty_status(code: u16, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = error(status, "fault on demand");
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    json(status, &serde_json::json!({ "error": message }))
}

pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    set(response.headers_mut(), header::CONTENT_TYPE, "application/json");
    response
}

/// Sets a header. Every value here is made of tags, dates and paths that came in as header or URI text; one that cannot be a header is
/// left out, which a test of the header then shows.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

pub(crate) fn moved(path: &str) -> Response {
    let mut response = error(StatusCode::FOUND, "moved");
    set(response.headers_mut(), header::LOCATION, path);
    response
}

pub(crate) fn page() -> Response {
    let mut response = Response::new(Body::from(HTML));
    set(response.headers_mut(), header::CONTENT_TYPE, "text/html; charset=utf-8");
    response
}
