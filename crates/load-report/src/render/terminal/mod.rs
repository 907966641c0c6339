//! The final table for a terminal or a log: everything that a person needs, readable at 80 columns.

pub(in crate::render) mod ink;
mod thresholds;

use crate::document::ResultDoc;
use crate::text::{self, NONE};
use crate::view::{self, Unit, verdict_word};
use ink::{Ink, pad_left, pad_right};
use load_verdict::summary::Slice;

/// Where text is put.
struct Sheet {
    out: String,
    ink: Ink,
    width: usize,
}

impl Sheet {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, name: &str, remark: &str) {
        let remark = text::fit(remark, self.width.saturating_sub(text::columns(name) + 2));
        let line = format!("{}  {}", self.ink.bold(name), self.ink.dim(&remark));
        self.line("");
        self.line(&line);
    }

    /// Text broken into lines: the first after `first`, the others below its text.
    fn paragraph(&mut self, first: &str, text: &str, paint: impl Fn(&str) -> String) {
        let indent = text::columns(first);
        for (i, line) in text::wrap(&text::printable(text), self.width.saturating_sub(indent))
            .iter()
            .enumerate()
        {
            let head = if i == 0 { first.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{head}{}", paint(line)));
        }
    }
}

/// The run as text for people, with a line break at the end. `width` is that of the terminal, 80 in a log.
pub fn table(doc: &ResultDoc, colours: bool, width: usize) -> String {
    let mut sheet = Sheet {
        out: String::new(),
        ink: Ink::new(colours),
        width: width.clamp(60, 110),
    };
    head(&mut sheet, doc);
    thresholds::thresholds(&mut sheet, doc.judgement.verdict, &doc.judgement.thresholds);
    latency(&mut sheet, doc);
    over_time(&mut sheet, &doc.summary.slices);
    requests(&mut sheet, doc);
    checks(&mut sheet, doc);
    worst(&mut sheet, doc);
    generator(&mut sheet, doc);
    sheet.out
}

fn head(sheet: &mut Sheet, doc: &ResultDoc) {
    let verdict = doc.judgement.verdict;
    let word = verdict_word(verdict);
    let meaning = sheet.ink.dim(view::verdict_meaning(verdict));
    let badge = sheet.ink.badge(verdict, word);
    sheet.line(&format!("{badge}  {meaning}"));
    let ink = sheet.ink;
    sheet.paragraph("", &doc.subject, |line| ink.dim(line));
    for reason in &doc.judgement.reasons {
        sheet.paragraph("  · ", reason, ToOwned::to_owned);
    }
    if let Some(ending) = view::partial(doc) {
        sheet.paragraph("  · ", &ending, |line| ink.yellow(line));
    }
}

fn latency(sheet: &mut Sheet, doc: &ResultDoc) {
    let summary = &doc.summary;
    if summary.latency.is_empty() {
        return;
    }
    sheet.heading(
        "LATENCY in ms",
        "judged from due to done, failures infinite; plain from sent",
    );
    let head = format!(
        "  {}{}  {}{}",
        pad_right("", 8),
        pad_left("judged", 12),
        pad_right(&view::interval_head(doc), 26),
        pad_left("plain", 12)
    );
    sheet.line(&sheet.ink.dim(&head));
    for row in &summary.latency {
        let judged = view::judged_ms(row.judged_ms, summary.scheduled);
        let cell = pad_left(&judged, 12);
        let cell = if judged == "infinite" {
            sheet.ink.red(&cell)
        } else {
            sheet.ink.bold(&cell)
        };
        let interval = match summary.scheduled {
            0 => NONE.to_owned(),
            _ => view::interval(&row.interval, Unit::Milliseconds).replace(" ms", ""),
        };
        let plain = row.plain_ms.map_or_else(|| NONE.to_owned(), text::figure);
        sheet.line(&format!(
            "  {}{cell}  {}{}",
            pad_right(&view::quantile_name(row.percent), 8),
            pad_right(&interval, 26),
            pad_left(&plain, 12)
        ));
    }
}

/// The judged p95 as a line of blocks: where in the run it was bad.
fn over_time(sheet: &mut Sheet, slices: &[Slice]) {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let finite = |slice: &Slice| slice.p95_ms.filter(|x| x.is_finite() && *x >= 0.0);
    let highest = view::busy(slices).filter_map(finite).fold(0.0, f64::max);
    let busy = view::busy(slices).count();
    if busy < 2 {
        return;
    }
    let (Some(first), Some(last)) = (slices.first(), slices.last()) else {
        return;
    };
    // Several slices a block when there are more slices than columns; the worst of them counts.
    let each = slices.len().div_ceil(sheet.width.saturating_sub(4).max(1)).max(1);
    let mut line = String::new();
    for group in slices.chunks(each) {
        let infinite = view::busy(group).any(|slice| finite(slice).is_none());
        let failed = group.iter().any(|slice| slice.failed > 0);
        let worst = view::busy(group).filter_map(finite).fold(f64::NAN, f64::max);
        let block = if infinite {
            sheet.ink.red("×")
        } else if worst.is_nan() {
            " ".to_owned()
        } else {
            let level = if highest > 0.0 { worst / highest * 7.0 } else { 0.0 };
            // From 0 to 7.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let block = BLOCKS[(level.round() as usize).min(7)].to_string();
            if failed {
                sheet.ink.yellow(&block)
            } else {
                sheet.ink.cyan(&block)
            }
        };
        line.push_str(&block);
    }
    let remark = format!(
        "judged p95 from {} to {}, {}; ×: infinite",
        text::clock(first.start_s),
        text::clock(last.start_s + last.width_s),
        if highest > 0.0 {
            format!("highest {} ms", text::figure(highest))
        } else {
            "never finite".to_owned()
        }
    );
    sheet.heading("OVER TIME", &remark);
    sheet.line(&format!("  {line}"));
}

fn requests(sheet: &mut Sheet, doc: &ResultDoc) {
    let summary = &doc.summary;
    let rate = view::rate(doc).map_or_else(String::new, |rate| format!(", {}/s", text::figure(rate)));
    let remark = format!(
        "{} scheduled in {}{rate}",
        text::count(summary.scheduled),
        text::span(summary.seconds)
    );
    sheet.heading("REQUESTS", &remark);
    let failures = view::failures(doc);
    let ok = ("ok", summary.succeeded);
    for (name, n) in std::iter::once(&ok).chain(&failures) {
        let words = view::outcome_words(name).unwrap_or_default();
        let figures = format!(
            "{}{}",
            pad_left(&text::count(*n), 12),
            pad_left(&text::share(*n, summary.scheduled), 10)
        );
        let figures = if *name == "ok" {
            figures
        } else {
            sheet.ink.red(&figures)
        };
        let name = text::fit(&text::printable(name), 14);
        let words = text::fit(words, sheet.width.saturating_sub(42));
        sheet.line(&format!(
            "  {}{figures}  {}",
            pad_right(&name, 15),
            sheet.ink.dim(&words)
        ));
    }
}

fn checks(sheet: &mut Sheet, doc: &ResultDoc) {
    if doc.summary.checks.is_empty() {
        return;
    }
    sheet.heading("CHECKS", "");
    let room = sheet.width.saturating_sub(38);
    for check in &doc.summary.checks {
        let all = check.passes.saturating_add(check.fails);
        let figures = format!(
            "{} passed, {} failed",
            text::share(check.passes, all),
            text::count(check.fails)
        );
        let (mark, figures) = if check.fails == 0 && all > 0 {
            (sheet.ink.verdict(load_verdict::Verdict::Pass, "✓"), figures)
        } else {
            (sheet.ink.red("✗"), sheet.ink.red(&figures))
        };
        let name = pad_right(&text::fit(&text::printable(&check.name), room), room);
        sheet.line(&format!("  {mark} {name} {figures}"));
    }
}

fn worst(sheet: &mut Sheet, doc: &ResultDoc) {
    let Some(worst) = &doc.summary.worst_window else {
        return;
    };
    let remark = format!(
        "{} to {}: p95 {}, {} of {} failed; mean of a request:",
        text::clock(worst.start_s),
        text::clock(worst.start_s + worst.width_s),
        view::judged_words(worst.p95_ms, worst.scheduled),
        text::count(worst.failed),
        text::count(worst.scheduled)
    );
    sheet.heading(&format!("WORST {}", text::span(worst.width_s)), &remark);
    let phases = view::phases(&worst.phases);
    let all: f64 = phases
        .iter()
        .map(|phase| phase.3)
        .filter(|ms| ms.is_finite() && *ms > 0.0)
        .sum();
    for (_, name, meaning, ms) in phases {
        if ms.is_nan() || ms <= 0.0 {
            continue;
        }
        let part = if all > 0.0 && ms.is_finite() {
            (ms / all).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let bar = sheet.ink.cyan(&pad_right(&bar(part), BAR));
        sheet.line(&format!(
            "  {} {bar} {}{}  {}",
            pad_right(name, 8),
            pad_left(&format!("{} ms", text::figure(ms)), 11),
            pad_left(&format!("{:.0} %", part * 100.0), 6),
            sheet.ink.dim(meaning)
        ));
    }
}

/// Columns of a bar.
const BAR: usize = 20;

/// A bar in eighths of a column; never nothing.
fn bar(part: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    // From 0 to 8 times the width.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let eighths = ((part * (BAR * 8) as f64).round() as usize).clamp(1, BAR * 8);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn generator(sheet: &mut Sheet, doc: &ResultDoc) {
    let v = &doc.judgement.validity;
    sheet.heading(
        "GENERATOR",
        if v.problems.is_empty() {
            ""
        } else {
            "this measurement cannot be trusted"
        },
    );
    let lag = format!(
        "send lag p50 {} ms, p99 {} ms (limit {} ms); {} of {} in time",
        text::figure(v.lag_p50_ms),
        text::figure(v.lag_p99_ms),
        text::figure(v.lag_limit_ms),
        text::count(v.sent),
        text::count(v.scheduled)
    );
    sheet.paragraph("  ", &lag, ToOwned::to_owned);
    let known = [
        ("waited for a processor", v.cpu_wait),
        ("throttled", v.throttled),
        ("busiest thread", v.busiest_thread),
    ];
    let known: Vec<String> = known
        .iter()
        .filter_map(|(name, x)| Some(format!("{name} {}", text::percent((*x)?))))
        .collect();
    if !known.is_empty() {
        sheet.paragraph("  ", &known.join(", "), ToOwned::to_owned);
    }
    let ink = sheet.ink;
    for problem in &v.problems {
        sheet.paragraph("  ! ", problem, |line| ink.red(line));
    }
}
