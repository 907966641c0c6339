//! Drawings, as SVG within the page: no script, no image file, colours from the page's style sheet.
//!
//! Each has a title and a description for those who cannot see it, and the figures stand in a table next to it.

pub(super) mod curve;
pub(super) mod interval;
pub(super) mod phases;
pub(super) mod scale;
pub(super) mod time;

use crate::text;
use crate::view::{self, Asked};
use load_verdict::ThresholdResult;
use std::fmt::Write as _;

/// Limits that a drawing shows; more would only cover each other.
const LIMITS: usize = 4;

/// Limits on the latency of all requests: label, what is asked, and the result.
pub(super) fn limits(thresholds: &[ThresholdResult]) -> Vec<(String, f64, Asked, &ThresholdResult)> {
    let mut limits: Vec<(String, f64, Asked, &ThresholdResult)> = Vec::new();
    for result in thresholds {
        let asked = view::asked(result);
        let Some(limit) = asked.limit.filter(|limit| asked.all_latency && *limit > 0.0) else {
            continue;
        };
        if limits.len() < LIMITS {
            limits.push((text::shorten(&result.expression, 24), limit, asked, result));
        }
    }
    limits
}

/// A place in a drawing, from the upper left corner.
type Point = (f64, f64);

/// A place in a drawing: a tenth of a pixel is enough.
pub(super) fn place(x: f64) -> String {
    let text = format!("{x:.1}");
    text.strip_suffix(".0").map(ToOwned::to_owned).unwrap_or(text)
}

/// Path data through points; `None` is a gap.
pub(super) fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut data = String::new();
    let mut pen_down = false;
    for point in points {
        match point {
            Some((x, y)) => {
                let command = if pen_down { 'L' } else { 'M' };
                // Writing to a string cannot fail.
                let _ = write!(data, "{command}{} {}", place(x), place(y));
                pen_down = true;
            }
            None => pen_down = false,
        }
    }
    data
}

/// Points that no line touches, because both neighbours are missing.
pub(super) fn lonely(points: &[Option<(f64, f64)>]) -> impl Iterator<Item = (f64, f64)> + '_ {
    points.iter().enumerate().filter_map(|(i, point)| {
        let missing = |i: Option<usize>| i.and_then(|i| points.get(i)).is_none_or(Option::is_none);
        point.filter(|_| missing(i.checked_sub(1)) && missing(i.checked_add(1)))
    })
}
