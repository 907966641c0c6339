//! Where the time of a request went, as one bar.

use super::place;
use crate::text;
use crate::view;
use load_verdict::summary::Phases;
use maud::{Markup, html};

const WIDTH: f64 = 1000.0;

/// The bar; `None` when no time was spent.
pub(in crate::render::html) fn draw(phases: &Phases) -> Option<Markup> {
    let parts = view::phases(phases)
        .map(|(class, name, _, ms)| (class, name, if ms.is_finite() { ms.clamp(0.0, 1e15) } else { 0.0 }));
    let all: f64 = parts.iter().map(|part| part.2).sum();
    if all <= 0.0 {
        return None;
    }
    let mut from = 0.0;
    let drawn = parts.map(|(class, name, ms)| {
        let width = ms / all * WIDTH;
        let part = (class, name, ms, from, width);
        from += width;
        part
    });
    Some(html! {
        svg.phases viewBox=(format!("0 0 {WIDTH} 40")) preserveAspectRatio="none" role="img"
            aria-label="Share of each phase in the mean time of a request; the figures are in the table below" {
            @for (class, name, ms, x, width) in drawn {
                @if width >= 0.05 {
                    rect class=(format!("phase {class}")) x=(place(x)) width=(place(width)) y="0" height="40" {
                        title { (name) ": " (text::figure(ms)) " ms, " (text::percent(ms / all)) }
                    }
                }
            }
        }
    })
}
