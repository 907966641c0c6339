//! What decides: tiles, thresholds, drawings with their tables, the worst window, and how requests ended.

use super::plot;
use super::{class, sign};
use crate::document::ResultDoc;
use crate::text::{self, NONE};
use crate::view::{self, Unit, verdict_word};
use load_verdict::{ThresholdResult, Verdict};
use maud::{Markup, html};

/// The figures that one looks for first.
pub(super) fn tiles(doc: &ResultDoc) -> Markup {
    let summary = &doc.summary;
    let quantile = |percent| {
        let row = view::quantile(doc, percent);
        let judged = row.map_or_else(
            || NONE.to_owned(),
            |row| view::judged_words(row.judged_ms, summary.scheduled),
        );
        let words = row.map_or_else(String::new, |row| match (row.judged_ms, row.plain_ms) {
            (Some(_), _) => view::interval(&row.interval, Unit::Milliseconds),
            (None, Some(plain)) => format!("plain {} ms", text::figure(plain)),
            (None, None) => "no data".to_owned(),
        });
        (judged, words)
    };
    let failed = view::failed(doc);
    let validity = &doc.judgement.validity;
    let (p95, p95_words) = quantile(95.0);
    let (p99, p99_words) = quantile(99.0);
    let trusted = validity.problems.is_empty();
    html! {
        section.tiles aria-label="Most important figures" {
            (tile("p95, judged", &p95, &p95_words, p95 == "infinite"))
            (tile("p99, judged", &p99, &p99_words, p99 == "infinite"))
            (tile("right answers", &text::share(summary.succeeded, summary.scheduled), &format!("{} failed", text::count(failed)), summary.succeeded == 0))
            (tile("requests", &text::count(summary.scheduled), &format!("{}/s for {}", view::rate(doc).map_or_else(|| NONE.to_owned(), text::figure), text::span(summary.seconds)), false))
            (tile("send lag p99", &format!("{} ms", text::figure(validity.lag_p99_ms)), &format!("limit {} ms", text::figure(validity.lag_limit_ms)), !trusted))
        }
    }
}

fn tile(name: &str, value: &str, words: &str, bad: bool) -> Markup {
    html! {
        div.tile {
            p.name { (name) }
            p.value.bad[bad] { (value) }
            p.words { (words) }
        }
    }
}

pub(super) fn thresholds(doc: &ResultDoc) -> Markup {
    let all = &doc.judgement.thresholds;
    if all.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="thresholds" {
            h2 id="thresholds" { "Thresholds" }
            p.legend {
                span.key { span.swatch.point-swatch {} "judged, with its interval" }
                span.key { span.swatch.k6-swatch {} "what k6 would have read" }
                span.key { span.swatch.wall-swatch {} "limit; the allowed side is green" }
            }
            @if doc.judgement.verdict == Verdict::Invalid {
                p.differs { "The measurement cannot be trusted, so none of these readings decides anything." }
            }
            @for result in all { (threshold(result)) }
        }
    }
}

fn threshold(result: &ThresholdResult) -> Markup {
    let asked = view::asked(result);
    let k6 = match result.plain_ok {
        Some(true) => " (pass)",
        Some(false) => " (fail)",
        None => "",
    };
    html! {
        article.threshold {
            div.what {
                span class=(format!("chip {}", class(result.verdict))) {
                    span aria-hidden="true" { (sign(result.verdict)) " " }
                    (verdict_word(result.verdict))
                }
                h3 { code { (result.metric) " " span.expression { (result.expression) } } }
            }
            div.picture { @if let Some(drawing) = plot::interval::draw(result, asked) { (drawing) } }
            dl {
                div { dt { "judged" } dd.strong { (view::observed(result, asked.unit)) } }
                div {
                    dt { @if let Some(interval) = view::telling(result.interval.as_ref()) { (view::confidence(interval)) " " } "interval" }
                    dd { @if let Some(interval) = view::telling(result.interval.as_ref()) { (view::interval(interval, asked.unit)) } @else { (NONE) } }
                }
                div { dt { "limit" } dd { (view::limit(asked)) } }
                div { dt { "k6 would read" } dd { (view::plain(result, asked.unit)) (k6) } }
            }
            p.reason {
                (result.reason)
                @if let Some(worth) = worth(result) { " · " (worth) }
            }
            @if let Some(why) = &result.differs { p.differs { (why) } }
        }
    }
}

/// What autocorrelation leaves of the samples, when that is worth a word.
fn worth(result: &ThresholdResult) -> Option<String> {
    let worth = result.samples as f64 / result.dependence;
    (result.dependence > 1.2 && worth.is_finite()).then(|| {
        format!(
            "neighbours were alike, so {} samples tell as much as {} independent ones",
            text::count(result.samples),
            text::figure(worth.round())
        )
    })
}

pub(super) fn over_time(doc: &ResultDoc) -> Markup {
    let Some(drawing) = plot::time::draw(doc) else {
        return html! {};
    };
    let slices = &doc.summary.slices;
    html! {
        section aria-labelledby="over-time" {
            h2 id="over-time" { "Latency over time" }
            p.legend {
                span.key { span.swatch.line-swatch.p50 {} "p50" }
                span.key { span.swatch.line-swatch.judged {} "p95" }
                span.key { span.swatch.line-swatch.p99 {} "p99" }
                span.key { span.swatch.line-swatch.limit {} "limit" }
                span.key { span.swatch.failed {} "failed" }
                @if plot::time::marked(doc).is_some() { span.key { span.swatch.worst {} "worst window" } }
                span.remark { "judged, by when requests were due" }
            }
            div.scroll { (drawing) }
            details {
                summary { "As a table" }
                div.scroll {
                    table {
                        thead { tr {
                            th scope="col" { "from" } th.n scope="col" { "due" } th.n scope="col" { "failed" }
                            th.n scope="col" { "p50, ms" } th.n scope="col" { "p95, ms" } th.n scope="col" { "p99, ms" } th.n scope="col" { "largest finite, ms" }
                        } }
                        tbody { @for s in slices {
                            tr {
                                th scope="row" { (text::clock(s.start_s)) }
                                td.n { (text::count(s.scheduled)) }
                                td.n.bad[s.failed > 0] { (text::count(s.failed)) }
                                @for ms in [s.p50_ms, s.p95_ms, s.p99_ms] { td.n { (view::judged_ms(ms, s.scheduled)) } }
                                td.n { (s.max_ms.map_or_else(|| NONE.to_owned(), text::figure)) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

pub(super) fn percentiles(doc: &ResultDoc) -> Markup {
    let drawing = plot::curve::draw(doc);
    let scheduled = doc.summary.scheduled;
    if drawing.is_none() && doc.summary.latency.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="percentiles" {
            h2 id="percentiles" { "Latency by percentile" }
            @if let Some(drawing) = drawing {
                p.legend {
                    span.key { span.swatch.line-swatch.judged {} "judged" }
                    span.key { span.swatch.line-swatch.plain {} "plain, as k6" }
                    span.key { span.swatch.line-swatch.limit {} "limit" }
                    span.remark { "each further nine has the same room" }
                }
                div.scroll { (drawing) }
            }
            div.scroll {
                table {
                    thead { tr {
                        th scope="col" { "percentile" } th.n scope="col" { "judged, ms" } th.n scope="col" { (view::interval_head(doc)) } th.n scope="col" { "plain, ms" }
                    } }
                    tbody { @for row in &doc.summary.latency {
                        tr {
                            th scope="row" { (view::quantile_name(row.percent)) }
                            td.n.strong.bad[row.judged_ms.is_none() && scheduled > 0] { (view::judged_ms(row.judged_ms, scheduled)) }
                            td.n { @if scheduled > 0 { (view::interval(&row.interval, Unit::Milliseconds)) } @else { (NONE) } }
                            td.n { (row.plain_ms.map_or_else(|| NONE.to_owned(), text::figure)) }
                        }
                    } }
                }
            }
        }
    }
}

pub(super) fn worst(doc: &ResultDoc) -> Markup {
    let Some(worst) = &doc.summary.worst_window else {
        return html! {};
    };
    let phases = view::phases(&worst.phases);
    let all: f64 = phases.iter().map(|phase| phase.3).filter(|ms| ms.is_finite()).sum();
    html! {
        section aria-labelledby="worst" {
            h2 id="worst" { "The worst " (text::span(worst.width_s)) }
            p {
                "From " (text::clock(worst.start_s)) " to " (text::clock(worst.start_s + worst.width_s))
                ": p95 " strong { (view::judged_words(worst.p95_ms, worst.scheduled)) } ", "
                (text::count(worst.failed)) " of " (text::count(worst.scheduled)) " failed. Where the time of a request went, on average:"
            }
            @if let Some(drawing) = plot::phases::draw(&worst.phases) { (drawing) }
            table {
                thead { tr { th scope="col" { "phase" } th.n scope="col" { "ms" } th.n scope="col" { "share" } } }
                tbody { @for (name, title, meaning, ms) in phases {
                    tr {
                        th scope="row" {
                            span class=(format!("swatch phase {name}")) {} (title) " " span.remark { (meaning) }
                        }
                        td.n { (text::figure(ms)) }
                        td.n { @if all > 0.0 { (text::percent(ms / all)) } @else { (NONE) } }
                    }
                } }
            }
        }
    }
}

pub(super) fn requests(doc: &ResultDoc) -> Markup {
    let summary = &doc.summary;
    let ok = ("ok", summary.succeeded);
    let failures = view::failures(doc);
    html! {
        section aria-labelledby="requests" {
            h2 id="requests" { "Requests" }
            table {
                thead { tr { th scope="col" { "ended as" } th.n scope="col" { "requests" } th.n scope="col" { "share" } } }
                tbody { @for (name, n) in std::iter::once(&ok).chain(&failures) {
                    tr {
                        th scope="row" {
                            @match view::outcome_words(name) {
                                Some(words) => { (words) " " code.remark { (name) } }
                                None => code { (name) }
                            }
                        }
                        td.n.bad[*name != "ok"] { (text::count(*n)) }
                        td.n { (text::share(*n, summary.scheduled)) }
                    }
                } }
            }
            @if !summary.statuses.is_empty() {
                h3 { "Statuses" }
                table {
                    thead { tr { th scope="col" { "status" } th.n scope="col" { "responses" } } }
                    tbody { @for (status, n) in &summary.statuses {
                        tr { th scope="row" { (status) } td.n { (text::count(*n)) } }
                    } }
                }
            }
        }
    }
}

/// A check is as good as its worst answer.
pub(super) const fn check_class(fails: u64) -> &'static str {
    if fails == 0 {
        class(Verdict::Pass)
    } else {
        class(Verdict::Fail)
    }
}
