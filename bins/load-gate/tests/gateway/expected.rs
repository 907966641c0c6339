//! The series that a result document must have led to, all of them, reckoned here anew from the document.

use serde_json::Value;

use program::pushgateway::Series;

/// Every way in which a request can end.
const OUTCOMES: [&str; 11] = [
    "ok",
    "http_error",
    "check_failed",
    "timeout",
    "connect",
    "dns",
    "tls",
    "reset",
    "protocol",
    "dropped",
    "unfinished",
];

/// Compares whole groups: what is missing, what is too much, and what has another value.
#[track_caller]
pub(crate) fn same(found: &Series, result: &Value) {
    let expected = series(result);
    let names = |series: &Series| series.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(&expected));
    for (name, value) in &expected {
        let other = found[name];
        // The last digits of milliseconds as seconds are of no matter.
        let near = (other - value).abs() <= 1e-12 * value.abs();
        assert!(
            other.total_cmp(value).is_eq() || near,
            "{name}: {other}, in the result {value}"
        );
    }
}

fn series(result: &Value) -> Series {
    let (judgement, summary) = (&result["judgement"], &result["summary"]);
    let number = |value: &Value| value.as_f64().unwrap();
    let yes = |is: bool| f64::from(u8::from(is));
    let mut all = Series::new();
    let mut add = |name: String, value: f64| assert_eq!(all.insert(name, value), None);
    for verdict in ["PASS", "FAIL", "INCONCLUSIVE", "INVALID"] {
        let name = format!("load_gate_verdict{{verdict=\"{}\"}}", verdict.to_lowercase());
        add(name, yes(judgement["verdict"] == verdict));
    }
    for outcome in OUTCOMES {
        let count = summary["outcomes"][outcome].as_f64().unwrap_or(0.0);
        add(format!("load_gate_requests{{outcome=\"{outcome}\"}}"), count);
    }
    for row in summary["latency"].as_array().unwrap() {
        let quantile = quantile(&row["percent"]);
        let name = |kind| format!("load_gate_latency_seconds{{kind=\"{kind}\",quantile=\"{quantile}\"}}");
        // Null is infinite: in these runs there are always requests.
        let judged = row["judged_ms"].as_f64().map_or(f64::INFINITY, |ms| ms / 1e3);
        add(name("judged"), judged);
        if let Some(ms) = row["plain_ms"].as_f64() {
            add(name("plain"), ms / 1e3);
        }
    }
    for threshold in judgement["thresholds"].as_array().unwrap() {
        let (metric, expression) = (&threshold["metric"], &threshold["expression"]);
        let name = format!("load_gate_threshold_ok{{metric={metric},threshold={expression}}}");
        add(name, yes(threshold["verdict"] == "PASS"));
    }
    for (quantile, lag) in [("0.5", "lag_p50_ms"), ("0.99", "lag_p99_ms")] {
        let name = format!("load_gate_send_lag_seconds{{quantile=\"{quantile}\"}}");
        add(name, number(&judgement["validity"][lag]) / 1e3);
    }
    add("load_gate_duration_seconds".to_owned(), number(&summary["seconds"]));
    add("load_gate_completed_ratio".to_owned(), number(&judgement["completed"]));
    all
}

/// The quantiles of every summary, as people write them.
fn quantile(percent: &Value) -> &'static str {
    match percent.to_string().as_str() {
        "50.0" => "0.5",
        "75.0" => "0.75",
        "90.0" => "0.9",
        "95.0" => "0.95",
        "99.0" => "0.99",
        "99.9" => "0.999",
        "100.0" => "1",
        other => panic!("p{other} is new"),
    }
}
