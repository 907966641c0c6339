//! Markdown for GitHub's step summary and for comments on merge requests.
//!
//! GitHub drops a step summary of more than 1 MiB whole, so the text is always shorter: rows and reasons beyond the
//! limit are left out, whole, and the text says so.

mod page;

use crate::document::ResultDoc;
use crate::text;
use crate::view::{self, Unit, verdict_word};
use load_verdict::Verdict;
use page::{Page, code, plain};

/// The text is shorter than this, in bytes: GitHub's 1024 KiB, with room for what others append to the same file.
pub const MARKDOWN_LIMIT: usize = 900 * 1024;

/// Rows of one table; the rest is counted.
const ROWS: usize = 100;

/// The run as Markdown.
pub fn markdown(doc: &ResultDoc) -> String {
    let mut page = Page::new(MARKDOWN_LIMIT);
    head(&mut page, doc);
    thresholds(&mut page, doc);
    latency(&mut page, doc);
    requests(&mut page, doc);
    worst(&mut page, doc);
    checks(&mut page, doc);
    foot(&mut page, doc);
    page.finish()
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Inconclusive => "⚠️",
        Verdict::Invalid => "⛔",
    }
}

fn head(page: &mut Page, doc: &ResultDoc) {
    let verdict = doc.judgement.verdict;
    page.line(&format!("## {} load-gate: {}", mark(verdict), verdict_word(verdict)));
    page.line("");
    page.line(&format!("{}: {}.", code(&doc.subject), view::verdict_meaning(verdict)));
    page.line("");
    for reason in doc.judgement.reasons.iter().take(ROWS) {
        page.line(&format!("- {}", plain(reason)));
    }
    if let Some(ending) = view::partial(doc) {
        page.line(&format!("- {}", plain(&ending)));
    }
    page.more("reason", doc.judgement.reasons.len(), ROWS);
    page.line("");
}

fn thresholds(page: &mut Page, doc: &ResultDoc) {
    let all = &doc.judgement.thresholds;
    if all.is_empty() {
        return;
    }
    page.table(
        &["", "Threshold", "Judged", "Interval", "Limit", "k6 would read"],
        ":-,:-,-:,-:,-:,-:",
    );
    for result in all.iter().take(ROWS) {
        let asked = view::asked(result);
        let interval = view::telling(result.interval.as_ref()).map_or_else(
            || text::NONE.to_owned(),
            |interval| {
                format!(
                    "{} ({})",
                    view::interval(interval, asked.unit),
                    view::confidence(interval)
                )
            },
        );
        let k6 = match result.plain_ok {
            Some(true) => " (pass)",
            Some(false) => " (fail)",
            None => "",
        };
        page.row(&[
            format!("{} {}", mark(result.verdict), verdict_word(result.verdict)),
            format!("{} {}", code(&result.metric), code(&result.expression)),
            plain(&view::observed(result, asked.unit)),
            plain(&interval),
            plain(&view::limit(asked)),
            plain(&format!("{}{k6}", view::plain(result, asked.unit))),
        ]);
    }
    page.more("threshold", all.len(), ROWS);
    page.line("");
    let differing = all.iter().filter_map(|result| Some((result, result.differs.as_ref()?)));
    for (result, why) in differing.take(ROWS) {
        page.line(&format!(
            "> {} {}: {}",
            code(&result.metric),
            code(&result.expression),
            plain(why)
        ));
        page.line("");
    }
}

fn latency(page: &mut Page, doc: &ResultDoc) {
    if doc.summary.latency.is_empty() {
        return;
    }
    page.line("### Latency");
    page.line("");
    page.line("Judged: from the intended send time to the end, over all scheduled requests, failures infinitely late. Plain: from sent to done over responses, as k6 shows it.");
    page.line("");
    page.table(
        &["Quantile", "Judged, ms", &view::interval_head(doc), "Plain, ms"],
        ":-,-:,-:,-:",
    );
    for row in doc.summary.latency.iter().take(ROWS) {
        page.row(&[
            view::quantile_name(row.percent),
            plain(&view::judged_ms(row.judged_ms, doc.summary.scheduled)),
            plain(&view::interval(&row.interval, Unit::Milliseconds)),
            plain(&row.plain_ms.map_or_else(|| text::NONE.to_owned(), text::figure)),
        ]);
    }
    page.line("");
}

fn requests(page: &mut Page, doc: &ResultDoc) {
    let summary = &doc.summary;
    page.line("### Requests");
    page.line("");
    let rate = view::rate(doc).map_or_else(String::new, |rate| format!(" ({}/s)", text::figure(rate)));
    page.line(&plain(&format!(
        "{} scheduled in {}{rate}, {} answered rightly ({}).",
        text::count(summary.scheduled),
        text::span(summary.seconds),
        text::count(summary.succeeded),
        text::share(summary.succeeded, summary.scheduled),
    )));
    page.line("");
    let failures = view::failures(doc);
    if failures.is_empty() {
        return;
    }
    page.table(&["Not answered rightly", "Requests", "Share"], ":-,-:,-:");
    for (name, n) in failures.iter().take(ROWS) {
        let words = view::outcome_words(name).unwrap_or_default();
        page.row(&[
            format!("{} {}", code(name), plain(words)),
            text::count(*n),
            plain(&text::share(*n, summary.scheduled)),
        ]);
    }
    page.line("");
}

fn worst(page: &mut Page, doc: &ResultDoc) {
    let Some(worst) = &doc.summary.worst_window else {
        return;
    };
    page.line(&format!("### The worst {}", plain(&text::span(worst.width_s))));
    page.line("");
    page.line(&plain(&format!(
        "From {} to {}: p95 {}, {} of {} requests not answered rightly. Where the time of a request went, on average:",
        text::clock(worst.start_s),
        text::clock(worst.start_s + worst.width_s),
        view::judged_words(worst.p95_ms, worst.scheduled),
        text::count(worst.failed),
        text::count(worst.scheduled),
    )));
    page.line("");
    page.table(&["Phase", "", "ms"], ":-,:-,-:");
    for (_, name, meaning, ms) in view::phases(&worst.phases) {
        page.row(&[plain(name), plain(meaning), plain(&text::figure(ms))]);
    }
    page.line("");
}

fn checks(page: &mut Page, doc: &ResultDoc) {
    let checks = &doc.summary.checks;
    if checks.is_empty() {
        return;
    }
    page.line("### Checks");
    page.line("");
    page.table(&["Check", "Passed", "Failed", "Share"], ":-,-:,-:,-:");
    for check in checks.iter().take(ROWS) {
        page.row(&[
            code(&check.name),
            text::count(check.passes),
            text::count(check.fails),
            plain(&text::share(check.passes, check.passes.saturating_add(check.fails))),
        ]);
    }
    page.more("check", checks.len(), ROWS);
    page.line("");
}

fn foot(page: &mut Page, doc: &ResultDoc) {
    let validity = &doc.judgement.validity;
    page.line(&format!(
        "<sub>{}</sub>",
        plain(&format!(
            "{} {}, {}. Send lag of the generator: median {} ms, p99 {} ms (limit {} ms). Exit code {}.",
            doc.tool.name,
            doc.tool.version,
            view::started(doc),
            text::figure(validity.lag_p50_ms),
            text::figure(validity.lag_p99_ms),
            text::figure(validity.lag_limit_ms),
            doc.exit_code,
        ))
    ));
}
