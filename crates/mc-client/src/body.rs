//! Owns reading a body in chunks, with an end to every wait.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};

use crate::error::{McError, TimeoutPhase};
use crate::headers::PackHeaders;

/// A pack on its way. Read it to the end; dropping it ends the transfer.
#[derive(Debug)]
pub struct PackBody {
    headers: PackHeaders,
    /// Boxed, because the reply is passed around by value and the body's parts are large.
    body: Box<Body>,
}

impl PackBody {
    pub(crate) fn new(headers: PackHeaders, body: Body) -> Self {
        Self {
            headers,
            body: Box::new(body),
        }
    }

    /// What MC says about the pack.
    pub fn headers(&self) -> &PackHeaders {
        &self.headers
    }

    /// The next piece; none at the end of the body.
    ///
    /// A body that is longer than its `Content-Length` cannot be told from a whole one (HTTP ends it there): its digest
    /// will be wrong.
    ///
    /// # Errors
    /// [`McError::Timeout`] when the next piece or the whole takes too long, [`McError::Truncated`] when the connection
    /// ends before the body does. After an error there is no end: each further call is an error again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, McError> {
        self.body.chunk().await
    }
}

/// The limits of one request, as points in time and as what they were made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) total: Duration,
}

impl Deadline {
    pub(crate) fn after(total: Duration) -> Self {
        Self {
            at: Instant::now() + total,
            total,
        }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.total
            .saturating_sub(self.at.saturating_duration_since(Instant::now()))
    }

    /// The nearer of a limit for one step and the end of the whole, and what to say when it passes.
    pub(crate) fn step(self, limit: Duration, phase: TimeoutPhase) -> (Instant, TimeoutPhase, Duration) {
        let step = Instant::now() + limit;
        if step < self.at {
            (step, phase, limit)
        } else {
            (self.at, TimeoutPhase::Total, self.total)
        }
    }
}

#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    request: String,
    span: Span,
    idle: Duration,
    deadline: Deadline,
    expected: Option<u64>,
    received: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Failed,
}

impl Body {
    pub(crate) fn new(
        response: Response,
        request: String,
        span: Span,
        idle: Duration,
        deadline: Deadline,
        expected: Option<u64>,
    ) -> Self {
        Self {
            response,
            request,
            span,
            idle,
            deadline,
            expected,
            received: 0,
            state: State::Open,
        }
    }

    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, McError> {
        match self.state {
            State::Open => {}
            State::Ended => return Ok(None),
            State::Failed => return Err(self.truncated(None)),
        }
        let result = self.next().await;
        match &result {
            Ok(Some(_)) => {}
            Ok(None) => self.state = State::Ended,
            Err(_) => self.state = State::Failed,
        }
        result
    }

    async fn next(&mut self) -> Result<Option<Bytes>, McError> {
        let (until, phase, after) = self.deadline.step(self.idle, TimeoutPhase::Idle);
        // A timer is not looked at while there is always something to read, so an endless body needs this check.
        if Instant::now() >= self.deadline.at {
            return Err(self.timeout(TimeoutPhase::Total, self.deadline.total));
        }
        let began = Instant::now();
        let waiting = timeout_at(until, self.response.chunk()).instrument(self.span.clone());
        match waiting.await {
            Err(_) => Err(self.timeout(phase, after)),
            // The HTTP client's own limit between two reads, which is shorter than ours then.
            Ok(Err(error)) if error.is_timeout() => Err(self.timeout(TimeoutPhase::Idle, began.elapsed())),
            Ok(Err(error)) => Err(self.truncated(Some(error.without_url()))),
            Ok(Ok(Some(chunk))) => {
                self.received += chunk.len() as u64;
                Ok(Some(chunk))
            }
            Ok(Ok(None)) if self.expected.is_some_and(|expected| expected != self.received) => {
                Err(self.truncated(None))
            }
            Ok(Ok(None)) => Ok(None),
        }
    }

    /// Reads the whole body, if it is no longer than `limit` bytes.
    pub(crate) async fn whole(mut self, limit: usize) -> Result<Bytes, McError> {
        let too_large = |request: &str| McError::TooLarge {
            request: request.to_owned(),
            limit,
        };
        if self.expected.is_some_and(|expected| expected > limit as u64) {
            return Err(too_large(&self.request));
        }
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > limit {
                return Err(too_large(&self.request));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(whole))
    }

    /// Reads the start of the body, as far as it comes: for the words of an error, which must not be lost to another.
    pub(crate) async fn start(mut self, limit: usize) -> Vec<u8> {
        let mut start = Vec::new();
        while start.len() < limit
            && let Ok(Some(chunk)) = self.chunk().await
        {
            start.extend_from_slice(&chunk);
        }
        start.truncate(limit);
        start
    }

    fn timeout(&self, phase: TimeoutPhase, after: Duration) -> McError {
        McError::Timeout {
            request: self.request.clone(),
            phase,
            after,
        }
    }

    fn truncated(&self, source: Option<reqwest::Error>) -> McError {
        McError::Truncated {
            request: self.request.clone(),
            received: self.received,
            expected: self.expected,
            source,
        }
    }
}
