//! What a person sees while a run goes on: two lines that are drawn again on a terminal, a line now and then in a log.
//! All on stderr: stdout belongs to the result.

use load_report::render::{Progress, plain_line, progress_line};
use runtime::Palette;
use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Drawn again and again.
    Live {
        /// With colours.
        colours: bool,
    },
    /// One line at this interval.
    Lines(Duration),
    /// Not at all.
    Silent,
}

impl Style {
    /// What fits where stderr goes to.
    pub(crate) fn automatic(interval: Duration) -> Self {
        if std::io::stderr().is_terminal() {
            Self::Live {
                colours: Palette::stderr().is_on(),
            }
        } else {
            Self::Lines(interval)
        }
    }
}

/// The display.
pub(crate) struct Show {
    style: Style,
    drawn: bool,
    last: Option<Instant>,
}

impl Show {
    pub(crate) fn new(style: Style) -> Self {
        Self {
            style,
            drawn: false,
            last: None,
        }
    }

    /// Shows where the run stands.
    pub(crate) fn tell(&mut self, progress: &Progress) {
        match self.style {
            Style::Silent => {}
            Style::Live { colours } => {
                let text = progress_line(progress, colours, width());
                let lines = text.lines().count();
                let again = if self.drawn {
                    format!("\x1b[{lines}A\r\x1b[J")
                } else {
                    String::new()
                };
                self.drawn = true;
                write(&format!("{again}{text}\n"));
            }
            Style::Lines(interval) => {
                // A tick that comes a little early still counts for its interval.
                let due = self
                    .last
                    .is_none_or(|last| last.elapsed() + Duration::from_millis(200) >= interval);
                if due {
                    self.last = Some(Instant::now());
                    write(&format!("{}\n", plain_line(progress)));
                }
            }
        }
    }

    /// Takes the live lines away, so that the result stands alone.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            write("\x1b[2A\r\x1b[J");
        }
    }
}

/// A reader of stderr that is gone changes nothing.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// Columns of the terminal; 80 where it does not tell.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(terminal_size::Width(columns), _)| usize::from(columns))
}
