//! A threshold as a picture: the judged figure with its interval, on which side of the limit it lies, and k6's figure.

use super::place;
use super::scale::Scale;
use crate::view::{self, Asked, Unit};
use load_verdict::{ThresholdResult, Verdict};
use maud::{Markup, html};

const WIDTH: f64 = 300.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = 272.0;
/// Where "infinite" is drawn.
const NEVER: f64 = 290.0;
const MIDDLE: f64 = 17.0;

/// The drawing; `None` when there is no limit or nothing to compare with it.
pub(in crate::render::html) fn draw(result: &ThresholdResult, asked: Asked) -> Option<Markup> {
    let limit = asked.limit?;
    let (low, high) = result
        .interval
        .as_ref()
        .map_or((None, None), |interval| (interval.low, interval.high));
    let figures = [Some(limit), low, high, result.observed, result.plain];
    let finite = figures.into_iter().flatten();
    let x = match asked.unit {
        // With some room on both sides of the limit, so that both can be seen.
        Unit::Milliseconds if limit > 0.0 => Scale::latency(finite.chain([limit * 0.6, limit * 1.2]), LEFT, RIGHT),
        _ => Scale::close_up(finite, LEFT, RIGHT),
    };
    let place_of = |value: Option<f64>| value.filter(|x| x.is_finite()).map(|value| x.at(value));
    let judged = place_of(result.observed).or(result.infinite.then_some(NEVER))?;
    // An interval without an upper end goes on to infinity; one without any end says nothing.
    let bar = result.interval.as_ref().and_then(|_| {
        let (from, to) = (place_of(low), place_of(high));
        (from.is_some() || to.is_some()).then(|| (from.unwrap_or(LEFT), to.unwrap_or(NEVER - 12.0)))
    });
    let wall = x.at(limit);
    let (good_from, good_to) = if asked.below { (0.0, wall) } else { (wall, WIDTH) };
    let class = match result.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Invalid => "invalid",
    };
    Some(html! {
        svg.whisker viewBox=(format!("0 0 {WIDTH} 34")) role="img"
            aria-label=(format!("judged {}, limit {}", view::observed(result, asked.unit), view::limit(asked))) {
            rect.room x="0" width=(WIDTH) y="5" height="24" rx="5" {}
            rect.good x=(place(good_from)) width=(place((good_to - good_from).max(0.0))) y="5" height="24" rx="5" {}
            @if let Some((from, to)) = bar {
                rect class=(format!("bar {class}")) x=(place(from.min(to))) width=(place((to - from).abs().max(2.0))) y=(place(MIDDLE - 4.0)) height="8" rx="4" {}
            }
            line.wall x1=(place(wall)) x2=(place(wall)) y1="1" y2="33" {}
            @if let Some(plain) = place_of(result.plain) {
                path.k6 d=(format!("M{} {}l5 5l-5 5l-5-5z", place(plain), place(MIDDLE - 5.0))) {}
            }
            @if result.infinite {
                text class=(format!("endless {class}")) x=(place(NEVER)) y=(place(MIDDLE + 6.0)) text-anchor="middle" { "∞" }
            } @else {
                circle class=(format!("point {class}")) cx=(place(judged)) cy=(place(MIDDLE)) r="5.5" {}
            }
        }
    })
}
