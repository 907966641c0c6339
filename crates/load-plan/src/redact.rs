//! The plan as a document, for results and logs: without secrets, and without the values of data files.

use crate::build::redacted;
use crate::duration::show;
use crate::plan::{Plan, Protocol, Request};
use load_verdict::judge::StopRule;
use serde_json::{Map, Value, json};

const REDACTED: &str = "[redacted]";

impl Plan {
    /// Tags of a request that are known before it is sent: its own, `name`, `method` and `url`.
    pub fn request_tags(&self, index: usize) -> Vec<(String, String)> {
        let Some(request) = self.requests.get(index) else {
            return Vec::new();
        };
        let mut tags = request.tags.clone();
        tags.push(("name".to_owned(), request.name.clone()));
        tags.push(("method".to_owned(), request.method.as_str().to_owned()));
        tags.push(("url".to_owned(), request.shown_url()));
        tags
    }

    /// Tags of a scenario: its own, and `scenario`.
    pub fn scenario_tags(&self, index: usize) -> Vec<(String, String)> {
        let Some(scenario) = self.scenarios.get(index) else {
            return Vec::new();
        };
        let mut tags = scenario.tags.clone();
        tags.push(("scenario".to_owned(), scenario.name.clone()));
        tags
    }

    /// The run in one line, without secrets: `POST https://staging.example.com/graphql, 50/s for 5m`.
    pub fn subject(&self) -> String {
        let what = match self.requests.as_slice() {
            [one] => format!("{} {}", one.method, one.shown_url()),
            several => {
                let mut origins: Vec<&str> = several.iter().map(|request| request.origin.as_str()).collect();
                origins.sort_unstable();
                origins.dedup();
                format!("{} requests to {}", several.len(), crate::text::list(&origins))
            }
        };
        let schedule = &self.schedule;
        let length = show(schedule.duration());
        let mean = schedule.planned_total() as f64 / schedule.duration().as_secs_f64();
        let peak = schedule.peak_rate();
        // A constant rate differs from its mean by the last request at most.
        if (mean - peak).abs() * schedule.duration().as_secs_f64() <= 1.0 {
            format!("{what}, {}/s for {length}", short(peak))
        } else {
            format!("{what}, up to {}/s for {length}", short(peak))
        }
    }

    /// The plan as a document. Values of headers from variables and files, of headers that hold secrets by their name, and of
    /// URL queries are `[redacted]`; bodies are given by their size, GraphQL documents as they are.
    pub fn redacted(&self) -> Value {
        let judging = &self.judging;
        let alpha = match judging.early_stop {
            StopRule::Sequential { alpha } => json!(alpha),
            _ => Value::Null,
        };
        json!({
            "schedule": {
                "duration": show(self.schedule.duration()),
                "warm_up": show(self.schedule.warm_up()),
                "requests": self.schedule.planned_total(),
                "peak_rate": self.schedule.peak_rate(),
            },
            "scenarios": (0_u16..).zip(&self.scenarios).map(|(index, scenario)| {
                let planned: u64 = (0_u16..).zip(&self.requests).map(|(request, _)| self.schedule.planned(index, request)).sum();
                json!({ "name": scenario.name, "tags": object(&scenario.tags), "requests": planned })
            }).collect::<Vec<_>>(),
            "requests": self.requests.iter().map(|request| self.request(request)).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(crate::check::Check::name).collect::<Vec<_>>(),
            "thresholds": self.thresholds.iter().map(|threshold| json!({
                "threshold": threshold.to_string(),
                "abort_on_fail": threshold.abort_on_fail,
                "delay_abort_eval": show(threshold.delay_abort),
            })).collect::<Vec<_>>(),
            "data": self.data.as_ref().map(|data| json!({
                "columns": data.columns,
                "rows": data.rows.len(),
                "random": data.random,
            })),
            "timeout": show(self.timeout),
            "connections": {
                "initial": self.connections.initial,
                "max": self.connections.max,
                "max_waiting": self.connections.max_waiting,
                "protocol": match self.connections.protocol {
                    Protocol::Auto => "auto",
                    Protocol::Http1 => "http1",
                    Protocol::Http2 => "http2",
                },
                "connect_timeout": show(self.connections.connect_timeout),
                "no_reuse": self.connections.no_reuse,
                "fail_fast": self.connections.fail_fast,
            },
            "tls": {
                "ca_file": self.tls.ca_file,
                "client_certificate": self.tls.client_cert.is_some(),
                "insecure_skip_verify": self.tls.insecure_skip_verify,
                "server_name": self.tls.server_name,
            },
            "threads": self.threads,
            "seed": self.seed,
            "judging": {
                "confidence": judging.confidence,
                "early_stop": match judging.early_stop {
                    StopRule::Never => "never",
                    StopRule::Exact => "exact",
                    StopRule::Sequential { .. } => "sequential",
                },
                "alpha": alpha,
                "min_duration": show(judging.min_duration),
                "max_lag": judging.max_lag.map(show),
            },
            "notes": self.notes,
        })
    }

    fn request(&self, request: &Request) -> Value {
        let mut headers = Map::new();
        for (name, value) in &request.headers {
            let shown = if value.is_secret() {
                REDACTED.to_owned()
            } else {
                value.source()
            };
            headers.insert(name.as_str().to_owned(), shown.into());
        }
        let body = request
            .body
            .as_ref()
            .map(|body| json!({ "bytes": body.source().len(), "template": body.fixed().is_none() }));
        let checks = self
            .checks
            .iter()
            .enumerate()
            .filter(|(index, _)| request.checks >> index & 1 == 1);
        json!({
            "name": request.name,
            "method": request.method.as_str(),
            "url": request.shown_url(),
            "tags": object(&request.tags),
            "headers": headers,
            "body": body,
            "graphql": request.graphql,
            "checks": checks.map(|(_, check)| check.name()).collect::<Vec<_>>(),
        })
    }
}

impl Request {
    /// The URL for people: without user, password and query values.
    pub fn shown_url(&self) -> String {
        let origin = self.origin.as_str().trim_end_matches('/');
        redacted(&format!("{origin}{}", self.target.source()))
    }
}

/// Three decimals at most.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn object(pairs: &[(String, String)]) -> Value {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.clone())));
    Value::Object(pairs.collect())
}
