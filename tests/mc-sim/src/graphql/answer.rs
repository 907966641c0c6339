//! Owns `POST /graphql`: the token, the media types, the faults around and in the answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::execute::{self, Executed, Refused, World, execute};
use super::garble::{Draft, garble};
use crate::answer::Exchange;
use crate::fault::{Endpoint, Fault, Stage};
use crate::net::Connection;
use crate::reply::{error, set, unauthorized};
use crate::state::Shared;

/// No evidence is larger.
const LARGEST_REQUEST: usize = 1 << 20;
const JSON: &str = "application/json";
const GRAPHQL_JSON: &str = "application/graphql-response+json";

pub(crate) async fn graphql(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let exchange = Exchange::begin(shared, connection, Endpoint::Graphql, &request);
    if !exchange.token_is_right() {
        return exchange.send(unauthorized());
    }
    let (parts, body) = request.into_parts();
    // Read before any fault is met: an answer that comes before the question was sent is another fault than these.
    let body = axum::body::to_bytes(body, LARGEST_REQUEST).await;
    if let Some(response) = exchange.arrival_faults().await {
        return response;
    }
    if parts.method != Method::POST {
        let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "POST a GraphQL request");
        set(response.headers_mut(), header::ALLOW, "POST");
        return exchange.send(response);
    }
    if !is_json(&parts.headers) {
        return exchange.send(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/json"));
    }
    let Ok(body) = body else {
        return exchange.send(error(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"));
    };
    let response = answer(&exchange, &parts.headers, &body);
    exchange.send(response)
}

fn answer(exchange: &Exchange, headers: &HeaderMap, body: &[u8]) -> Response {
    let now = jiff::Timestamp::now();
    let forgetful = !exchange.take(Stage::Lookup).is_empty();
    let executed = match serde_json::from_slice::<execute::Request>(body) {
        Err(cause) => Err(Refused {
            message: format!("this is no GraphQL request: {cause}"),
            code: "BAD_REQUEST",
        }),
        Ok(request) => {
            let mut state = exchange.shared.lock();
            let mut world = World {
                evidence: &mut state.evidence,
                now,
                forgetful,
            };
            execute(&request, &mut world)
        }
    };
    let modern = accepts_modern(headers);
    let content_type = if modern { GRAPHQL_JSON } else { JSON };
    let (status, value) = match executed {
        Ok(Executed { asked, body }) => {
            exchange.shared.record(|requests| requests.asked(exchange.seq, &asked));
            (StatusCode::OK, body)
        }
        // GraphQL over HTTP: 400 with the new media type, 200 with the old one.
        Err(refused) => (
            if modern {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            },
            errors(&refused),
        ),
    };
    let faults = exchange.take(Stage::Content);
    let draft = Draft {
        status,
        content_type: content_type.to_owned(),
        age: None,
        body: bytes::Bytes::new(),
    };
    respond(exchange, garble(draft, value, &faults, now), &faults)
}

fn respond(exchange: &Exchange, draft: Draft, faults: &[Fault]) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = draft.status;
    set(response.headers_mut(), header::CONTENT_TYPE, &draft.content_type);
    if let Some(age) = draft.age {
        response.headers_mut().insert(header::AGE, HeaderValue::from(age));
    }
    if draft.status == StatusCode::NO_CONTENT {
        return response;
    }
    exchange.deliver(response, draft.body, faults)
}

fn errors(refused: &Refused) -> Value {
    json!({ "errors": [{ "message": refused.message, "extensions": { "code": refused.code } }] })
}

fn is_json(headers: &HeaderMap) -> bool {
    text(headers, &header::CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        == JSON
}

fn accepts_modern(headers: &HeaderMap) -> bool {
    text(headers, &header::ACCEPT).contains(GRAPHQL_JSON)
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
