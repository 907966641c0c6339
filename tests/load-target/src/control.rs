//! The truth over HTTP, on a port of its own: asking for it is no part of what is measured, and works whatever the
//! target is told to do to its clients.
//!
//! `GET` answers with the log as JSON; `DELETE` empties it.

use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::shared::Shared;

/// Where the truth is told.
pub(crate) const PATH: &str = "/_truth";

/// Serves for ever.
pub(crate) async fn run(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| {
                let response = answer(&shared, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            // A client that goes away in the middle has had enough.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.uri().path(), request.method()) {
        (PATH, &Method::GET) => match serde_json::to_vec(&shared.log.borrow().truth()) {
            Ok(json) => (StatusCode::OK, json),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
        },
        (PATH, &Method::DELETE) => {
            shared.reset();
            (StatusCode::NO_CONTENT, Vec::new())
        }
        (PATH, _) => (StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
        _ => (StatusCode::NOT_FOUND, Vec::new()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}
