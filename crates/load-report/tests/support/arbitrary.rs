//! Documents that no run leaves behind: every figure and every text may be anything that its type allows.
//!
//! Strategies are boxed: as one value they are too large for the stack of a test.

use load_report::{Environment, ResultDoc, SCHEMA, Tool};
use load_verdict::Outcome;
use load_verdict::judge::{Interval, Judgement, Method, Stop, ThresholdResult, Validity, Verdict};
use load_verdict::summary::{
    CheckSummary, CurvePoint, MetricSummary, Phases, QuantileRow, Slice, Summary, WorstWindow,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

/// Text that somebody chose who means harm, or who has an odd keyboard.
const HOSTILE: [&str; 16] = [
    "",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</style></svg></pre><h1>PASS</h1>",
    "&lt;b&gt; &amp; ]]> <!-- --> <![CDATA[",
    "a | b \\| c `d` ``e`` <code> **f** _g_",
    "[link](https://example.com) ![x](y) www.example.com https://example.com @someone #1 $x$ :tada:",
    "1. one\n2. two\n- three\n# four\n> five\n---\n```",
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\r\u{8}",
    "right\u{202e}tfel\u{2066}\u{200b}\u{feff}",
    "\0\u{1}\u{b}\u{7f}\u{fffe}\u{ffff}",
    "label=\"x\"} 1\nload_gate_verdict{verdict=\"pass\"} 1",
    "表表表表 ä́ 👩‍👩‍👧‍👦 ﷽",
    "http://user:secret@host/?token=x&y='\"",
    "x</details></table></main>",
    "{{7*7}} ${x} %s %n {0}",
];

pub(crate) fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => proptest::sample::select(&HOSTILE[..]).prop_map(ToOwned::to_owned),
        2 => any::<String>(),
        1 => (proptest::sample::select(&HOSTILE[..]), 1..200_usize).prop_map(|(text, times)| text.repeat(times)),
    ]
    .boxed()
}

/// Any figure at all, most of them as they occur.
fn figure() -> BoxedStrategy<f64> {
    prop_oneof![
        4 => 0.0..20_000.0,
        2 => 0.0..1.0,
        2 => any::<f64>(),
        1 => proptest::sample::select(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN_POSITIVE][..]),
    ].boxed()
}

fn maybe() -> BoxedStrategy<Option<f64>> {
    option::weighted(0.8, figure()).boxed()
}

fn number() -> BoxedStrategy<u64> {
    prop_oneof![3 => 0..20_000_u64, 1 => any::<u64>(), 1 => Just(0)].boxed()
}

pub(crate) fn verdict() -> impl Strategy<Value = Verdict> {
    proptest::sample::select(&[Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::Invalid][..])
}

fn interval() -> BoxedStrategy<Interval> {
    (maybe(), maybe(), prop_oneof![3 => Just(0.95), 1 => figure()])
        .prop_map(|(low, high, confidence)| Interval { low, high, confidence })
        .boxed()
}

fn asked() -> BoxedStrategy<(String, String)> {
    const REAL: [(&str, &str); 7] = [
        ("http_req_duration", "p(95)<350"),
        ("http_req_duration", "p(99.9)<=1e3"),
        ("http_req_duration{op:read}", "max<100"),
        ("http_req_duration", "p(50)>5"),
        ("checks", "rate>0.99"),
        ("http_reqs", "count>100"),
        ("vus", "value<0"),
    ];
    prop_oneof![
        3 => proptest::sample::select(&REAL[..]).prop_map(|(m, e)| (m.to_owned(), e.to_owned())),
        1 => (text(), text()),
        1 => text().prop_map(|m| (m, "p(95)<350".to_owned())),
    ]
    .boxed()
}

prop_compose! {
    fn threshold()(
        (metric, expression) in asked(),
        verdict in verdict(),
        method in proptest::sample::select(&[Method::OrderStatistics, Method::Proportion, Method::AsObserved, Method::Sequential][..]),
        (observed, infinite, interval, plain) in (maybe(), any::<bool>(), option::of(interval()), maybe()),
        (plain_ok, samples, bad, allowed) in (any::<Option<bool>>(), number(), number(), option::of(number())),
        (dependence, reason, differs) in (figure(), text(), option::of(text())),
    ) -> ThresholdResult {
        ThresholdResult {
            metric, expression, verdict, method, observed, infinite, interval, plain, plain_ok, samples, bad, allowed,
            dependence, reason, differs,
        }
    }
}

fn stop() -> BoxedStrategy<Stop> {
    prop_oneof![
        text().prop_map(|cause| Stop::NoSuccess { cause }),
        text().prop_map(|threshold| Stop::Decided { threshold }),
        (text(), figure()).prop_map(|(threshold, alpha)| Stop::Sequential { threshold, alpha }),
        Just(Stop::Interrupted),
    ]
    .boxed()
}

prop_compose! {
    fn judgement()(
        verdict in verdict(),
        reasons in vec(text(), 1..4),
        thresholds in vec(threshold().boxed(), 0..5),
        (lag_p50_ms, lag_p99_ms, lag_limit_ms) in (figure(), figure(), figure()),
        (scheduled, sent, cpu_wait, throttled, busiest_thread) in (number(), number(), maybe(), maybe(), maybe()),
        problems in vec(text(), 0..3),
        stop in option::of(stop()),
        completed in figure(),
    ) -> Judgement {
        let validity = Validity {
            lag_p50_ms, lag_p99_ms, lag_limit_ms, scheduled, sent, cpu_wait, throttled, busiest_thread, problems,
        };
        Judgement { verdict, reasons, thresholds, validity, stop, completed }
    }
}

fn metric() -> BoxedStrategy<MetricSummary> {
    prop_oneof![
        (
            number(),
            [maybe(), maybe(), maybe(), maybe(), maybe(), maybe(), maybe()]
        )
            .prop_map(|(count, [avg, min, med, max, p90, p95, p99])| MetricSummary::Trend {
                count,
                avg,
                min,
                med,
                max,
                p90,
                p95,
                p99,
            }),
        (maybe(), number(), number()).prop_map(|(rate, trues, total)| MetricSummary::Rate { rate, trues, total }),
        (number(), figure()).prop_map(|(count, rate)| MetricSummary::Counter { count, rate }),
        (figure(), figure(), figure()).prop_map(|(value, min, max)| MetricSummary::Gauge { value, min, max }),
    ]
    .boxed()
}

fn percent() -> BoxedStrategy<f64> {
    prop_oneof![
        3 => proptest::sample::select(&[0.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0][..]),
        2 => 0.0..100.0,
        1 => figure(),
    ]
    .boxed()
}

prop_compose! {
    fn slice()(
        (start_s, width_s) in (figure(), figure()),
        (scheduled, failed) in (number(), number()),
        (p50_ms, p95_ms, p99_ms, max_ms) in (maybe(), maybe(), maybe(), maybe()),
    ) -> Slice {
        Slice { start_s, width_s, scheduled, failed, p50_ms, p95_ms, p99_ms, max_ms }
    }
}

fn phases() -> BoxedStrategy<Phases> {
    [figure(), figure(), figure(), figure(), figure(), figure()]
        .prop_map(|[lag_ms, queue_ms, connect_ms, tls_ms, server_ms, receive_ms]| Phases {
            lag_ms,
            queue_ms,
            connect_ms,
            tls_ms,
            server_ms,
            receive_ms,
        })
        .boxed()
}

fn outcome() -> BoxedStrategy<String> {
    prop_oneof![
        3 => proptest::sample::select(&Outcome::ALL[..]).prop_map(|outcome| outcome.as_str().to_owned()),
        1 => text(),
    ]
    .boxed()
}

prop_compose! {
    fn summary()(
        (scheduled, succeeded, seconds) in (number(), number(), figure()),
        outcomes in btree_map(outcome(), number(), 0..6),
        statuses in btree_map(any::<u16>(), number(), 0..4),
        metrics in btree_map(text(), metric(), 0..5),
        latency in vec(
            (percent(), maybe(), interval(), maybe())
                .prop_map(|(percent, judged_ms, interval, plain_ms)| QuantileRow { percent, judged_ms, interval, plain_ms }),
            0..8,
        ),
        curve in vec(
            (percent(), maybe(), maybe()).prop_map(|(percent, judged_ms, plain_ms)| CurvePoint { percent, judged_ms, plain_ms }),
            0..12,
        ),
        slices in vec(slice().boxed(), 0..12),
        worst_window in option::of(
            (figure(), figure(), number(), number(), maybe(), phases()).prop_map(
                |(start_s, width_s, scheduled, failed, p95_ms, phases)| WorstWindow {
                    start_s, width_s, scheduled, failed, p95_ms, phases,
                }
            )
        ),
        checks in vec(
            (text(), number(), number()).prop_map(|(name, passes, fails)| CheckSummary { name, passes, fails }),
            0..4,
        ),
    ) -> Summary {
        Summary { scheduled, succeeded, outcomes, statuses, seconds, metrics, latency, curve, slices, worst_window, checks }
    }
}

prop_compose! {
    /// Any document at all.
    pub(crate) fn document()(
        judgement in judgement().boxed(),
        summary in summary().boxed(),
        [name, version, subject, os, kernel, secret] in [text(), text(), text(), text(), text(), text()],
        (started, took) in (0..4_000_000_000_i64, -10..100_000_i64),
        (cpus, memory, quota, ci) in (any::<Option<u32>>(), any::<Option<u64>>(), maybe(), option::of(text())),
        (exit_code, partial, kubernetes) in (any::<u8>(), any::<bool>(), any::<bool>()),
    ) -> ResultDoc {
        ResultDoc {
            schema: SCHEMA.to_owned(),
            tool: Tool { name, version },
            subject,
            started_at: jiff::Timestamp::from_second(started).unwrap(),
            finished_at: jiff::Timestamp::from_second(started + took).unwrap(),
            config: json!({ "any": secret }),
            environment: Environment {
                os,
                arch: "x86_64".to_owned(),
                kernel: Some(kernel),
                cpus,
                memory_bytes: memory,
                cgroup_cpus: quota,
                cgroup_memory_bytes: memory,
                ci,
                kubernetes,
                threads: cpus,
            },
            judgement,
            summary,
            tally: json!({}),
            exit_code,
            partial,
        }
    }
}

/// The same document with harmless texts in place of those that a stranger may have chosen.
pub(crate) fn harmless(doc: &ResultDoc) -> ResultDoc {
    let mut doc = doc.clone();
    let mut n = 0;
    let mut plain = |text: &mut String| {
        n += 1;
        *text = format!("text{n}");
    };
    for text in [
        &mut doc.subject,
        &mut doc.tool.name,
        &mut doc.tool.version,
        &mut doc.environment.os,
    ] {
        plain(text);
    }
    doc.environment.kernel.iter_mut().for_each(&mut plain);
    doc.environment.ci.iter_mut().for_each(&mut plain);
    let judgement = &mut doc.judgement;
    judgement.reasons.iter_mut().for_each(&mut plain);
    judgement.validity.problems.iter_mut().for_each(&mut plain);
    for threshold in &mut judgement.thresholds {
        plain(&mut threshold.reason);
        threshold.differs.iter_mut().for_each(&mut plain);
        // What can be read decides what is drawn: that stays.
        if load_verdict::Threshold::parse(&threshold.metric, &threshold.expression).is_err() {
            plain(&mut threshold.metric);
            plain(&mut threshold.expression);
        }
    }
    match &mut judgement.stop {
        Some(
            Stop::NoSuccess { cause: text }
            | Stop::Decided { threshold: text }
            | Stop::Sequential { threshold: text, .. },
        ) => {
            plain(text);
        }
        Some(Stop::Interrupted) | None => {}
    }
    let summary = &mut doc.summary;
    summary.checks.iter_mut().for_each(|check| plain(&mut check.name));
    summary.metrics = std::mem::take(&mut summary.metrics)
        .into_values()
        .map(|metric| {
            let mut key = String::new();
            plain(&mut key);
            (key, metric)
        })
        .collect();
    summary.outcomes = std::mem::take(&mut summary.outcomes)
        .into_iter()
        .map(|(mut name, n)| {
            if !Outcome::ALL.iter().any(|outcome| outcome.as_str() == name) {
                plain(&mut name);
            }
            (name, n)
        })
        .collect();
    doc.config = json!({});
    doc
}
