//! The outcome in one JSON line: the last line of a run, and what `serve` answers to Argo's web metric.

use crate::document::ResultDoc;
use crate::view;
use load_verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of a run, for programs that do not need its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    /// Whether the verdict is PASS; nothing else is ok.
    pub ok: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, most important first.
    pub reasons: Vec<String>,
    /// The exit code of the run.
    pub exit_code: u8,
    /// Whether a signal ended it before its time.
    pub partial: bool,
    /// Requests that were due.
    pub scheduled: u64,
    /// Requests that were not answered rightly.
    pub failed: u64,
    /// Judged 95th percentile in milliseconds; `null`: infinite, or no data.
    pub p95_ms: Option<f64>,
    /// Judged 99th percentile in milliseconds; `null`: infinite, or no data.
    pub p99_ms: Option<f64>,
    /// Each threshold, in the order of writing.
    pub thresholds: Vec<BriefThreshold>,
}

/// One threshold of a [`Brief`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BriefThreshold {
    /// `http_req_duration{op:read}`.
    pub metric: String,
    /// `p(95)<350`.
    pub expression: String,
    /// What it comes to.
    pub verdict: Verdict,
    /// The judged figure; `null`: infinite, or no data.
    pub observed: Option<f64>,
}

impl Brief {
    /// The outcome of this document.
    pub fn of(doc: &ResultDoc) -> Self {
        // JSON has no infinity: what is not finite is `null` in every reader's hands, so it is here as well.
        let finite = |x: Option<f64>| x.filter(|x| x.is_finite());
        let quantile = |percent| finite(view::quantile(doc, percent).and_then(|row| row.judged_ms));
        Self {
            ok: doc.judgement.verdict == Verdict::Pass,
            verdict: doc.judgement.verdict,
            reasons: doc.judgement.reasons.clone(),
            exit_code: doc.exit_code,
            partial: doc.partial,
            scheduled: doc.summary.scheduled,
            failed: view::failed(doc),
            p95_ms: quantile(95.0),
            p99_ms: quantile(99.0),
            thresholds: doc
                .judgement
                .thresholds
                .iter()
                .map(|t| BriefThreshold {
                    metric: t.metric.clone(),
                    expression: t.expression.clone(),
                    verdict: t.verdict,
                    observed: finite(t.observed),
                })
                .collect(),
        }
    }

    /// One line of JSON, without a line break.
    pub fn to_line(&self) -> String {
        // Only strings, numbers and lists: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
