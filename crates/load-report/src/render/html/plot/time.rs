//! Latency over time: median, p95 and p99 of each slice, the limits, who never got an answer, and the worst window.

use super::scale::Scale;
use super::{Point, limits, lonely, path, place};
use crate::document::ResultDoc;
use crate::text;
use crate::view;
use load_verdict::summary::{Slice, WorstWindow};
use maud::{Markup, html};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 372.0;
/// Left, right, upper and lower edge of the plot, and of the strip of failures below it.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 942.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 280.0;
const STRIP_TOP: f64 = 296.0;
const STRIP_BOTTOM: f64 = 330.0;
/// Where "infinite" is drawn: above every figure.
const NEVER: f64 = 24.0;

/// A line of the drawing.
struct Line {
    class: &'static str,
    name: &'static str,
    of: fn(&Slice) -> Option<f64>,
}

const LINES: [Line; 3] = [
    Line {
        class: "p99",
        name: "p99",
        of: |slice| slice.p99_ms,
    },
    Line {
        class: "p50",
        name: "p50",
        of: |slice| slice.p50_ms,
    },
    Line {
        class: "judged",
        name: "p95",
        of: |slice| slice.p95_ms,
    },
];

/// The drawing; `None` without slices.
pub(in crate::render::html) fn draw(doc: &ResultDoc) -> Option<Markup> {
    let slices: Vec<&Slice> = view::busy(&doc.summary.slices).collect();
    let (first, last) = (doc.summary.slices.first()?, doc.summary.slices.last()?);
    if slices.is_empty() {
        return None;
    }
    let limits = limits(&doc.judgement.thresholds);
    let finite = slices.iter().flat_map(|s| [s.p50_ms, s.p95_ms, s.p99_ms]).flatten();
    let y = Scale::latency(finite.chain(limits.iter().map(|limit| limit.1)), BOTTOM, TOP);
    let x = Scale::exact(first.start_s, last.start_s + last.width_s, LEFT, RIGHT);
    let middle = |slice: &Slice| x.at(slice.start_s + slice.width_s / 2.0);
    let points = |line: &Line| -> Vec<Option<(f64, f64)>> {
        // Slices without requests are gaps, as are infinite ones, which the band above shows.
        doc.summary
            .slices
            .iter()
            .map(|s| {
                let ms = (line.of)(s).filter(|ms| ms.is_finite() && s.scheduled > 0)?;
                Some((middle(s), y.at(ms)))
            })
            .collect()
    };
    let any_infinite = slices.iter().any(|s| s.p99_ms.is_none());
    let any_failed = slices.iter().any(|s| s.failed > 0);
    Some(html! {
        svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby="time-title time-desc" {
            title id="time-title" { "Latency over time" }
            desc id="time-desc" { (describe(doc, &slices)) }
            @if let Some(worst) = marked(doc) {
                (band(x, worst.start_s, worst.width_s))
            }
            (grid(x, y))
            (failures(x, &slices, any_failed))
            @if any_infinite {
                text.axis x=(place(LEFT - 8.0)) y=(place(NEVER + 4.0)) text-anchor="end" { "∞" }
                line.grid x1=(LEFT) x2=(RIGHT) y1=(NEVER) y2=(NEVER) {}
                @for slice in &slices { (never(x, slice)) }
            }
            @for (label, limit, _, _) in &limits {
                line.limit x1=(LEFT) x2=(RIGHT) y1=(place(y.at(*limit))) y2=(place(y.at(*limit))) {}
                text.limit-label x=(place(LEFT + 8.0)) y=(place(y.at(*limit) - 6.0)) { (label) }
            }
            path.area d=(area(&points(&LINES[1]), &points(&LINES[2]))) {}
            @for line in &LINES {
                @let points = points(line);
                path class=(format!("line {}", line.class)) d=(path(points.iter().copied())) {}
                @for (cx, cy) in lonely(&points) {
                    circle class=(format!("dot {}", line.class)) cx=(place(cx)) cy=(place(cy)) r="3" {}
                }
            }
            (labels(&LINES.each_ref().map(|line| (line, points(line).last().copied().flatten()))))
            @for slice in &slices { (hover(x, slice)) }
        }
    })
}

/// The worst window, where it is only part of the drawing: of a short run it would be nearly all.
pub(in crate::render::html) fn marked(doc: &ResultDoc) -> Option<&WorstWindow> {
    let whole = doc.summary.slices.iter().map(|s| s.width_s).sum::<f64>();
    doc.summary
        .worst_window
        .as_ref()
        .filter(|worst| worst.width_s < whole / 2.0)
}

/// What the drawing shows, in words.
fn describe(doc: &ResultDoc, slices: &[&Slice]) -> String {
    let highest = slices
        .iter()
        .filter_map(|s| s.p95_ms)
        .filter(|ms| ms.is_finite())
        .fold(0.0, f64::max);
    let infinite = slices.iter().filter(|s| s.p95_ms.is_none()).count();
    let failed = slices.iter().filter(|s| s.failed > 0).count();
    let worst = doc.summary.worst_window.as_ref().map_or_else(String::new, |worst| {
        format!(
            " The worst {} began at {}.",
            text::span(worst.width_s),
            text::clock(worst.start_s)
        )
    });
    format!(
        "Median, 95th and 99th percentile of the judged latency in {} slices. The highest finite p95 is {} ms; in {infinite} slices it is infinite. Requests failed in {failed} slices.{worst}",
        slices.len(),
        text::figure(highest),
    )
}

fn band(x: Scale, start: f64, width: f64) -> Markup {
    let (from, to) = (x.at(start), x.at(start + width));
    let name = format!("worst {}", text::span(width));
    // Beside the band where there is room.
    let (at, anchor) = if to > RIGHT - 90.0 {
        (from - 6.0, "end")
    } else {
        (to + 6.0, "start")
    };
    html! {
        rect.worst x=(place(from)) y="0" width=(place((to - from).max(1.0))) height=(place(STRIP_BOTTOM)) {}
        text.note x=(place(at)) y="11" text-anchor=(anchor) { (name) }
    }
}

fn grid(x: Scale, y: Scale) -> Markup {
    let times = x.time_ticks();
    let fine = times.iter().any(|t| t.fract() != 0.0);
    html! {
        @for tick in y.ticks() {
            line.grid x1=(LEFT) x2=(RIGHT) y1=(place(y.at(tick))) y2=(place(y.at(tick))) {}
            text.axis x=(place(LEFT - 8.0)) y=(place(y.at(tick) + 4.0)) text-anchor="end" { (axis(tick)) }
        }
        text.axis x=(place(LEFT - 8.0)) y="10" text-anchor="end" { @if y.is_log() { "ms, log" } @else { "ms" } }
        @for tick in times {
            line.tick x1=(place(x.at(tick))) x2=(place(x.at(tick))) y1=(STRIP_BOTTOM) y2=(STRIP_BOTTOM + 5.0) {}
            text.axis x=(place(x.at(tick))) y=(place(STRIP_BOTTOM + 20.0)) text-anchor="middle" {
                @if fine { (format!("{tick:.1} s")) } @else { (text::clock(tick)) }
            }
        }
        line.base x1=(LEFT) x2=(RIGHT) y1=(STRIP_BOTTOM) y2=(STRIP_BOTTOM) {}
    }
}

/// A tick's figure, without digits that are not needed.
pub(in crate::render::html) fn axis(x: f64) -> String {
    if x.abs() >= 1e12 || (x != 0.0 && x.abs() < 1e-4) {
        return format!("{x:e}");
    }
    let rounded = (x * 1e4).round() / 1e4;
    if rounded.fract() == 0.0 {
        text::figure(rounded).replace(".00", "").replace(".0", "")
    } else {
        rounded.to_string()
    }
}

/// The strip below: in each slice, the share of requests that got no right answer.
fn failures(x: Scale, slices: &[&Slice], any: bool) -> Markup {
    let share = |s: &Slice| {
        if s.scheduled > 0 {
            (s.failed as f64 / s.scheduled as f64).min(1.0)
        } else {
            0.0
        }
    };
    let most = slices.iter().map(|s| share(s)).fold(0.0, f64::max);
    html! {
        text.axis x=(place(LEFT - 8.0)) y=(place(STRIP_BOTTOM - 8.0)) text-anchor="end" { "failed" }
        @if any {
            text.axis x=(place(RIGHT + 8.0)) y=(place(STRIP_TOP + 6.0)) { (text::percent(most)) }
            @for slice in slices.iter().filter(|s| s.failed > 0) {
                @let height = (share(slice) / most * (STRIP_BOTTOM - STRIP_TOP)).max(3.0);
                @let (from, to) = (x.at(slice.start_s), x.at(slice.start_s + slice.width_s));
                rect.failed x=(place(from + 0.5)) width=(place((to - from - 1.0).max(1.0)))
                    y=(place(STRIP_BOTTOM - height)) height=(place(height)) {}
            }
        } @else {
            text.note x=(place(LEFT + 8.0)) y=(place(STRIP_BOTTOM - 8.0)) { "none" }
        }
    }
}

/// The band of the infinite: the more of a slice's quantiles are infinite, the fuller.
fn never(x: Scale, slice: &Slice) -> Markup {
    let (from, to) = (x.at(slice.start_s), x.at(slice.start_s + slice.width_s));
    let level = [slice.p99_ms, slice.p95_ms, slice.p50_ms]
        .iter()
        .filter(|ms| ms.is_none())
        .count();
    html! {
        @if level > 0 {
            rect class=(format!("never n{level}")) x=(place(from + 0.5)) width=(place((to - from - 1.0).max(1.5)))
                y=(place(NEVER - 5.0)) height="10" rx="1.5" {}
        }
    }
}

/// The area between median and p95; `None` of either is a gap, so each stretch is closed by itself.
fn area(lower: &[Option<(f64, f64)>], upper: &[Option<(f64, f64)>]) -> String {
    let mut data = String::new();
    let mut stretch: Vec<(Point, Point)> = Vec::new();
    let mut close = |stretch: &mut Vec<(Point, Point)>| {
        if stretch.len() > 1 {
            let there = stretch.iter().map(|(_, up)| Some(*up));
            let back = stretch.iter().rev().map(|(low, _)| Some(*low));
            data.push_str(&path(there.chain(back)));
            data.push('Z');
        }
        stretch.clear();
    };
    for pair in lower.iter().zip(upper) {
        match pair {
            (Some(low), Some(up)) => stretch.push((*low, *up)),
            _ => close(&mut stretch),
        }
    }
    close(&mut stretch);
    data
}

/// The names of the lines at their right ends, moved apart where they would cover each other.
fn labels(ends: &[(&Line, Option<(f64, f64)>)]) -> Markup {
    let mut placed: Vec<(&Line, f64)> = ends.iter().filter_map(|(line, end)| Some((*line, (*end)?.1))).collect();
    placed.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut below = f64::INFINITY;
    for (_, y) in &mut placed {
        *y = y.min(below - 14.0);
        below = *y;
    }
    html! {
        @for (line, y) in placed {
            text class=(format!("name {}", line.class)) x=(place(RIGHT + 8.0)) y=(place(y + 4.0)) { (line.name) }
        }
    }
}

/// The figures of a slice, where the pointer rests on it.
fn hover(x: Scale, slice: &Slice) -> Markup {
    let (from, to) = (x.at(slice.start_s), x.at(slice.start_s + slice.width_s));
    let ms = |x| view::judged_words(x, slice.scheduled);
    html! {
        rect.hover x=(place(from)) width=(place((to - from).max(1.0))) y="8" height=(place(STRIP_BOTTOM - 8.0)) {
            title {
                (text::clock(slice.start_s)) " to " (text::clock(slice.start_s + slice.width_s)) ": "
                (text::count(slice.scheduled)) " due, " (text::count(slice.failed)) " failed, p50 " (ms(slice.p50_ms))
                ", p95 " (ms(slice.p95_ms)) ", p99 " (ms(slice.p99_ms))
            }
        }
    }
}
