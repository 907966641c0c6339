//! The report as one HTML file: opens anywhere, in years, without a network and without a script.
//!
//! Everything in it is escaped by maud's types; a content security policy forbids the browser to load or run anything
//! should that ever fail.

mod details;
mod plot;
mod sections;

use crate::document::ResultDoc;
use crate::text;
use crate::view::{self, verdict_word};
use load_verdict::Verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The style sheet; ours, and nothing in it comes from a document.
const STYLE: &str = include_str!("style.css");

/// Nothing may be loaded or run; the style sheet is within the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// The run as an HTML page.
pub fn html(doc: &ResultDoc) -> String {
    let page = page(doc).into_string();
    if page.chars().all(allowed) {
        return page;
    }
    page.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

/// Line breaks and tabs come from the style sheet and from configuration as JSON; other control characters are errors in
/// HTML, and those that reorder text fool a reader.
fn allowed(c: char) -> bool {
    c == '\n' || text::printable(c.encode_utf8(&mut [0; 4])).starts_with(c)
}

/// The class of a verdict in the style sheet.
const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Invalid => "invalid",
    }
}

/// A sign for each verdict, so that colour is not the only difference.
const fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Inconclusive => "?",
        Verdict::Invalid => "!",
    }
}

fn page(doc: &ResultDoc) -> Markup {
    let verdict = verdict_word(doc.judgement.verdict);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (verdict) ": " (doc.subject) }
                // Or a browser asks the server for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (head(doc))
                    (sections::tiles(doc))
                    (sections::thresholds(doc))
                    (sections::over_time(doc))
                    (sections::percentiles(doc))
                    div.pair {
                        (sections::worst(doc))
                        (sections::requests(doc))
                    }
                    (details::checks(doc))
                    (details::metrics(doc))
                    (details::generator(doc))
                    (details::config(doc))
                }
                footer {
                    p {
                        "Written by " (doc.tool.name) " " (doc.tool.version) ". Judged latency: from the moment a request was due to its end, over all scheduled requests; whatever was not answered rightly is infinitely late. Plain latency: from sent to done, over responses, as k6 shows it."
                    }
                }
            }
        }
    }
}

fn head(doc: &ResultDoc) -> Markup {
    let judgement = &doc.judgement;
    html! {
        header class=(format!("hero {}", class(judgement.verdict))) {
            p.kicker { "load-gate" }
            h1 {
                span.sign aria-hidden="true" { (sign(judgement.verdict)) }
                (verdict_word(judgement.verdict))
            }
            p.meaning { (view::verdict_meaning(judgement.verdict)) }
            p.subject { (doc.subject) }
            ul.reasons {
                @for reason in &judgement.reasons { li { (reason) } }
                @if let Some(ending) = view::partial(doc) { li { (ending) } }
            }
            p.when {
                time datetime=(doc.started_at) { (doc.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                " · took " (text::span(doc.elapsed_s())) " · exit code " (doc.exit_code)
            }
        }
    }
}
