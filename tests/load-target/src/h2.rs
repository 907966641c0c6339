//! HTTP/2, by hyper. Misbehaviour is a matter of streams here: what would cut an HTTP/1.1 connection resets the stream.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::alarm::Until;
use crate::config::Kind;
use crate::log::Seen;
use crate::shared::{Connection, Shared, Taken};

/// Puts streams on the thread that they came in on.
#[derive(Clone, Copy)]
struct SameThread;

impl<F: Future<Output = ()> + 'static> Executor<F> for SameThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// The stream is reset, as was planned.
#[derive(Debug, thiserror::Error)]
#[error("as configured")]
struct Cut;

/// Answers requests until the connection ends.
pub(crate) async fn serve<S>(stream: S, connection: Connection) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let streams = connection.shared.config.streams;
    let connection = Rc::new(connection);
    let service = service_fn(move |request| answer(request, Rc::clone(&connection)));
    http2::Builder::new(SameThread)
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

async fn answer(request: Request<Incoming>, connection: Rc<Connection>) -> Result<Response<Answering>, Cut> {
    let shared = &connection.shared;
    let taken = shared.take(connection.number, shared.alarm.now());
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    if shared.wants_words() {
        shared.keep(seen(&head, &body));
    }
    if taken.kind == Kind::Never {
        std::future::pending::<Infallible>().await;
    }
    shared.alarm.until(taken.answer_ns).await;
    if matches!(taken.kind, Kind::Reset | Kind::Hangup | Kind::Garbage) {
        shared.ended(&taken, 0);
        return Err(Cut);
    }
    let answer = shared.answers.of(taken.kind);
    let half = match taken.kind {
        Kind::Truncated | Kind::SlowBody => answer.body.len() / 2,
        _ => answer.body.len(),
    };
    let mut response = Response::new(Answering {
        first: Some(answer.body.slice(..half)),
        rest: Some(answer.body.slice(half..)).filter(|rest| !rest.is_empty()),
        wait: (taken.kind == Kind::SlowBody).then(|| shared.alarm.until(taken.answer_ns + shared.slow_body_ns())),
        status: answer.status,
        taken,
        shared: Rc::clone(shared),
    });
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or_default();
    let content_type = http::HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    Ok(response)
}

fn seen(head: &http::request::Parts, body: &Bytes) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: text(body),
    }
}

/// A body that is written down when its last byte is handed over.
struct Answering {
    first: Option<Bytes>,
    rest: Option<Bytes>,
    /// Before the rest.
    wait: Option<Until>,
    status: u16,
    taken: Taken,
    shared: Rc<Shared>,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        let next = if let Some(first) = this.first.take() {
            first
        } else if this.rest.is_none() {
            return Poll::Ready(None);
        } else if this.taken.kind == Kind::Truncated {
            this.rest = None;
            this.shared.ended(&this.taken, this.status);
            return Poll::Ready(Some(Err(Cut)));
        } else {
            if let Some(wait) = &mut this.wait {
                std::task::ready!(Pin::new(wait).poll(cx));
            }
            this.rest.take().unwrap_or_default()
        };
        if this.rest.is_none() {
            this.shared.ended(&this.taken, this.status);
        }
        Poll::Ready(Some(Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }
}
