//! An HTTP/2 connection: many jobs at a time, one stream each.

use crate::connect::{Opened, Stream};
use crate::counted::{Bytes as Count, Counted};
use crate::h1::{Arriving, classify};
use crate::job::{Answer, Fresh, Job};
use crate::stamped::Stamp;
use crate::worker::Worker;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioIo;
use load_verdict::Outcome;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::rc::Rc;
use tokio::time::Instant;

/// Runs hyper's own tasks on the thread of their connection.
#[derive(Clone, Copy)]
struct Here;

impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

pub(crate) struct Multiplexed {
    sender: RefCell<SendRequest<Full<Bytes>>>,
    pub(crate) streams: Cell<usize>,
    count: Rc<Count>,
    stamp: Rc<Stamp>,
}

impl Multiplexed {
    /// Streams on one connection before another one is opened: what servers commonly allow (RFC 9113, 6.5.2 recommends
    /// no less than 100). Above it, jobs still start and wait inside the connection.
    pub(crate) const COMFORTABLE: usize = 100;

    /// The connection, and what drives it until it ends.
    pub(crate) async fn handshake(opened: Opened) -> Result<(Self, impl Future<Output = ()>), hyper::Error> {
        let count = Rc::clone(&opened.io.bytes);
        let io: TokioIo<Counted<Stream>> = TokioIo::new(opened.io);
        let (sender, connection) = http2::Builder::new(Here).handshake::<_, Full<Bytes>>(io).await?;
        let this = Self {
            sender: RefCell::new(sender),
            streams: Cell::new(0),
            count,
            stamp: opened.stamp,
        };
        Ok((this, async move {
            // Why it ended is told by the requests that were on it.
            let _ = connection.await;
        }))
    }

    /// Sends a job on a stream of its own.
    pub(crate) fn start(self: &Rc<Self>, worker: &Rc<Worker>, pool: usize, job: Job, fresh: Option<Fresh>) {
        self.streams.set(self.streams.get() + 1);
        let this = Rc::clone(self);
        let worker = Rc::clone(worker);
        tokio::task::spawn_local(async move {
            this.exchange(&worker, pool, job, fresh).await;
            this.streams.set(this.streams.get() - 1);
        });
    }

    async fn exchange(&self, worker: &Rc<Worker>, pool: usize, mut job: Job, fresh: Option<Fresh>) {
        let request = match worker.request_for(&job.arrival, true) {
            Ok(request) => request,
            Err(error) => {
                worker.note(Outcome::Protocol, &error);
                job.failed(Outcome::Protocol, (0, 0));
                return;
            }
        };
        let keep_body = worker.prepared_of(&job.arrival).needs_body;
        let deadline = Instant::from_std(worker.clock().at(job.deadline_ns()));
        job.sent(fresh);
        let response = self.sender.borrow_mut().try_send_request(request);
        let result = tokio::time::timeout_at(deadline, async {
            let response = response.await.map_err(|mut error| {
                let never_sent = error.take_message().is_some();
                (error.into_error(), never_sent)
            })?;
            job.head(self.stamp.received());
            let mut arriving = Arriving::new(response, keep_body);
            poll_fn(|cx| arriving.poll(cx)).await.map_err(|error| (error, false))?;
            Ok::<_, (hyper::Error, bool)>(arriving)
        })
        .await;
        match result {
            Ok(Ok(arriving)) => job.answered(
                &Answer {
                    status: arriving.response.status,
                    headers: &arriving.response.headers,
                    body: arriving.kept(),
                },
                self.stamp.received(),
                self.count.take(),
            ),
            Ok(Err((_, true))) if job.resent < 3 => {
                job.not_sent_after_all();
                worker.pool(pool).dispatch_again(worker, job);
            }
            Ok(Err((error, _))) => {
                let outcome = classify(&error);
                worker.note(outcome, &error);
                job.failed(outcome, self.count.take());
            }
            Err(_) => job.failed(Outcome::Timeout, self.count.take()),
        }
    }
}
