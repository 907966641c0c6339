//! The target's own log: the truth that tools are held to. Room is made before the first request, so that keeping it
//! costs next to nothing.

use serde::{Deserialize, Serialize};

use crate::config::Kind;

/// One request, as the target saw it. Times are nanoseconds since the target's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The number of its connection, from 0 in the order of acceptance.
    pub connection: u32,
    /// When its first byte was read.
    pub arrived_ns: u64,
    /// When its answer was to be complete; `None` if never.
    pub planned_ns: Option<u64>,
    /// When the last byte of its answer was written, or its connection cut; `None` while that has not happened.
    pub ended_ns: Option<u64>,
    /// The status of its answer; 0 when it has none.
    pub status: u16,
    /// What became of it.
    pub kind: Kind,
}

impl Request {
    /// Milliseconds from its arrival to the end of its answer; infinite without a whole answer.
    pub fn latency_ms(&self) -> f64 {
        let whole = self.status != 0 && self.kind != Kind::Truncated;
        match self.ended_ns {
            Some(ended) if whole => (ended - self.arrived_ns) as f64 / 1e6,
            _ => f64::INFINITY,
        }
    }

    /// The same if only the right answer counts as one.
    pub fn right_latency_ms(&self) -> f64 {
        match self.kind {
            Kind::Ok | Kind::SlowBody => self.latency_ms(),
            _ => f64::INFINITY,
        }
    }
}

/// A request word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case, in the order of the request.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are no text are replaced.
    pub body: String,
}

impl Seen {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Everything a target knows about what it was asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Every request, in the order of arrival.
    pub requests: Vec<Request>,
    /// Requests that the log had no room for.
    pub unlogged: u64,
    /// Connections that were taken up.
    pub connections: u64,
    /// Connections that were turned away.
    pub turned_away: u64,
    /// The most connections that were open at a time.
    pub most_open: u64,
    /// The first requests word for word, as many as the configuration asks for.
    pub seen: Vec<Seen>,
}

impl Truth {
    /// How many requests arrived.
    pub fn total(&self) -> u64 {
        self.requests.len() as u64 + self.unlogged
    }

    /// How many requests this became of.
    pub fn count(&self, kind: Kind) -> usize {
        self.requests.iter().filter(|request| request.kind == kind).count()
    }

    /// How late each request came, in milliseconds, against a schedule of `rate` a second that is laid so that the
    /// request which kept it best was in time: what can be seen of a client's punctuality from here.
    pub fn lateness(&self, rate: f64) -> Vec<f64> {
        let late = |(number, request): (usize, &Request)| request.arrived_ns as f64 / 1e6 - number as f64 * 1e3 / rate;
        let all: Vec<f64> = self.requests.iter().enumerate().map(late).collect();
        let best = all.iter().copied().fold(f64::INFINITY, f64::min);
        all.iter().map(|late| late - best).collect()
    }

    /// Milliseconds from arrival to answer at `q` (0 to 1) of what was answered, by nearest rank: what a tool that
    /// knows nothing else should read.
    pub fn answered_quantile(&self, q: f64) -> f64 {
        nearest_rank(
            self.requests
                .iter()
                .map(Request::latency_ms)
                .filter(|ms| ms.is_finite())
                .collect(),
            q,
        )
    }

    /// The same of all requests, where everything but the right answer is infinitely late.
    pub fn honest_quantile(&self, q: f64) -> f64 {
        nearest_rank(self.requests.iter().map(Request::right_latency_ms).collect(), q)
    }
}

/// The value at `q` (0 to 1), by nearest rank; not a number when there are none.
pub fn nearest_rank(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let rank = (values.len() as f64 * q).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

const NEVER: u64 = u64::MAX;

/// A [`Request`] without the options, which would take a third more room.
#[derive(Clone, Copy)]
struct Entry {
    arrived_ns: u64,
    planned_ns: u64,
    ended_ns: u64,
    connection: u32,
    status: u16,
    kind: Kind,
}

/// Where a request is in the log; nowhere when there was no room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    index: usize,
    /// Of the log that it belongs to: an answer that comes after a reset belongs nowhere.
    generation: u32,
}

/// The log while it is written.
pub(crate) struct Log {
    entries: Vec<Entry>,
    room: usize,
    generation: u32,
    keep: usize,
    pub(crate) counts: Truth,
}

impl Log {
    pub(crate) fn new(room: usize, keep: usize) -> Self {
        let nothing = Entry {
            arrived_ns: 0,
            planned_ns: 0,
            ended_ns: 0,
            connection: 0,
            status: 0,
            kind: Kind::Ok,
        };
        // Written once, so that no page is met for the first time in the middle of a measurement.
        let mut entries = vec![nothing; room];
        entries.fill(Entry {
            arrived_ns: 1,
            ..nothing
        });
        entries.clear();
        Self {
            entries,
            room,
            generation: 0,
            keep,
            counts: Truth::default(),
        }
    }

    /// The number of the next request.
    pub(crate) fn next_number(&self) -> u64 {
        self.entries.len() as u64 + self.counts.unlogged
    }

    pub(crate) fn arrived(&mut self, connection: u32, arrived_ns: u64, planned_ns: Option<u64>, kind: Kind) -> Place {
        let index = self.entries.len();
        if index < self.room {
            self.entries.push(Entry {
                arrived_ns,
                planned_ns: planned_ns.unwrap_or(NEVER),
                ended_ns: NEVER,
                connection,
                status: 0,
                kind,
            });
        } else {
            self.counts.unlogged += 1;
        }
        Place {
            index,
            generation: self.generation,
        }
    }

    pub(crate) fn ended(&mut self, place: Place, ended_ns: u64, status: u16) {
        if place.generation == self.generation
            && let Some(entry) = self.entries.get_mut(place.index)
        {
            entry.ended_ns = ended_ns;
            entry.status = status;
        }
    }

    pub(crate) fn wants_words(&self) -> bool {
        self.counts.seen.len() < self.keep
    }

    pub(crate) fn truth(&self) -> Truth {
        let time = |ns| (ns != NEVER).then_some(ns);
        Truth {
            requests: self
                .entries
                .iter()
                .map(|entry| Request {
                    connection: entry.connection,
                    arrived_ns: entry.arrived_ns,
                    planned_ns: time(entry.planned_ns),
                    ended_ns: time(entry.ended_ns),
                    status: entry.status,
                    kind: entry.kind,
                })
                .collect(),
            ..self.counts.clone()
        }
    }

    /// Forgets every request; connections stay, and so does their number.
    pub(crate) fn reset(&mut self) {
        self.entries.clear();
        self.generation += 1;
        self.counts.unlogged = 0;
        self.counts.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_whole_right_answer_is_infinitely_late() {
        let mut log = Log::new(4, 0);
        for (kind, ended, status) in [
            (Kind::Ok, Some(3_000_000), 200),
            (Kind::Error, Some(1_000_000), 500),
            (Kind::Truncated, Some(2_000_000), 200),
            (Kind::Never, None, 0),
        ] {
            let place = log.arrived(0, 1_000_000, None, kind);
            if let Some(ended) = ended {
                log.ended(place, ended, status);
            }
        }
        let truth = log.truth();
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
        close(truth.answered_quantile(1.0), 2.0);
        close(truth.answered_quantile(0.5), 0.0);
        close(truth.honest_quantile(0.25), 2.0);
        assert!(truth.honest_quantile(0.26).is_infinite());
        assert!(Truth::default().honest_quantile(0.5).is_nan());
    }

    #[test]
    fn lateness_is_against_the_schedule_that_fits_best() {
        let mut log = Log::new(3, 0);
        for arrived_ms in [100, 110, 125] {
            log.arrived(0, arrived_ms * 1_000_000, None, Kind::Ok);
        }
        assert_eq!(log.truth().lateness(100.0), [0.0, 0.0, 5.0]);
        assert!(Truth::default().lateness(100.0).is_empty());
    }

    #[test]
    fn a_full_log_counts_and_an_answer_after_a_reset_is_not_written() {
        let mut log = Log::new(1, 0);
        let first = log.arrived(0, 1, None, Kind::Ok);
        log.arrived(0, 2, None, Kind::Ok);
        assert_eq!((log.truth().requests.len(), log.truth().total()), (1, 2));
        assert_eq!(log.next_number(), 2);
        log.reset();
        log.arrived(0, 3, None, Kind::Ok);
        log.ended(first, 9, 200);
        assert_eq!(log.truth().requests[0].ended_ns, None);
        assert_eq!(log.truth().total(), 1);
    }
}
