//! JUnit XML: one test case a threshold, named as k6's users know it, and one for the verdict of the whole run.
//!
//! FAIL is a `failure`. INCONCLUSIVE and INVALID are an `error` (the test could not be carried out), never `skipped`,
//! which CI systems count as good.

use crate::document::ResultDoc;
use crate::text;
use crate::view::{self, verdict_word};
use load_verdict::Verdict;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

/// The run as JUnit XML.
pub fn junit(doc: &ResultDoc) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // A vector takes everything: writing cannot fail.
    let _ = write(&mut writer, doc);
    let mut xml = String::from_utf8(writer.into_inner()).unwrap_or_default();
    xml.push('\n');
    xml
}

/// One test case.
struct Case {
    name: String,
    verdict: Verdict,
    message: String,
    details: String,
}

fn write(writer: &mut Writer<Vec<u8>>, doc: &ResultDoc) -> io::Result<()> {
    let cases = cases(doc);
    let count = |verdicts: &[Verdict]| {
        cases
            .iter()
            .filter(|case| verdicts.contains(&case.verdict))
            .count()
            .to_string()
    };
    let tests = cases.len().to_string();
    let failures = count(&[Verdict::Fail]);
    let errors = count(&[Verdict::Inconclusive, Verdict::Invalid]);
    let time = format!("{:.3}", doc.elapsed_s());
    let started = view::started(doc);

    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", "load-gate"),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
            ("time", time.as_str()),
        ])
        .write_inner_content(|writer| {
            let subject = text::printable(&doc.subject);
            writer
                .create_element("testsuite")
                .with_attributes([
                    ("name", subject.as_ref()),
                    ("tests", tests.as_str()),
                    ("failures", failures.as_str()),
                    ("errors", errors.as_str()),
                    ("skipped", "0"),
                    ("time", time.as_str()),
                    ("timestamp", started.as_str()),
                ])
                .write_inner_content(|writer| cases.iter().try_for_each(|case| write_case(writer, case)))?;
            Ok(())
        })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, case: &Case) -> io::Result<()> {
    let name = text::printable(&case.name);
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", "load-gate"), ("name", name.as_ref())]);
    let tag = match case.verdict {
        Verdict::Pass => {
            element.write_empty()?;
            return Ok(());
        }
        Verdict::Fail => "failure",
        Verdict::Inconclusive | Verdict::Invalid => "error",
    };
    let message = text::printable(&case.message);
    // Line by line: the line breaks between are ours.
    let details: Vec<_> = case.details.lines().map(text::printable).collect();
    element.write_inner_content(|writer| {
        writer
            .create_element(tag)
            .with_attributes([("type", verdict_word(case.verdict)), ("message", message.as_ref())])
            .write_text_content(BytesText::new(&details.join("\n")))?;
        Ok(())
    })?;
    Ok(())
}

fn cases(doc: &ResultDoc) -> Vec<Case> {
    let mut cases = vec![Case {
        name: "verdict".to_owned(),
        verdict: doc.judgement.verdict,
        message: doc.judgement.reasons.first().cloned().unwrap_or_default(),
        details: doc.judgement.reasons.join("\n"),
    }];
    for result in &doc.judgement.thresholds {
        let asked = view::asked(result);
        let mut details = vec![
            result.reason.clone(),
            format!("judged: {}", view::observed(result, asked.unit)),
            format!("limit: {}", view::limit(asked)),
        ];
        if let Some(interval) = view::telling(result.interval.as_ref()) {
            let words = view::interval(interval, asked.unit);
            details.insert(2, format!("{} interval: {words}", view::confidence(interval)));
        }
        details.push(format!("k6 would have read: {}", view::plain(result, asked.unit)));
        details.extend(result.differs.clone());
        cases.push(Case {
            name: format!("{} + {}", result.metric, result.expression),
            verdict: result.verdict,
            message: result.reason.clone(),
            details: details.join("\n"),
        });
    }
    cases
}
