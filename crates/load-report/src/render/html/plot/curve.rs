//! The latency distribution: judged beside plain, on an axis on which every nine of the quantile has the same room.

use super::scale::Scale;
use super::time::axis;
use super::{limits, lonely, path, place};
use crate::document::ResultDoc;
use crate::view;
use load_verdict::summary::CurvePoint;
use maud::{Markup, html};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 372.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 942.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 330.0;
/// Where "infinite" is drawn: above every figure.
const NEVER: f64 = 24.0;
/// Where the maximum is drawn after the last quantile below 100, as a part of all nines before: room for its name.
const AFTER: f64 = 0.075;

/// The place of a quantile, in nines: 90 is 1, 99 is 2.
fn nines(percent: f64, last: f64) -> f64 {
    if percent >= 100.0 {
        return last * (1.0 + AFTER);
    }
    let nines = -(1.0 - percent.max(0.0) / 100.0).log10();
    if nines.is_nan() { 0.0 } else { nines.min(last) }
}

/// The drawing; `None` without a curve.
pub(in crate::render::html) fn draw(doc: &ResultDoc) -> Option<Markup> {
    let mut curve: Vec<CurvePoint> = doc.summary.curve.clone();
    curve.retain(|point| (0.0..=100.0).contains(&point.percent));
    curve.sort_by(|a, b| a.percent.total_cmp(&b.percent));
    if curve.len() < 2 {
        return None;
    }
    let limits = limits(&doc.judgement.thresholds);
    let asked = limits
        .iter()
        .filter_map(|limit| limit.2.percentile)
        .filter(|percent| *percent < 100.0);
    // As many nines as there are requests for, but p99 and what was asked for always.
    let known = (doc.summary.scheduled.max(1) as f64).log10();
    let below = curve.iter().filter(|point| point.percent < 100.0);
    let inner = below.map(|point| nines(point.percent, 6.0)).fold(0.0, f64::max);
    let last = asked
        .map(|percent| nines(percent, 6.0))
        .fold(known.min(inner).clamp(2.0, 6.0), f64::max);
    curve.retain(|point| point.percent >= 100.0 || nines(point.percent, 9.0) <= last);
    let x = Scale::exact(0.0, last * (1.0 + AFTER), LEFT, RIGHT);
    let at = |percent: f64| x.at(nines(percent, last));
    let finite = curve
        .iter()
        .flat_map(|point| [point.judged_ms, point.plain_ms])
        .flatten();
    let y = Scale::latency(finite.chain(limits.iter().map(|limit| limit.1)), BOTTOM, TOP);
    let points = |of: fn(&CurvePoint) -> Option<f64>| -> Vec<Option<(f64, f64)>> {
        curve
            .iter()
            .map(|point| Some((at(point.percent), y.at(of(point).filter(|ms| ms.is_finite())?))))
            .collect()
    };
    let judged = points(|point| point.judged_ms);
    let plain = points(|point| point.plain_ms);
    let never = curve
        .iter()
        .find(|point| point.judged_ms.is_none())
        .map(|point| point.percent);
    let before = judged.iter().rev().copied().flatten().next();
    Some(html! {
        svg.plot viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby="curve-title curve-desc" {
            title id="curve-title" { "Latency by percentile" }
            desc id="curve-desc" { (describe(doc, never)) }
            (grid(x, y, last))
            @for (label, limit, asked, result) in &limits {
                @let level = place(y.at(*limit));
                @if let Some(percentile) = asked.percentile {
                    @let foot = place(at(percentile));
                    path.limit d=(format!("M{LEFT} {level}H{foot}V{BOTTOM}")) {}
                    circle.limit-dot cx=(foot) cy=(level) r="4.5" {}
                    @if let Some(judged) = result.observed {
                        circle.at-limit cx=(foot) cy=(place(y.at(judged))) r="4.5" {}
                    }
                } @else {
                    line.limit x1=(LEFT) x2=(RIGHT) y1=(level) y2=(level) {}
                }
                text.limit-label x=(place(LEFT + 8.0)) y=(place(y.at(*limit) - 6.0)) { (label) }
            }
            path.line.plain d=(path(plain.iter().copied())) {}
            @for (cx, cy) in lonely(&plain) { circle.dot.plain cx=(place(cx)) cy=(place(cy)) r="3" {} }
            path.line.judged d=(path(judged.iter().copied())) {}
            @for (cx, cy) in lonely(&judged) { circle.dot.judged cx=(place(cx)) cy=(place(cy)) r="3" {} }
            @if let Some(percent) = never {
                (infinity(at(percent), before, percent))
            }
            @for point in &curve { (hover(point, at(point.percent))) }
        }
    })
}

/// What the drawing shows, in words.
fn describe(doc: &ResultDoc, never: Option<f64>) -> String {
    let mut words = vec!["Latency at each percentile, judged and plain.".to_owned()];
    for percent in [50.0, 95.0, 99.0] {
        if let Some(row) = view::quantile(doc, percent) {
            words.push(format!(
                "{}: judged {}, plain {}.",
                view::quantile_name(percent),
                view::judged_words(row.judged_ms, doc.summary.scheduled),
                view::plain_words(row.plain_ms)
            ));
        }
    }
    if let Some(percent) = never {
        let name = view::quantile_name(rounded(percent));
        words.push(format!("From {name} on the judged latency is infinite."));
    }
    words.join(" ")
}

fn grid(x: Scale, y: Scale, last: f64) -> Markup {
    const NAMED: [f64; 9] = [0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];
    let named = NAMED
        .iter()
        .copied()
        .filter(|percent| nines(*percent, 9.0) <= last + 1e-9);
    html! {
        @for tick in y.ticks() {
            line.grid x1=(LEFT) x2=(RIGHT) y1=(place(y.at(tick))) y2=(place(y.at(tick))) {}
            text.axis x=(place(LEFT - 8.0)) y=(place(y.at(tick) + 4.0)) text-anchor="end" { (axis(tick)) }
        }
        @for percent in named {
            @let at = place(x.at(nines(percent, last)));
            line.grid x1=(at) x2=(at) y1=(TOP) y2=(BOTTOM) {}
            text.axis x=(at) y=(place(BOTTOM + 20.0)) text-anchor="middle" { (view::quantile_name(percent)) }
        }
        text.axis x=(place(x.at(last * (1.0 + AFTER)))) y=(place(BOTTOM + 20.0)) text-anchor="middle" { "max" }
        text.axis x=(place(LEFT - 8.0)) y="10" text-anchor="end" { @if y.is_log() { "ms, log" } @else { "ms" } }
        line.base x1=(LEFT) x2=(RIGHT) y1=(BOTTOM) y2=(BOTTOM) {}
    }
}

/// Where the judged line leaves the finite: up, and along the top to the end.
fn infinity(at: f64, before: Option<(f64, f64)>, percent: f64) -> Markup {
    let from = before.map_or(BOTTOM, |(_, y)| y);
    let label = format!("no right answer from {} on", view::quantile_name(rounded(percent)));
    // Before the line where there is room for the words.
    let (x, anchor) = if at > 260.0 {
        (at - 8.0, "end")
    } else {
        (at + 8.0, "start")
    };
    html! {
        @if let Some((x0, y0)) = before {
            path.leap d=(format!("M{} {}L{} {}V{NEVER}", place(x0), place(y0), place(at), place(from))) {}
        }
        line.never-line x1=(place(at)) x2=(RIGHT) y1=(NEVER) y2=(NEVER) {}
        text.axis x=(place(LEFT - 8.0)) y=(place(NEVER + 4.0)) text-anchor="end" { "∞" }
        text.note.bad x=(place(x)) y=(place(if anchor == "end" { NEVER + 4.0 } else { NEVER - 8.0 })) text-anchor=(anchor) { (label) }
    }
}

fn rounded(percent: f64) -> f64 {
    (percent * 1000.0).round() / 1000.0
}

/// The figures of a point, where the pointer rests on it.
fn hover(point: &CurvePoint, at: f64) -> Markup {
    html! {
        rect.hover x=(place(at - 4.0)) width="8" y="8" height=(place(BOTTOM - 8.0)) {
            title {
                (view::quantile_name(rounded(point.percent))) ": judged " (view::judged_words(point.judged_ms, 1))
                ", plain " (view::plain_words(point.plain_ms))
            }
        }
    }
}
