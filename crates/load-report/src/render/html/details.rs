//! What one looks up: checks, k6's metrics, the generator, the environment, and what was asked for.

use super::sections::check_class;
use crate::document::ResultDoc;
use crate::text::{self, NONE};
use load_verdict::summary::MetricSummary;
use maud::{Markup, html};

pub(super) fn checks(doc: &ResultDoc) -> Markup {
    let checks = &doc.summary.checks;
    if checks.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="checks" {
            h2 id="checks" { "Checks" }
            div.scroll {
                table {
                    thead { tr {
                        th scope="col" { "check" } th.n scope="col" { "passed" } th.n scope="col" { "failed" } th.n scope="col" { "share passed" }
                    } }
                    tbody { @for check in checks {
                        @let all = check.passes.saturating_add(check.fails);
                        tr {
                            th scope="row" {
                                span class=(format!("mark {}", check_class(check.fails))) aria-hidden="true" { @if check.fails == 0 { "✓ " } @else { "✗ " } }
                                code { (check.name) }
                            }
                            td.n { (text::count(check.passes)) }
                            td.n.bad[check.fails > 0] { (text::count(check.fails)) }
                            td.n { (text::share(check.passes, all)) }
                        }
                    } }
                }
            }
        }
    }
}

/// All metrics as k6 aggregates them.
pub(super) fn metrics(doc: &ResultDoc) -> Markup {
    let metrics = &doc.summary.metrics;
    if metrics.is_empty() {
        return html! {};
    }
    let ms = |x: &Option<f64>| x.map_or_else(|| NONE.to_owned(), text::figure);
    html! {
        section aria-labelledby="metrics" {
            details {
                summary { h2 id="metrics" { "Plain metrics, as k6 aggregates them" } }
                div.scroll {
                    table {
                        thead { tr {
                            th scope="col" { "trend, ms" }
                            @for name in ["avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"] { th.n scope="col" { (name) } }
                        } }
                        tbody { @for (key, metric) in metrics {
                            @if let MetricSummary::Trend { avg, min, med, max, p90, p95, p99, .. } = metric {
                                tr {
                                    th scope="row" { code { (key) } }
                                    @for x in [avg, min, med, max, p90, p95, p99] { td.n { (ms(x)) } }
                                }
                            }
                        } }
                    }
                    table {
                        thead { tr { th scope="col" { "other" } th.n scope="col" { "figure" } th.n scope="col" { "from" } } }
                        tbody { @for (key, metric) in metrics { (other(key, metric)) } }
                    }
                }
            }
        }
    }
}

fn other(key: &str, metric: &MetricSummary) -> Markup {
    let (figure, from) = match metric {
        MetricSummary::Trend { .. } => return html! {},
        MetricSummary::Rate { rate, trues, total } => (
            rate.map_or_else(|| NONE.to_owned(), text::percent),
            format!("{} of {}", text::count(*trues), text::count(*total)),
        ),
        MetricSummary::Counter { count, rate } if key.starts_with("data_") => {
            (text::bytes(*count as f64), format!("{}/s", text::bytes(*rate)))
        }
        MetricSummary::Counter { count, rate } => (text::count(*count), format!("{}/s", text::figure(*rate))),
        MetricSummary::Gauge { value, min, max } => (
            text::figure(*value),
            format!("{} to {}", text::figure(*min), text::figure(*max)),
        ),
    };
    html! { tr { th scope="row" { code { (key) } } td.n { (figure) } td.n { (from) } } }
}

/// Whether the generator could do what it was asked to, and where it ran.
pub(super) fn generator(doc: &ResultDoc) -> Markup {
    let v = &doc.judgement.validity;
    let e = &doc.environment;
    let share = |x: Option<f64>| x.map_or_else(|| NONE.to_owned(), text::percent);
    let size = |x: Option<u64>| x.map_or_else(|| NONE.to_owned(), |n| text::bytes(n as f64));
    let system = format!("{} {} {}", e.os, e.arch, e.kernel.as_deref().unwrap_or_default());
    let place = match (e.ci.as_deref(), e.kubernetes) {
        (Some(ci), true) => format!("{ci}, Kubernetes"),
        (Some(ci), false) => ci.to_owned(),
        (None, true) => "Kubernetes".to_owned(),
        (None, false) => NONE.to_owned(),
    };
    let cpus = e.cpus.map_or_else(|| NONE.to_owned(), |n| n.to_string());
    let quota = e.cgroup_cpus.map_or_else(|| "no limit".to_owned(), text::figure);
    let memory = e
        .cgroup_memory_bytes
        .map_or_else(|| "no limit".to_owned(), |n| text::bytes(n as f64));
    let facts = [
        ("send lag, median", format!("{} ms", text::figure(v.lag_p50_ms))),
        (
            "send lag, p99",
            format!(
                "{} ms (limit {} ms)",
                text::figure(v.lag_p99_ms),
                text::figure(v.lag_limit_ms)
            ),
        ),
        (
            "taken up in time",
            format!("{} of {}", text::count(v.sent), text::count(v.scheduled)),
        ),
        ("waited for a processor", share(v.cpu_wait)),
        ("throttled", share(v.throttled)),
        ("busiest thread", share(v.busiest_thread)),
        ("threads", e.threads.map_or_else(|| NONE.to_owned(), |n| n.to_string())),
        ("system", system),
        ("processors", format!("{cpus} (cgroup: {quota})")),
        ("memory", format!("{} (cgroup: {memory})", size(e.memory_bytes))),
        ("ran in", place),
    ];
    html! {
        section aria-labelledby="generator" {
            h2 id="generator" { "Generator and environment" }
            @if !v.problems.is_empty() {
                ul.problems { @for problem in &v.problems { li { (problem) } } }
            }
            dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
        }
    }
}

/// What was asked for, secrets redacted by whoever made the document.
pub(super) fn config(doc: &ResultDoc) -> Markup {
    let text = serde_json::to_string_pretty(&doc.config).unwrap_or_default();
    html! {
        section aria-labelledby="config" {
            details {
                summary { h2 id="config" { "Configuration" } }
                pre tabindex="0" { (text) }
            }
        }
    }
}
