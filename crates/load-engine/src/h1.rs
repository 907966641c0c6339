//! An HTTP/1.1 connection: one job after the other. Connection and exchange are polled in the same task, so a request
//! costs no switch between tasks.

use crate::connect::{Opened, Stream};
use crate::counted::{Bytes as Count, Counted};
use crate::job::{Answer, Fresh, Job};
use crate::pool::{Pool, Slot};
use crate::stamped::Stamp;
use crate::worker::Worker;
use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use load_verdict::Outcome;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

type Io = TokioIo<Counted<Stream>>;

/// Bodies are kept for checks up to this size; the check of a longer one fails.
pub(crate) const KEPT_BODY: usize = 4 << 20;

/// Serves jobs until the connection ends.
pub(crate) async fn serve(worker: &Rc<Worker>, pool: &Pool, opened: Opened, mut fresh: Option<Fresh>) {
    let Opened { io, stamp, .. } = opened;
    let count = Rc::clone(&io.bytes);
    let (sender, connection) = match http1::Builder::new()
        .handshake::<Io, Full<Bytes>>(TokioIo::new(io))
        .await
    {
        Ok(both) => both,
        Err(error) => {
            pool.fail_first(worker, Outcome::Protocol, &error);
            return;
        }
    };
    let mut line = Line {
        sender,
        connection: Box::pin(connection),
        ended: None,
        count,
        stamp,
        alarm: None,
    };
    let slot = Rc::new(Slot::default());
    loop {
        let job = match pool.next() {
            Some(job) => job,
            None => match line.wait_for_job(worker, pool, &slot).await {
                Some(job) => job,
                None => return,
            },
        };
        if !line.ready().await {
            give_back(worker, pool, job);
            return;
        }
        match line.exchange(worker, job, fresh.take()).await {
            End::Usable if !pool.no_reuse => {}
            End::Usable | End::Over => return,
            End::NeverSent(job) => {
                give_back(worker, pool, job);
                return;
            }
        }
    }
}

/// The connection was gone before a byte was written. Sent on another one, as every client does; but not for ever.
fn give_back(worker: &Rc<Worker>, pool: &Pool, mut job: Job) {
    if job.resent >= 3 {
        job.failed(Outcome::Reset, (0, 0));
        return;
    }
    job.not_sent_after_all();
    pool.dispatch_again(worker, job);
}

/// How an exchange left the connection.
enum End {
    Usable,
    Over,
    NeverSent(Job),
}

struct Line {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<Io, Full<Bytes>>>>,
    /// How the connection ended, if it did. It must not be polled after that.
    ended: Option<Result<(), hyper::Error>>,
    count: Rc<Count>,
    stamp: Rc<Stamp>,
    /// Set once for many requests: moved only when it goes off too early.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Line {
    /// Drives the connection. A connection that ended must not be polled again.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if self.ended.is_none()
            && let Poll::Ready(result) = self.connection.as_mut().poll(cx)
        {
            self.ended = Some(result);
        }
    }

    /// `None` when the connection ended, or the run did.
    async fn wait_for_job(&mut self, worker: &Rc<Worker>, pool: &Pool, slot: &Rc<Slot>) -> Option<Job> {
        let mut parked = false;
        let job = poll_fn(|cx| {
            if let Some(job) = slot.job.take() {
                return Poll::Ready(Some(job));
            }
            self.drive(cx);
            if self.ended.is_some() || worker.is_stopping() {
                return Poll::Ready(None);
            }
            if !parked {
                parked = true;
                let mut waker = slot.waker.borrow_mut();
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                drop(waker);
                pool.park(slot);
            }
            Poll::Pending
        })
        .await;
        if job.is_none() && parked {
            pool.unpark(slot);
        }
        job
    }

    /// Whether a request can be written; `false`: never again.
    async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            // After a response, the connection must run once more before it takes the next request.
            for driven in [false, true] {
                if driven {
                    self.drive(cx);
                    if self.ended.is_some() {
                        return Poll::Ready(false);
                    }
                }
                if let Poll::Ready(result) = self.sender.poll_ready(cx) {
                    return Poll::Ready(result.is_ok());
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn exchange(&mut self, worker: &Rc<Worker>, mut job: Job, fresh: Option<Fresh>) -> End {
        let request = match worker.request_for(&job.arrival, false) {
            Ok(request) => request,
            Err(error) => {
                worker.note(Outcome::Protocol, &error);
                job.failed(Outcome::Protocol, (0, 0));
                return End::Usable;
            }
        };
        let keep_body = worker.prepared_of(&job.arrival).needs_body;
        let deadline_ns = job.deadline_ns();
        job.sent(fresh);
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        let mut reading = Reading::Head;
        let result = {
            // Borrowed apart, because `response` holds none of them.
            let connection = &mut self.connection;
            let ended = &mut self.ended;
            let alarm = &mut self.alarm;
            let stamp = &self.stamp;
            poll_fn(|cx| {
                loop {
                    if ended.is_none()
                        && let Poll::Ready(result) = connection.as_mut().poll(cx)
                    {
                        *ended = Some(result);
                    }
                    let moved = match &mut reading {
                        Reading::Head => match response.as_mut().poll(cx) {
                            Poll::Ready(Ok(response)) => {
                                job.head(stamp.received());
                                reading = Reading::Body(Box::new(Arriving::new(response, keep_body)));
                                true
                            }
                            Poll::Ready(Err(mut error)) => {
                                let never_sent = error.take_message().is_some();
                                return Poll::Ready(Err(Broken::Http {
                                    error: error.into_error(),
                                    never_sent,
                                }));
                            }
                            Poll::Pending => false,
                        },
                        Reading::Body(arriving) => match arriving.poll(cx) {
                            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
                            Poll::Ready(Err(error)) => {
                                return Poll::Ready(Err(Broken::Http {
                                    error,
                                    never_sent: false,
                                }));
                            }
                            Poll::Pending => arriving.moved(),
                        },
                    };
                    if !moved {
                        break;
                    }
                }
                match poll_alarm(alarm, worker, deadline_ns, cx) {
                    Poll::Ready(()) => Poll::Ready(Err(Broken::TooLate)),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        };
        let bytes = self.count.take();
        match (result, reading) {
            (Ok(()), Reading::Body(arriving)) => {
                job.answered(
                    &Answer {
                        status: arriving.response.status,
                        headers: &arriving.response.headers,
                        body: arriving.kept(),
                    },
                    self.stamp.received(),
                    bytes,
                );
                if self.ended.is_some() { End::Over } else { End::Usable }
            }
            (Err(Broken::TooLate), _) => {
                job.failed(Outcome::Timeout, bytes);
                End::Over
            }
            (Err(Broken::Http { never_sent: true, .. }), _) if bytes.0 == 0 => End::NeverSent(job),
            (Err(Broken::Http { error, .. }), _) => {
                // The connection's own error says more than "canceled".
                let error = match self.ended.take() {
                    Some(Err(cause)) if error.is_canceled() => cause,
                    other => {
                        self.ended = other;
                        error
                    }
                };
                let outcome = classify(&error);
                worker.note(outcome, &error);
                job.failed(outcome, bytes);
                End::Over
            }
            (Ok(()), Reading::Head) => End::Over,
        }
    }
}

/// Why an exchange did not end well.
enum Broken {
    Http { error: hyper::Error, never_sent: bool },
    TooLate,
}

/// Which outcome an error of hyper's is.
pub(crate) fn classify(error: &hyper::Error) -> Outcome {
    if error.is_parse() || error.is_user() {
        Outcome::Protocol
    } else if error.is_timeout() {
        Outcome::Timeout
    } else {
        Outcome::Reset
    }
}

/// Goes off at `deadline_ns`. The timer is set at the first request and then only when it goes off before its time, which
/// is once in a time limit and not once in a request.
fn poll_alarm(
    alarm: &mut Option<Pin<Box<Sleep>>>,
    worker: &Worker,
    deadline_ns: u64,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at(worker, deadline_ns))));
    // A request that was due earlier than the alarm's: set it earlier.
    if alarm.deadline() > at(worker, deadline_ns) + Duration::from_millis(5) {
        alarm.as_mut().reset(at(worker, deadline_ns));
    }
    while alarm.as_mut().poll(cx).is_ready() {
        if worker.now() >= deadline_ns {
            alarm.as_mut().reset(Instant::now() + Duration::from_hours(1));
            return Poll::Ready(());
        }
        alarm.as_mut().reset(at(worker, deadline_ns));
    }
    Poll::Pending
}

fn at(worker: &Worker, deadline_ns: u64) -> Instant {
    Instant::from_std(worker.clock().at(deadline_ns))
}

enum Reading {
    Head,
    Body(Box<Arriving>),
}

/// A response on its way.
pub(crate) struct Arriving {
    pub(crate) response: Head,
    body: Incoming,
    keep: bool,
    kept: BytesMut,
    too_long: bool,
    moved: bool,
}

/// What is known when the head is there.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
}

impl Arriving {
    pub(crate) fn new(response: Response<Incoming>, keep: bool) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            response: Head {
                status: parts.status.as_u16(),
                headers: parts.headers,
            },
            body,
            keep,
            kept: BytesMut::new(),
            too_long: false,
            moved: true,
        }
    }

    /// Whether anything happened since the last question.
    fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        if self.body.is_end_stream() {
            return Poll::Ready(Ok(()));
        }
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(Some(Ok(frame))) => {
                    self.moved = true;
                    if let (true, Some(data)) = (self.keep && !self.too_long, frame.data_ref()) {
                        if self.kept.len() + data.len() > KEPT_BODY {
                            self.too_long = true;
                            self.kept = BytesMut::new();
                        } else {
                            self.kept.extend_from_slice(data);
                        }
                    }
                    if self.body.is_end_stream() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    /// The body, when it was kept and is not too long.
    pub(crate) fn kept(&self) -> Option<&[u8]> {
        (!self.too_long).then_some(&self.kept)
    }
}
