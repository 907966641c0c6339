//! The thresholds in the final table: what was asked, what was judged, and what k6 would have said.

use super::Sheet;
use super::ink::pad_right;
use crate::text;
use crate::view::{self, verdict_word};
use load_verdict::{ThresholdResult, Verdict};

pub(super) fn thresholds(sheet: &mut Sheet, run: Verdict, all: &[ThresholdResult]) {
    if all.is_empty() {
        return;
    }
    let remark = match run {
        Verdict::Invalid => "the measurement cannot be trusted: these decide nothing",
        _ => "",
    };
    sheet.heading("THRESHOLDS", remark);
    for result in all {
        threshold(sheet, result);
    }
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Inconclusive | Verdict::Invalid => "?",
    }
}

fn threshold(sheet: &mut Sheet, result: &ThresholdResult) {
    let asked = view::asked(result);
    let word = verdict_word(result.verdict);
    let room = sheet.width.saturating_sub(18);
    let name = text::printable(&format!("{}  {}", result.metric, result.expression)).into_owned();
    let name = pad_right(&text::fit(&name, room), room);
    let mark = sheet.ink.verdict(result.verdict, mark(result.verdict));
    let line = format!(
        "  {mark} {} {}",
        sheet.ink.bold(&name),
        sheet.ink.verdict(result.verdict, word)
    );
    sheet.line(&line);

    let interval = view::telling(result.interval.as_ref()).map_or_else(String::new, |interval| {
        let words = view::interval(interval, asked.unit);
        format!(" ({} interval {words})", view::confidence(interval))
    });
    let observed = view::observed(result, asked.unit);
    let judged = format!("judged {observed}{interval}, limit {}", view::limit(asked));
    sheet.paragraph("      ", &judged, ToOwned::to_owned);
    let ink = sheet.ink;
    if result.verdict != Verdict::Pass {
        sheet.paragraph("      ", &result.reason, ToOwned::to_owned);
    }
    let says = match result.plain_ok {
        Some(true) => " and would pass",
        Some(false) => " and would fail",
        None => "",
    };
    let k6 = match &result.differs {
        Some(why) => why.clone(),
        None => format!("k6 reads {}{says}", view::plain(result, asked.unit)),
    };
    sheet.paragraph("      ", &k6, |line| {
        if result.differs.is_some() {
            ink.yellow(line)
        } else {
            ink.dim(line)
        }
    });
}
