//! Owns the picture of what happened when: one bar for each stage, all on one scale. Pure.

use std::time::Duration;

use runtime::style::Palette;

use crate::text::{columns, duration};

const BAR: usize = 46;

/// One stage.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    label: &'static str,
    from: Duration,
    took: Duration,
    waiting: bool,
}

/// Stages, one after the other, from zero.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    spans: Vec<Span>,
    end: Duration,
}

impl Timeline {
    /// Adds a stage in which nothing is done but waiting.
    pub(crate) fn wait(self, label: &'static str, took: Duration) -> Self {
        self.add(label, took, true)
    }

    /// Adds a stage in which something is done.
    pub(crate) fn work(self, label: &'static str, took: Duration) -> Self {
        self.add(label, took, false)
    }

    fn add(mut self, label: &'static str, took: Duration, waiting: bool) -> Self {
        self.spans.push(Span {
            label,
            from: self.end,
            took,
            waiting,
        });
        self.end += took;
        self
    }

    /// The lines of the picture.
    pub(crate) fn draw(&self, palette: Palette) -> Vec<String> {
        let widest = self.spans.iter().map(|span| columns(span.label)).max().unwrap_or(0);
        self.spans
            .iter()
            .map(|span| {
                let start = self.column(span.from).min(BAR - 1);
                let length = self.column(span.from + span.took).saturating_sub(start).max(1);
                let fill = if span.waiting { "░" } else { "█" }.repeat(length);
                let before = " ".repeat(start);
                let after = " ".repeat(BAR - start - length);
                let bar = if span.waiting {
                    palette.dim(fill)
                } else {
                    palette.green(fill)
                };
                format!(
                    "{:<widest$}  {before}{bar}{after} {:>8}",
                    palette.dim(span.label),
                    duration(span.took)
                )
            })
            .collect()
    }

    /// The column at which a time lies.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of columns"
    )]
    fn column(&self, time: Duration) -> usize {
        if self.end.is_zero() {
            return 0;
        }
        let share = time.as_secs_f64() / self.end.as_secs_f64();
        ((share * BAR as f64).round() as usize).min(BAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_each_other_on_one_scale_and_none_is_invisible() {
        let lines = Timeline::default()
            .wait("next poll", Duration::from_millis(310))
            .work("fetch", Duration::from_millis(1))
            .work("verify", Duration::from_millis(89))
            .draw(Palette::plain());
        let filled: Vec<(usize, usize)> = lines
            .iter()
            .map(|line| {
                let cells: Vec<usize> = line
                    .chars()
                    .enumerate()
                    .filter(|(_, c)| matches!(c, '░' | '█'))
                    .map(|(at, _)| at)
                    .collect();
                (cells[0], cells.len())
            })
            .collect();
        assert_eq!(
            filled.iter().map(|(_, length)| *length).collect::<Vec<_>>(),
            [36, 1, 10]
        );
        assert_eq!(filled[0].0 + 36, filled[1].0);
        assert!(
            lines.iter().all(|line| columns(line) == columns(&lines[0])),
            "{lines:?}"
        );
        assert!(lines[2].ends_with("89 ms"));
    }

    #[test]
    fn an_empty_time_draws_without_dividing_by_zero() {
        let lines = Timeline::default()
            .work("nothing", Duration::ZERO)
            .draw(Palette::plain());
        assert_eq!(lines.len(), 1);
    }
}
