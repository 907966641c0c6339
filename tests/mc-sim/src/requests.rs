//! Owns the record of what clients asked for: the ground truth for tests such as "an unchanged pack costs one 304".

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Instant;

use crate::fault::Endpoint;

/// The oldest half of the records goes when there are more than this many; the counts stay right.
const MOST_RECORDS: usize = 100_000;

/// One request to MC's endpoints (the control endpoint is not recorded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Place in the order of arrival, from 0.
    pub seq: u64,
    /// When it arrived.
    pub at: Instant,
    /// `GET`, `HEAD`, ...
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// What the path is.
    pub endpoint: Endpoint,
    /// `If-None-Match` as sent.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since` as sent.
    pub if_modified_since: Option<String>,
    /// Whether an `Authorization` header was sent.
    pub with_token: bool,
    /// GraphQL: the fields at the root (`evidenceOk`), if the request could be carried out.
    pub operations: Vec<String>,
    /// The status that was sent; none while the answer waits, and when the connection was reset before it.
    pub status: Option<u16>,
    /// Names of the faults that the request met.
    pub faults: Vec<&'static str>,
}

/// All requests so far, oldest first; a slice of [`RequestRecord`].
#[derive(Debug, Clone, Default)]
pub struct Requests {
    records: Vec<RequestRecord>,
    counts: BTreeMap<(Endpoint, u16), u64>,
    next: u64,
}

impl Deref for Requests {
    type Target = [RequestRecord];

    fn deref(&self) -> &[RequestRecord] {
        &self.records
    }
}

impl Requests {
    /// How many requests this endpoint answered with this status.
    pub fn count(&self, endpoint: Endpoint, status: u16) -> u64 {
        self.counts.get(&(endpoint, status)).copied().unwrap_or(0)
    }

    /// How many requests this endpoint answered.
    pub fn answered(&self, endpoint: Endpoint) -> u64 {
        self.counts
            .iter()
            .filter(|((of, _), _)| *of == endpoint)
            .map(|(_, count)| count)
            .sum()
    }

    /// Answers by endpoint and status.
    pub fn counts(&self) -> &BTreeMap<(Endpoint, u16), u64> {
        &self.counts
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.counts.clear();
    }

    /// Adds a record and returns its `seq`.
    pub(crate) fn arrived(&mut self, mut record: RequestRecord) -> u64 {
        if self.records.len() >= MOST_RECORDS {
            self.records.drain(..MOST_RECORDS / 2);
        }
        record.seq = self.next;
        self.next += 1;
        self.records.push(record);
        self.next - 1
    }

    pub(crate) fn met(&mut self, seq: u64, faults: impl IntoIterator<Item = &'static str>) {
        if let Some(record) = self.find(seq) {
            record.faults.extend(faults);
        }
    }

    pub(crate) fn asked(&mut self, seq: u64, operations: &[String]) {
        if let Some(record) = self.find(seq) {
            record.operations = operations.to_vec();
        }
    }

    pub(crate) fn answering(&mut self, seq: u64, status: u16) {
        let Some(record) = self.find(seq) else { return };
        record.status = Some(status);
        let endpoint = record.endpoint;
        *self.counts.entry((endpoint, status)).or_default() += 1;
    }

    fn find(&mut self, seq: u64) -> Option<&mut RequestRecord> {
        let index = self.records.binary_search_by_key(&seq, |record| record.seq).ok()?;
        self.records.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(endpoint: Endpoint) -> RequestRecord {
        RequestRecord {
            seq: 0,
            at: Instant::now(),
            method: "GET".into(),
            path: "/".into(),
            endpoint,
            if_none_match: None,
            if_modified_since: None,
            with_token: false,
            operations: Vec::new(),
            status: None,
            faults: Vec::new(),
        }
    }

    #[test]
    fn answers_are_counted_by_endpoint_and_status() {
        let mut requests = Requests::default();
        let first = requests.arrived(record(Endpoint::Pack));
        let second = requests.arrived(record(Endpoint::Attestation));
        requests.answering(second, 503);
        requests.met(second, ["missing_attestation"]);
        assert_eq!(requests.answered(Endpoint::Pack), 0, "not answered yet");
        requests.answering(first, 304);
        assert_eq!(
            (
                requests.count(Endpoint::Pack, 304),
                requests.count(Endpoint::Attestation, 503)
            ),
            (1, 1)
        );
        assert_eq!(requests[1].faults, ["missing_attestation"]);
    }

    #[test]
    fn old_records_go_but_the_counts_stay() {
        let mut requests = Requests::default();
        for _ in 0..=MOST_RECORDS {
            let seq = requests.arrived(record(Endpoint::Pack));
            requests.answering(seq, 304);
        }
        assert_eq!(requests.len(), MOST_RECORDS / 2 + 1);
        assert_eq!(requests.count(Endpoint::Pack, 304), MOST_RECORDS as u64 + 1);
    }
}
