//! Whatever is in a document: nothing panics, no format breaks, and nobody takes a run for passed that was not.

use crate::support::arbitrary::{document, harmless, verdict};
use load_report::render::{self, MARKDOWN_LIMIT, Progress, TERMINATION_LIMIT};
use load_report::{Brief, ResultDoc};
use load_verdict::Verdict;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::HashSet;

/// Control characters that a screen would obey.
fn obeyed(text: &str) -> Option<char> {
    text.chars()
        .find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

fn without_colour(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_can_be_read(doc in document()) {
        match doc.to_json() {
            Ok(text) => {
                let read = ResultDoc::parse("it", text.as_bytes()).unwrap();
                prop_assert_eq!(read.judgement.verdict, doc.judgement.verdict);
                prop_assert_eq!(read.summary.scheduled, doc.summary.scheduled);
                prop_assert_eq!(read.judgement.reasons, doc.judgement.reasons);
            }
            // Only for figures that JSON has no word for, in a place where there must be one.
            Err(error) => prop_assert!(format!("{doc:?}").contains("NaN") || format!("{doc:?}").contains("inf"), "{error}"),
        }
    }

    #[test]
    fn a_torn_file_is_never_read(doc in document(), part in 0.0..1.0_f64) {
        let Ok(text) = doc.to_json() else { return Ok(()) };
        let text = text.trim_end().as_bytes();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let torn = &text[..(text.len() as f64 * part) as usize];
        prop_assert!(ResultDoc::parse("it", torn).is_err());
    }

    #[test]
    fn text_for_people_has_no_control_characters(doc in document(), width in 0..200_usize) {
        for text in [render::table(&doc, false, width), render::termination(&doc), render::markdown(&doc)] {
            prop_assert_eq!(obeyed(&text), None);
        }
        let coloured = render::table(&doc, true, width);
        prop_assert_eq!(obeyed(&without_colour(&coloured)), None);
        prop_assert!(render::termination(&doc).len() <= TERMINATION_LIMIT);
    }

    #[test]
    fn html_has_the_same_elements_whatever_the_texts_say(doc in document()) {
        let page = render::html(&doc);
        let same = render::html(&harmless(&doc));
        for mark in ['<', '>', '"'] {
            prop_assert_eq!(page.matches(mark).count(), same.matches(mark).count(), "{}", mark);
        }
        prop_assert_eq!(obeyed(&page), None);
        for broken in ["NaN", "=\"inf", " inf "] {
            prop_assert!(!same.contains(broken), "a drawing contains {broken}");
        }
    }

    #[test]
    fn junit_is_well_formed(doc in document()) {
        let xml = render::junit(&doc);
        let tree = match roxmltree::Document::parse(&xml) {
            Ok(tree) => tree,
            Err(error) => return Err(TestCaseError::fail(format!("{error}: {xml}"))),
        };
        let all = |name: &str| tree.descendants().filter(|node| node.has_tag_name(name)).count();
        prop_assert_eq!(all("testcase"), doc.judgement.thresholds.len() + 1);
        prop_assert_eq!(all("skipped"), 0);
        let suite = tree.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        prop_assert_eq!(suite.attribute("failures").unwrap(), all("failure").to_string());
        prop_assert_eq!(suite.attribute("errors").unwrap(), all("error").to_string());
    }

    #[test]
    fn markdown_has_the_same_structure_whatever_the_texts_say(doc in document()) {
        let text = render::markdown(&doc);
        prop_assert!(text.len() < MARKDOWN_LIMIT);
        let outline = |text: &str| -> Vec<String> {
            Parser::new_ext(text, Options::all())
                .filter_map(|event| match event {
                    Event::Start(tag) => Some(format!("{tag:?}")),
                    Event::InlineHtml(html) | Event::Html(html) => Some(html.to_string()),
                    Event::Code(_) | Event::InlineMath(_) | Event::DisplayMath(_) | Event::Rule | Event::FootnoteReference(_)
                    | Event::TaskListMarker(_) | Event::HardBreak => Some("strange".to_owned()),
                    Event::End(_) | Event::Text(_) | Event::SoftBreak => None,
                })
                .collect()
        };
        prop_assert_eq!(outline(&text), outline(&render::markdown(&harmless(&doc))));
        for event in Parser::new_ext(&text, Options::all()) {
            let strange = matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)));
            prop_assert!(!strange, "{event:?}");
        }
    }

    #[test]
    fn prometheus_text_has_one_line_a_series(doc in document()) {
        let text = render::prometheus(&doc);
        let mut seen = HashSet::new();
        for line in text.lines() {
            if line.starts_with("# HELP load_gate_") || line.starts_with("# TYPE load_gate_") {
                continue;
            }
            // Label values may hold spaces: the value is after the last one.
            let (series, value) = line.rsplit_once(' ').unwrap();
            prop_assert!(series.starts_with("load_gate_"), "{line}");
            prop_assert!(value == "+Inf" || value.parse::<f64>().unwrap().is_finite(), "{line}");
            prop_assert!(seen.insert(series.to_owned()), "twice: {line}");
            if let Some((_, labels)) = series.split_once('{') {
                let quotes = labels.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                prop_assert!(labels.ends_with("\"}") && quotes.is_multiple_of(2), "{line}");
            }
        }
    }

    #[test]
    fn nobody_takes_a_run_for_passed_that_was_not(doc in document()) {
        let passed = doc.judgement.verdict == Verdict::Pass;
        prop_assert_eq!(Brief::of(&doc).ok, passed);
        prop_assert_eq!(render::prometheus(&doc).contains("load_gate_verdict{verdict=\"pass\"} 1\n"), passed);
        prop_assert_eq!(render::termination(&doc).starts_with("PASS"), passed);
        prop_assert_eq!(render::table(&doc, false, 80).starts_with("PASS"), passed);
        prop_assert_eq!(render::markdown(&doc).starts_with("## ✅"), passed);
        if !passed {
            let xml = render::junit(&doc);
            prop_assert!(xml.contains("<failure") || xml.contains("<error"));
            if !doc.judgement.thresholds.is_empty() {
                let summary = render::k6_summary(&doc);
                let metrics = summary["metrics"].as_object().unwrap();
                let crossed = metrics.values().filter_map(|metric| metric.get("thresholds")?.as_object())
                    .any(|all| all.values().any(|crossed| *crossed == serde_json::Value::Bool(true)));
                prop_assert!(crossed, "{summary}");
                let kept_all = render::metrics(&doc).iter().filter(|family| family.name == "load_gate_threshold_ok")
                    .all(|family| family.series.iter().all(|series| series.value > 0.5));
                prop_assert!(!kept_all);
            }
        }
    }

    #[test]
    fn progress_fits_its_width(
        (elapsed_s, total_s, rate) in (any::<f64>(), any::<f64>(), 0.0..1e6_f64),
        (requests, failed) in (any::<u64>(), any::<u64>()),
        (p50_ms, p95_ms, p99_ms) in (any::<Option<f64>>(), any::<Option<f64>>(), any::<Option<f64>>()),
        verdict in proptest::option::of(verdict()),
        width in 20..200_usize,
    ) {
        let progress = Progress {
            elapsed_s, total_s, rate, requests, failed, p50_ms, p95_ms, p99_ms, verdict, ..Progress::default()
        };
        for colours in [false, true] {
            let shown = without_colour(&render::progress_line(&progress, colours, width));
            let lines: Vec<&str> = shown.lines().collect();
            prop_assert_eq!(lines.len(), 2);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width.max(40)), "{shown}");
        }
        prop_assert_eq!(render::plain_line(&progress).lines().count(), 1);
    }
}
