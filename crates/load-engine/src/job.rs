//! A request on its way. It always ends as exactly one sample: when it is dropped unfinished, that is its sample.

use crate::connect::Opened;
use crate::worker::Worker;
use http::HeaderMap;
use load_plan::schedule::Arrival;
use load_verdict::{Outcome, Sample};
use std::rc::Rc;
use std::time::Instant;

/// How long its connection took to open, when it was opened while the job waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    began_ns: u64,
    connect_ns: u64,
    tls_ns: u64,
}

impl Fresh {
    pub(crate) fn of(opened: &Opened) -> Self {
        Self {
            began_ns: opened.began_ns,
            connect_ns: opened.connect_ns,
            tls_ns: opened.tls_ns,
        }
    }
}

pub(crate) struct Job {
    pub(crate) arrival: Arrival,
    worker: Rc<Worker>,
    taken_ns: u64,
    /// A connection was free at once: then all that passes until it is sent is our own lateness.
    direct: bool,
    sent_ns: Option<u64>,
    head_ns: Option<u64>,
    fresh: Option<Fresh>,
    /// Times that a connection was gone before a byte of it was written.
    pub(crate) resent: u8,
    open: bool,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    /// `None`: longer than is kept.
    pub(crate) body: Option<&'a [u8]>,
}

impl Job {
    pub(crate) fn new(worker: Rc<Worker>, arrival: Arrival) -> Self {
        let taken_ns = worker.now();
        Self {
            arrival,
            worker,
            taken_ns,
            direct: false,
            sent_ns: None,
            head_ns: None,
            fresh: None,
            resent: 0,
            open: true,
        }
    }

    pub(crate) fn assigned_at_once(&mut self) {
        self.direct = true;
    }

    /// When it is too late, on the run's clock.
    pub(crate) fn deadline_ns(&self) -> u64 {
        self.arrival.due_ns.saturating_add(self.worker.timeout_ns)
    }

    pub(crate) fn sent(&mut self, fresh: Option<Fresh>) {
        self.sent_ns = Some(self.worker.now());
        self.fresh = fresh;
    }

    pub(crate) fn not_sent_after_all(&mut self) {
        self.sent_ns = None;
        self.direct = false;
        self.resent += 1;
    }

    /// The head of the response had arrived at `received`.
    pub(crate) fn head(&mut self, received: Instant) {
        self.head_ns = Some(self.not_before_sent(received));
    }

    /// On the run's clock. Nothing can have arrived before it was asked for, whatever a stamp says.
    fn not_before_sent(&self, received: Instant) -> u64 {
        self.worker.clock().ns_at(received).max(self.sent_ns.unwrap_or(0))
    }

    /// A whole response, the last of which had arrived at `received`.
    pub(crate) fn answered(mut self, answer: &Answer<'_>, received: Instant, bytes: (u64, u64)) {
        let done_ns = self.not_before_sent(received).max(self.head_ns.unwrap_or(0));
        let worker = Rc::clone(&self.worker);
        let prepared = worker.prepared_of(&self.arrival);
        let mut failed = 0_u32;
        for (index, check) in worker.plan.checks.iter().enumerate() {
            let bit = 1_u32 << index;
            if prepared.checks & bit == 0 {
                continue;
            }
            let passes = match answer.body {
                Some(body) => check.passes(answer.status, answer.headers, body),
                None => !check.needs_body() && check.passes(answer.status, answer.headers, &[]),
            };
            if !passes {
                failed |= bit;
            }
        }
        let outcome = if answer.status >= 400 {
            Outcome::HttpError
        } else if failed != 0 {
            Outcome::CheckFailed
        } else {
            Outcome::Ok
        };
        self.end(done_ns, outcome, answer.status, prepared.checks, failed, bytes);
    }

    /// No whole response.
    pub(crate) fn failed(mut self, outcome: Outcome, bytes: (u64, u64)) {
        self.fail(outcome, bytes);
    }

    fn fail(&mut self, outcome: Outcome, bytes: (u64, u64)) {
        let checks = self.worker.prepared_of(&self.arrival).checks;
        let done_ns = self.worker.now();
        self.end(done_ns, outcome, 0, checks, checks, bytes);
    }

    fn end(
        &mut self,
        done_ns: u64,
        outcome: Outcome,
        status: u16,
        checks_made: u32,
        checks_failed: u32,
        bytes: (u64, u64),
    ) {
        self.open = false;
        let due_ns = self.arrival.due_ns;
        let sent_ns = self.sent_ns.unwrap_or(done_ns);
        let head_ns = self.head_ns.unwrap_or(done_ns);
        let lag_end = if self.direct { sent_ns } else { self.taken_ns };
        let wait = sent_ns.saturating_sub(lag_end);
        let (connect_ns, tls_ns) = self.fresh.map_or((0, 0), |fresh| opening(&fresh, lag_end, sent_ns));
        let sample = Sample {
            request: self.arrival.request,
            scenario: self.arrival.scenario,
            due_ns,
            warm_up: self.arrival.warm_up,
            lag_ns: lag_end.saturating_sub(due_ns),
            queue_ns: wait - connect_ns - tls_ns,
            connect_ns,
            tls_ns,
            first_byte_ns: head_ns.saturating_sub(sent_ns),
            receive_ns: done_ns.saturating_sub(head_ns),
            sent_bytes: bytes.0,
            received_bytes: bytes.1,
            status,
            outcome,
            checks_made,
            checks_failed,
        };
        self.worker.record(&sample);
    }
}

/// The parts of the wait from `from` to `to` in which the connection was being opened.
fn opening(fresh: &Fresh, from: u64, to: u64) -> (u64, u64) {
    let overlap = |start: u64, length: u64| {
        let end = start.saturating_add(length).min(to);
        end.saturating_sub(start.max(from))
    };
    (
        overlap(fresh.began_ns, fresh.connect_ns),
        overlap(fresh.began_ns.saturating_add(fresh.connect_ns), fresh.tls_ns),
    )
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.open {
            self.fail(Outcome::Unfinished, (0, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_of_opening_that_was_waited_for_counts() {
        let fresh = Fresh {
            began_ns: 100,
            connect_ns: 50,
            tls_ns: 30,
        };
        assert_eq!(opening(&fresh, 0, 1_000), (50, 30));
        assert_eq!(opening(&fresh, 120, 1_000), (30, 30), "came while it was connecting");
        assert_eq!(opening(&fresh, 160, 1_000), (0, 20), "came during the handshake");
        assert_eq!(opening(&fresh, 200, 1_000), (0, 0), "opened before");
        assert_eq!(opening(&fresh, 0, 110), (10, 0), "another connection took it");
    }
}
