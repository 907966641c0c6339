//! Runs as they really come out: one that passes, one in which the server froze, one of a generator that was too slow,
//! and one in which nothing answered.

use load_report::{Environment, ResultDoc, SCHEMA, Tool};
use load_verdict::judge::{Interval, Judgement, Method, Stop, ThresholdResult, Validity, Verdict};
use load_verdict::summary::{
    CheckSummary, CurvePoint, MetricSummary, Phases, QuantileRow, Slice, Summary, WorstWindow,
};
use serde_json::json;
use std::collections::BTreeMap;

const RATE: f64 = 50.0;
const SECONDS: f64 = 300.0;
const SLICES: u32 = 120;

/// Latency at a quantile of a quiet server: most around 12 ms, a heavy tail. `share` is the part that never got an answer.
fn latency(percent: f64, never: f64) -> Option<f64> {
    let q = percent / 100.0;
    if q > 1.0 - never {
        return None;
    }
    let tail = (1.0 - q).max(5e-5);
    Some(8.0 + 4.0 * q + 1.9 * tail.powf(-0.42))
}

/// The same without what comes before sending.
fn plain(percent: f64) -> Option<f64> {
    latency(percent, 0.0).map(|x| x * 0.93)
}

fn interval(percent: f64, never: f64) -> Interval {
    let wide = (100.0 - percent).sqrt() * 0.05 + 0.002;
    Interval {
        low: latency((percent - wide).max(0.0), never).or_else(|| latency(100.0 * (1.0 - never), never)),
        high: latency((percent + wide).min(100.0), never),
        confidence: 0.95,
    }
}

fn quantiles(never: f64) -> Vec<QuantileRow> {
    [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0]
        .into_iter()
        .map(|percent| QuantileRow {
            percent,
            judged_ms: latency(percent, never),
            interval: interval(percent, never),
            plain_ms: plain(percent),
        })
        .collect()
}

fn curve(never: f64) -> Vec<CurvePoint> {
    (0..=100)
        .map(|i| {
            // Even steps of the number of nines, so that the tail has as many points as the middle.
            let percent = if i == 100 {
                100.0
            } else {
                100.0 * (1.0 - 10f64.powf(-4.0 * f64::from(i) / 99.0))
            };
            CurvePoint {
                percent,
                judged_ms: latency(percent, never),
                plain_ms: plain(percent),
            }
        })
        .collect()
}

/// A cheap wobble from -1 to 1, the same in every run.
fn wobble(i: u32, salt: u32) -> f64 {
    let mut x = (i + 1).wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(0x9e37_79b9);
    x = (x ^ (x >> 15)).wrapping_mul(0x85eb_ca6b);
    x ^= x >> 13;
    f64::from(x % 2001) / 1000.0 - 1.0
}

fn slices(frozen: std::ops::Range<u32>) -> Vec<Slice> {
    let width = SECONDS / f64::from(SLICES);
    (0..SLICES)
        .map(|i| {
            let calm = Slice {
                start_s: f64::from(i) * width,
                width_s: width,
                scheduled: 125,
                failed: 0,
                p50_ms: Some(11.5 + 0.5 * wobble(i, 1)),
                p95_ms: Some(18.0 + 2.5 * wobble(i, 2)),
                p99_ms: Some(27.0 + 7.0 * wobble(i, 3)),
                max_ms: Some(52.0 + 24.0 * wobble(i, 4)),
            };
            if !frozen.contains(&i) {
                return calm;
            }
            // A server that stands still: who is due early in it waits longest, and some never get an answer.
            let left = f64::from(frozen.end - i) * width * 1000.0;
            let first = i == frozen.start;
            Slice {
                failed: if first { 40 } else { u64::from(i % 3 == 0) * 3 },
                p50_ms: Some(left * 0.8),
                p95_ms: (!first).then_some(left),
                p99_ms: (!first && i % 3 != 0).then_some(left * 1.02),
                max_ms: Some(left * 1.05),
                ..calm
            }
        })
        .collect()
}

fn trend(never: bool) -> MetricSummary {
    let at = |percent| if never { None } else { plain(percent) };
    MetricSummary::Trend {
        count: if never { 0 } else { 15_000 },
        avg: at(62.0),
        min: at(0.0),
        med: at(50.0),
        max: at(100.0),
        p90: at(90.0),
        p95: at(95.0),
        p99: at(99.0),
    }
}

fn metrics(failed: u64) -> BTreeMap<String, MetricSummary> {
    let all = 15_000;
    let rate = |trues: u64| MetricSummary::Rate {
        rate: Some(trues as f64 / all as f64),
        trues,
        total: all,
    };
    [
        ("http_req_duration", trend(failed == all)),
        ("http_req_duration{op:read}", trend(failed == all)),
        ("http_req_failed", rate(failed)),
        ("checks", rate(all - failed)),
        ("http_reqs", MetricSummary::Counter { count: all, rate: 50.0 }),
        (
            "vus",
            MetricSummary::Gauge {
                value: 2.0,
                min: 1.0,
                max: 4.0,
            },
        ),
    ]
    .into_iter()
    .map(|(key, metric)| (key.to_owned(), metric))
    .collect()
}

fn threshold(metric: &str, expression: &str, observed: f64, low: f64, high: f64) -> ThresholdResult {
    let rate = expression.starts_with("rate");
    ThresholdResult {
        metric: metric.to_owned(),
        expression: expression.to_owned(),
        verdict: Verdict::Pass,
        method: if rate {
            Method::Proportion
        } else {
            Method::OrderStatistics
        },
        observed: Some(observed),
        infinite: false,
        interval: Some(Interval {
            low: Some(low),
            high: Some(high),
            confidence: 0.95,
        }),
        plain: Some(if rate { observed } else { observed * 0.93 }),
        plain_ok: Some(true),
        samples: 15_000,
        bad: 12,
        allowed: Some(706),
        dependence: 1.1,
        reason: format!("{metric} {expression} is kept: 12 of 15,000 broke the limit, and 706 may"),
        differs: None,
    }
}

fn document(judgement: Judgement, summary: Summary, exit_code: u8) -> ResultDoc {
    ResultDoc {
        schema: SCHEMA.to_owned(),
        tool: Tool {
            name: "load-gate".to_owned(),
            version: "0.1.0".to_owned(),
        },
        subject: "POST https://companyos.example/graphql at 50/s for 5m".to_owned(),
        started_at: "2026-03-04T10:00:00Z".parse().unwrap(),
        finished_at: "2026-03-04T10:05:01.25Z".parse().unwrap(),
        config: json!({
            "requests": [{
                "method": "POST",
                "url": "https://companyos.example/graphql",
                "headers": { "authorization": "[redacted]" },
                "body": "{\"query\":\"{ __typename }\"}",
            }],
            "rate": RATE,
            "duration": "5m",
            "timeout": "30s",
        }),
        environment: Environment {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            kernel: Some("6.1.0-18-amd64".to_owned()),
            cpus: Some(2),
            memory_bytes: Some(8 << 30),
            cgroup_cpus: Some(0.5),
            cgroup_memory_bytes: Some(64 << 20),
            ci: Some("github-actions".to_owned()),
            kubernetes: false,
            threads: Some(1),
        },
        judgement,
        summary,
        tally: json!({}),
        exit_code,
        partial: false,
    }
}

/// Everything is kept.
pub(crate) fn passing() -> ResultDoc {
    let judgement = Judgement {
        verdict: Verdict::Pass,
        reasons: vec!["all 3 thresholds are kept, at a confidence of 95 % each".to_owned()],
        thresholds: vec![
            threshold("http_req_duration", "p(95)<350", 18.7, 18.2, 19.3),
            threshold("http_req_duration{op:read}", "p(99)<100", 25.1, 23.9, 26.4),
            threshold("checks", "rate>0.99", 0.9992, 0.9986, 0.9996),
        ],
        validity: Validity {
            lag_p50_ms: 0.061,
            lag_p99_ms: 0.31,
            lag_limit_ms: 17.5,
            scheduled: 15_000,
            sent: 15_000,
            cpu_wait: Some(0.004),
            throttled: Some(0.0),
            busiest_thread: Some(0.013),
            problems: vec![],
        },
        stop: None,
        completed: 1.0,
    };
    let summary = Summary {
        scheduled: 15_000,
        succeeded: 14_988,
        outcomes: [("ok", 14_988), ("http_error", 8), ("timeout", 4)]
            .into_iter()
            .map(|(name, n)| (name.to_owned(), n))
            .collect(),
        statuses: [(200, 14_988), (503, 8)].into_iter().collect(),
        seconds: SECONDS,
        metrics: metrics(12),
        latency: quantiles(0.0008),
        curve: curve(0.0008),
        slices: slices(0..0),
        worst_window: Some(WorstWindow {
            start_s: 130.0,
            width_s: 10.0,
            scheduled: 500,
            failed: 3,
            p95_ms: Some(24.2),
            phases: Phases {
                lag_ms: 0.07,
                queue_ms: 0.2,
                connect_ms: 0.4,
                tls_ms: 0.9,
                server_ms: 12.4,
                receive_ms: 0.6,
            },
        }),
        checks: vec![
            CheckSummary {
                name: "status==200".to_owned(),
                passes: 14_988,
                fails: 12,
            },
            CheckSummary {
                name: "no_graphql_errors".to_owned(),
                passes: 15_000,
                fails: 0,
            },
        ],
    };
    document(judgement, summary, 0)
}

/// The server stood still for 20 s: k6 would have let it pass.
pub(crate) fn failing() -> ResultDoc {
    let mut doc = passing();
    let judgement = &mut doc.judgement;
    judgement.verdict = Verdict::Fail;
    judgement.reasons = vec![
        "http_req_duration p(95)<350 is broken: 1,012 of 15,000 requests were later than 350 ms or failed, and 750 may"
            .to_owned(),
        "stopped after 80 % of the schedule: http_req_duration p(95)<350 could not be kept any more, whatever the rest had been"
            .to_owned(),
        "checks rate>0.99 can be neither shown nor ruled out: 0.98 % failed, and the limit is 1 %".to_owned(),
    ];
    judgement.thresholds[0] = ThresholdResult {
        verdict: Verdict::Fail,
        observed: Some(5_104.0),
        interval: Some(Interval {
            low: Some(3_870.0),
            high: Some(6_312.0),
            confidence: 0.95,
        }),
        plain: Some(102.4),
        plain_ok: Some(true),
        bad: 1_012,
        allowed: Some(706),
        dependence: 14.2,
        reason: "1,012 of 15,000 requests were later than 350 ms or failed, and 750 may".to_owned(),
        differs: Some(
            "k6 reads p(95) as 102 ms, over answers only and from when they were sent, and lets it pass; over all scheduled requests and from when they were due it is 5,104 ms"
                .to_owned(),
        ),
        ..judgement.thresholds[0].clone()
    };
    judgement.thresholds[1] = ThresholdResult {
        verdict: Verdict::Fail,
        observed: None,
        infinite: true,
        interval: Some(Interval {
            low: Some(18_240.0),
            high: None,
            confidence: 0.95,
        }),
        plain: Some(240.0),
        plain_ok: Some(false),
        reason: "198 of 15,000 requests never got a right answer, and 150 may".to_owned(),
        ..judgement.thresholds[1].clone()
    };
    judgement.thresholds[2] = ThresholdResult {
        verdict: Verdict::Inconclusive,
        observed: Some(0.9902),
        interval: Some(Interval {
            low: Some(0.9871),
            high: Some(0.9931),
            confidence: 0.95,
        }),
        plain: Some(0.9902),
        reason: "0.98 % failed; shown would be a share below 1 % with some distance".to_owned(),
        ..judgement.thresholds[2].clone()
    };
    judgement.stop = Some(Stop::Decided {
        threshold: "http_req_duration p(95)<350".to_owned(),
    });
    judgement.completed = 0.8;
    let summary = &mut doc.summary;
    summary.succeeded = 14_802;
    summary.outcomes = [("ok", 14_802), ("timeout", 131), ("reset", 45), ("http_error", 22)]
        .into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect();
    summary.metrics = metrics(198);
    let frozen = |percent: f64, never: f64| {
        let x = latency(percent, never)?;
        // From the 93rd percentile on: those who waited for the frozen server.
        Some(if percent > 93.0 {
            x + (percent - 93.0).powf(1.4) * 1_900.0
        } else {
            x
        })
    };
    for row in &mut summary.latency {
        row.judged_ms = frozen(row.percent, 0.0132);
        row.interval.low = frozen(row.percent - 0.2, 0.0132).or(Some(18_240.0));
        row.interval.high = frozen(row.percent + 0.2, 0.0132);
    }
    for point in &mut summary.curve {
        point.judged_ms = frozen(point.percent, 0.0132);
    }
    summary.slices = slices(50..58);
    summary.worst_window = Some(WorstWindow {
        start_s: 124.0,
        width_s: 10.0,
        scheduled: 500,
        failed: 52,
        p95_ms: None,
        phases: Phases {
            lag_ms: 0.08,
            queue_ms: 8_120.0,
            connect_ms: 310.0,
            tls_ms: 120.0,
            server_ms: 2_950.0,
            receive_ms: 0.7,
        },
    });
    summary.checks[0].passes = 14_853;
    summary.checks[0].fails = 147;
    doc.exit_code = 1;
    doc
}

/// The generator could not keep its schedule, and was interrupted.
pub(crate) fn invalid() -> ResultDoc {
    let mut doc = passing();
    let problem = "the generator was late: the 99th percentile of its send lag is 48 ms, and 17.5 ms is allowed";
    doc.judgement.verdict = Verdict::Invalid;
    doc.judgement.reasons = vec![problem.to_owned(), "interrupted after 41 % of the schedule".to_owned()];
    doc.judgement.validity = Validity {
        lag_p50_ms: 3.2,
        lag_p99_ms: 48.0,
        sent: 13_120,
        cpu_wait: Some(0.31),
        throttled: Some(0.22),
        busiest_thread: Some(0.98),
        problems: vec![
            problem.to_owned(),
            "its cgroup was throttled for 22 % of the time: give the pod more CPU".to_owned(),
        ],
        ..doc.judgement.validity
    };
    doc.judgement.stop = Some(Stop::Interrupted);
    doc.judgement.completed = 0.41;
    doc.partial = true;
    doc.exit_code = 3;
    doc
}

/// Nothing answered.
pub(crate) fn dead() -> ResultDoc {
    let mut doc = passing();
    let judgement = &mut doc.judgement;
    judgement.verdict = Verdict::Fail;
    judgement.reasons = vec!["no request succeeded: connection refused (127.0.0.1:8080)".to_owned()];
    judgement.thresholds.truncate(1);
    judgement.thresholds[0] = ThresholdResult {
        verdict: Verdict::Fail,
        observed: None,
        infinite: true,
        interval: None,
        plain: None,
        plain_ok: Some(true),
        samples: 3,
        bad: 3,
        allowed: Some(0),
        reason: "no request succeeded".to_owned(),
        differs: Some("k6 reads p(95) as 0, because nobody answered, and lets it pass".to_owned()),
        ..judgement.thresholds[0].clone()
    };
    judgement.stop = Some(Stop::NoSuccess {
        cause: "connection refused (127.0.0.1:8080)".to_owned(),
    });
    judgement.completed = 0.0002;
    let summary = &mut doc.summary;
    summary.scheduled = 3;
    summary.succeeded = 0;
    summary.seconds = 0.06;
    summary.outcomes = [("connect".to_owned(), 3)].into_iter().collect();
    summary.statuses.clear();
    summary.metrics = BTreeMap::new();
    for row in &mut summary.latency {
        row.judged_ms = None;
        row.plain_ms = None;
        row.interval = Interval {
            low: None,
            high: None,
            confidence: 0.95,
        };
    }
    summary.curve.clear();
    summary.slices.clear();
    summary.worst_window = None;
    summary.checks.clear();
    doc.exit_code = 1;
    doc
}

/// All of them, with names.
pub(crate) fn all() -> [(&'static str, ResultDoc); 4] {
    [
        ("passing", passing()),
        ("failing", failing()),
        ("invalid", invalid()),
        ("dead", dead()),
    ]
}
