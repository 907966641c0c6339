//! The shape of k6's `--summary-export`, as k6 0.52 writes it, for whatever reads that file today.
//!
//! In it, `thresholds: {"p(95)<350": true}` means *crossed*. Here it also means "not shown to be kept": a reader of this
//! file alone must never take a run for passed that was not. Aggregates without a sample are `null`, where k6 writes a
//! perfect 0.

use crate::document::ResultDoc;
use crate::view;
use load_verdict::summary::MetricSummary;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The run in the shape of k6's summary.
pub fn k6_summary(doc: &ResultDoc) -> Value {
    let mut metrics: Map<String, Value> = doc
        .summary
        .metrics
        .iter()
        .map(|(key, metric)| (key.clone(), aggregates(metric)))
        .collect();
    for threshold in &doc.judgement.thresholds {
        // A threshold on a metric without a single sample still has its place: nothing that was asked disappears.
        let metric = metrics.entry(threshold.metric.clone()).or_insert_with(|| json!({}));
        if let Some(metric) = metric.as_object_mut() {
            let crossed = !view::kept(doc, threshold);
            let all = metric.entry("thresholds").or_insert_with(|| json!({}));
            if let Some(all) = all.as_object_mut() {
                // The same expression twice: crossed if either is.
                let before = all.get(&threshold.expression) == Some(&Value::Bool(true));
                all.insert(threshold.expression.clone(), Value::Bool(crossed || before));
            }
        }
    }
    let checks: Map<String, Value> = doc
        .summary
        .checks
        .iter()
        .map(|check| {
            let path = format!("::{}", check.name);
            let entry = json!({
                "name": check.name,
                "path": path,
                "id": md5(&path),
                "passes": check.passes,
                "fails": check.fails,
            });
            (check.name.clone(), entry)
        })
        .collect();
    json!({
        "metrics": metrics,
        "root_group": { "name": "", "path": "", "id": md5(""), "groups": {}, "checks": checks },
    })
}

fn aggregates(metric: &MetricSummary) -> Value {
    match metric {
        MetricSummary::Trend {
            avg,
            min,
            med,
            max,
            p90,
            p95,
            p99,
            ..
        } => json!({ "avg": avg, "min": min, "med": med, "max": max, "p(90)": p90, "p(95)": p95, "p(99)": p99 }),
        MetricSummary::Rate { rate, trues, total } => {
            json!({ "value": rate, "passes": trues, "fails": total.saturating_sub(*trues) })
        }
        MetricSummary::Counter { count, rate } => json!({ "count": count, "rate": rate }),
        MetricSummary::Gauge { value, min, max } => json!({ "value": value, "min": min, "max": max }),
    }
}

/// How k6 makes the `id` of a group or check from its path.
fn md5(path: &str) -> String {
    Md5::digest(path.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::md5;

    #[test]
    fn ids_are_those_of_k6() {
        // Both from a summary that k6 0.52.0 wrote.
        assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5("::status is 200"), "6210a8cd14cd70477eba5c5e4cb3fb5f");
    }
}
