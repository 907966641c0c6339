//! Metrics of a finished run, for Pushgateway (text format 0.0.4) or remote write.
//!
//! Gauges only, because a run is over. Labels are closed enums or come from the thresholds, never from answers, and never
//! the release id. No timestamps: Pushgateway refuses them. A figure that does not exist is left out, never 0; an
//! infinite one is `+Inf`, which the format has a word for.

use crate::document::ResultDoc;
use crate::text;
use crate::view::{self, verdict_word};
use load_verdict::{Outcome, Verdict};
use std::fmt::Write as _;

/// One metric with all its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// `load_gate_verdict`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// At least one.
    pub series: Vec<Series>,
}

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Label names and values, in a fixed order.
    pub labels: Vec<(&'static str, String)>,
    /// Finite, or positive infinity.
    pub value: f64,
}

impl Series {
    fn new(labels: &[(&'static str, &str)], value: f64) -> Self {
        Self {
            labels: labels
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            value,
        }
    }
}

/// The metrics of a run. Families without a series are left out.
pub fn metrics(doc: &ResultDoc) -> Vec<Family> {
    let mut families = vec![
        Family {
            name: "load_gate_verdict",
            help: "Whether the last run came to this verdict.",
            series: verdicts(doc),
        },
        Family {
            name: "load_gate_latency_seconds",
            help: "Quantiles of the latency: judged (from due to done over scheduled requests, failures infinite) and plain (from sent to done over responses).",
            series: latency(doc),
        },
        Family {
            name: "load_gate_requests",
            help: "Scheduled requests of the last run by how they ended.",
            series: outcomes(doc),
        },
        Family {
            name: "load_gate_threshold_ok",
            help: "Whether the threshold is shown to be kept.",
            series: thresholds(doc),
        },
        Family {
            name: "load_gate_send_lag_seconds",
            help: "How late the generator itself took requests up.",
            series: [
                ("0.5", doc.judgement.validity.lag_p50_ms),
                ("0.99", doc.judgement.validity.lag_p99_ms),
            ]
            .into_iter()
            .map(|(quantile, ms)| Series::new(&[("quantile", quantile)], ms / 1000.0))
            .collect(),
        },
        Family {
            name: "load_gate_duration_seconds",
            help: "Seconds of schedule that were counted.",
            series: vec![Series::new(&[], doc.summary.seconds)],
        },
        Family {
            name: "load_gate_completed_ratio",
            help: "The part of the planned schedule that was carried out.",
            series: vec![Series::new(&[], doc.judgement.completed)],
        },
    ];
    for family in &mut families {
        // Only the judged latency may be infinite; what is not a number is no figure at all.
        let infinite = family.name == "load_gate_latency_seconds";
        family
            .series
            .retain(|series| series.value.is_finite() || (infinite && series.value == f64::INFINITY));
        let mut seen: Vec<Vec<(&str, String)>> = Vec::new();
        family.series.retain(|series| {
            // The same series twice makes the whole text invalid: the same threshold may be written twice.
            let new = !seen.contains(&series.labels);
            if new {
                seen.push(series.labels.clone());
            }
            new
        });
    }
    families.retain(|family| !family.series.is_empty());
    families
}

/// The metrics of a run as text.
pub fn prometheus(doc: &ResultDoc) -> String {
    let mut out = String::new();
    for family in metrics(doc) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {0} {1}\n# TYPE {0} gauge", family.name, family.help);
        for series in family.series {
            let labels: Vec<String> = series
                .labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!("{{{}}}", labels.join(","))
            };
            let value = if series.value.is_finite() {
                series.value.to_string()
            } else {
                "+Inf".to_owned()
            };
            let _ = writeln!(out, "{}{labels} {value}", family.name);
        }
    }
    out
}

fn verdicts(doc: &ResultDoc) -> Vec<Series> {
    [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::Invalid]
        .into_iter()
        .map(|verdict| {
            let name = verdict_word(verdict).to_lowercase();
            Series::new(
                &[("verdict", &name)],
                f64::from(u8::from(verdict == doc.judgement.verdict)),
            )
        })
        .collect()
}

fn latency(doc: &ResultDoc) -> Vec<Series> {
    let mut all = Vec::new();
    for row in &doc.summary.latency {
        if !(0.0..=100.0).contains(&row.percent) {
            continue;
        }
        // 99.9 / 100 is 0.9990000000000001 as a float: a label must be what was asked.
        let quantile = ((row.percent * 1e6).round() / 1e8).to_string();
        let judged = match row.judged_ms {
            Some(ms) => Some(ms / 1000.0),
            None => (doc.summary.scheduled > 0).then_some(f64::INFINITY),
        };
        all.extend(judged.map(|v| Series::new(&[("quantile", &quantile), ("kind", "judged")], v)));
        let plain = row.plain_ms.filter(|ms| ms.is_finite());
        all.extend(plain.map(|ms| Series::new(&[("quantile", &quantile), ("kind", "plain")], ms / 1000.0)));
    }
    all
}

fn outcomes(doc: &ResultDoc) -> Vec<Series> {
    Outcome::ALL
        .into_iter()
        .map(|outcome| {
            let n = doc.summary.outcomes.get(outcome.as_str()).copied().unwrap_or(0);
            Series::new(&[("outcome", outcome.as_str())], n as f64)
        })
        .collect()
}

fn thresholds(doc: &ResultDoc) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for result in &doc.judgement.thresholds {
        let labels = [
            ("metric", text::printable(&result.metric)),
            ("threshold", text::printable(&result.expression)),
        ];
        let labels = [(labels[0].0, labels[0].1.as_ref()), (labels[1].0, labels[1].1.as_ref())];
        let series = Series::new(&labels, f64::from(u8::from(view::kept(doc, result))));
        match all.iter_mut().find(|known| known.labels == series.labels) {
            // The same threshold twice: kept if both are.
            Some(known) => known.value = known.value.min(series.value),
            None => all.push(series),
        }
    }
    all
}

/// A label value in the text format.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
