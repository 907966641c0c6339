//! Owns the reloader's own endpoints on the admin port: `GET /status` and `POST /v1/refresh`.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use runtime::SecretSource;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::{board::Board, reconciler::Outcome};

/// A wish for a poll at once; the loop answers with what it came to.
pub(crate) type Refresh = oneshot::Sender<Outcome>;

/// The router. Without an admin token `/v1/refresh` is closed: anybody who reaches the port could make us poll.
pub(crate) fn router(board: Board, refresh: mpsc::Sender<Refresh>, token: Option<SecretSource>) -> Router {
    let status = Router::new().route("/status", get(status)).with_state(board);
    let refresh = match token {
        Some(token) => runtime::admin::require_bearer(
            Router::new().route("/v1/refresh", post(poll_now)).with_state(refresh),
            token,
        ),
        None => Router::new().route("/v1/refresh", post(closed)),
    };
    status.merge(refresh)
}

async fn status(State(board): State<Board>) -> Response {
    Json(board.status()).into_response()
}

async fn closed() -> Response {
    let error =
        "refresh is off: start the reloader with --admin-token or --admin-token-file and send it as bearer token";
    (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response()
}

async fn poll_now(State(refresh): State<mpsc::Sender<Refresh>>) -> Response {
    let (answer, outcome) = oneshot::channel();
    if refresh.try_send(answer).is_err() {
        let error = "too many refreshes are waiting; one of them serves all";
        return (StatusCode::TOO_MANY_REQUESTS, Json(json!({ "error": error }))).into_response();
    }
    match outcome.await {
        Ok(outcome) => Json(summary(&outcome)).into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "error": "shutting down" })),
        )
            .into_response(),
    }
}

/// What a poll came to, as JSON: for `/v1/refresh` and for the final line of `once`.
pub(crate) fn summary(outcome: &Outcome) -> serde_json::Value {
    let mut body = json!({ "outcome": outcome.name() });
    match outcome {
        Outcome::Unchanged => {}
        Outcome::Activated(info) => body["pack"] = json!(info),
        Outcome::Pending { message, .. } | Outcome::Failed { message, .. } => body["message"] = json!(message),
        Outcome::Refused { reason, message } => {
            body["reason"] = json!(reason);
            body["message"] = json!(message);
        }
    }
    body
}
