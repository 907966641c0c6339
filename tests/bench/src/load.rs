//! Owns the query load: a constant rate on kept-alive connections, and a judgement of every answer.
//!
//! A query that could not be sent in time, because the answer before it was late, is measured from when it should have
//! been sent: a stall is not hidden by the queries that it kept from being made. The generator's own lateness, when the
//! connection was free, is not counted as OPA's.

use std::{
    net::SocketAddr,
    thread::{self, ScopedJoinHandle, sleep},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use serde_json::Value;

use crate::{http::Connection, opa::Revisions};

/// Enough to keep the rate through a stall of a few hundred milliseconds.
const CONNECTIONS: u32 = 8;

/// One query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    pub(crate) verdict: Verdict,
}

impl Query {
    pub(crate) fn millis(&self) -> f64 {
        (self.until - self.from).as_secs_f64() * 1e3
    }
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Of one revision.
    Whole,
    /// Of two.
    Torn,
    /// 200 without the whole decision.
    Undefined,
    /// 5xx, or any other status than 200.
    Failed,
}

fn judge(status: u16, body: &Value) -> Verdict {
    if status != 200 {
        return Verdict::Failed;
    }
    let decision = body.get("result");
    match decision.and_then(|decision| decision.get("revisions")) {
        Some(revisions) if decision.is_some_and(|decision| decision.get("allow").is_some_and(Value::is_boolean)) => {
            match Revisions::of(revisions).agreed() {
                Some(_) => Verdict::Whole,
                None => Verdict::Torn,
            }
        }
        _ => Verdict::Undefined,
    }
}

/// Asks for `rate` decisions a second until `end`.
pub(crate) fn run(opa: SocketAddr, rate: u32, start: Instant, end: Instant) -> anyhow::Result<Vec<Query>> {
    thread::scope(|scope| {
        let clients: Vec<ScopedJoinHandle<'_, anyhow::Result<Vec<Query>>>> = (0..CONNECTIONS)
            .map(|number| scope.spawn(move || client(opa, rate, number, start, end)))
            .collect();
        let mut queries = Vec::new();
        for client in clients {
            queries.extend(client.join().map_err(|_| anyhow!("a client thread failed"))??);
        }
        Ok(queries)
    })
}

fn client(opa: SocketAddr, rate: u32, number: u32, start: Instant, end: Instant) -> anyhow::Result<Vec<Query>> {
    let body = format!("{{\"input\": {}}}", mc_sim::samples::INPUT_ALLOWED);
    let path = format!("/v1/data/{}", mc_sim::samples::DECISION);
    let json = [("content-type", "application/json")];
    let mut connection = Connection::new(opa)?;
    // The first request connects; it is not measured.
    connection.get("/health")?;
    let between = Duration::from_secs(1) / rate;
    let mut queries = Vec::new();
    for turn in 0.. {
        let intended = start + between * (turn * CONNECTIONS + number);
        if intended >= end {
            break;
        }
        let free = Instant::now();
        if free < intended {
            sleep(intended - free);
        }
        let from = if free < intended { Instant::now() } else { intended };
        let answer = connection.send("POST", &path, &json, body.clone())?;
        let until = Instant::now();
        let verdict = judge(answer.status, &answer.json().unwrap_or_default());
        queries.push(Query { from, until, verdict });
    }
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};
    use serde_json::json;

    #[test]
    fn an_answer_without_the_decision_is_not_a_whole_one() {
        let whole = json!({"result": {"allow": true, "revisions": {"policy": 2, "data": 2, "purpose_tags": 2}}});
        assert_eq!(judge(200, &whole), Verdict::Whole);
        assert_eq!(judge(500, &whole), Verdict::Failed);
        let torn = json!({"result": {"allow": true, "revisions": {"policy": 2, "data": 1, "purpose_tags": 1}}});
        assert_eq!(judge(200, &torn), Verdict::Torn);
        assert_eq!(judge(200, &json!({})), Verdict::Undefined);
        assert_eq!(judge(200, &json!({"result": {"revisions": {}}})), Verdict::Undefined);
    }
}
