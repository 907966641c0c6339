//! Owns what a person sees while a run goes on: one line on stderr that is drawn again. stdout belongs to the result.

use crate::args::report::ProgressArg;
use retention_engine::Progress;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Between two drawings.
const TICK: Duration = Duration::from_millis(200);

/// The display; nothing is drawn where nobody looks.
pub(crate) struct Show {
    task: Option<JoinHandle<()>>,
}

impl Show {
    /// Draws until [`Self::end`].
    pub(crate) fn start(when: ProgressArg, mut progress: watch::Receiver<Progress>) -> Self {
        let wanted = match when {
            ProgressArg::Auto => std::io::stderr().is_terminal(),
            ProgressArg::Always => true,
            ProgressArg::Never => false,
        };
        let task = wanted.then(|| {
            tokio::spawn(async move {
                while progress.changed().await.is_ok() {
                    let line = line(&progress.borrow_and_update());
                    draw(&line);
                    tokio::time::sleep(TICK).await;
                }
            })
        });
        Self { task }
    }

    /// Takes the line away, so that the result stands alone.
    pub(crate) async fn end(self) {
        if let Some(task) = self.task {
            task.abort();
            // Aborted or done: both are the end of it.
            let _ = task.await;
            draw("");
        }
    }
}

/// A reader of stderr that is gone changes nothing.
fn draw(line: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{line}");
    let _ = stderr.flush();
}

/// `pii-events delete public.pii_events  12,000 of 90,000 rows, 51,000/s, batch 19 ms, waiting 0 (longest 8 ms), 2 s left`
fn line(progress: &Progress) -> String {
    let mut text = format!(
        "{} {} {}  {} of {} rows, {:.0}/s, batch {} ms",
        progress.rule,
        progress.action,
        progress.table,
        progress.rows,
        progress.due,
        progress.rows_per_second,
        progress.batch.as_millis()
    );
    if !progress.longest_wait.is_zero() || progress.waiting > 0 {
        let _ = write!(
            text,
            ", {} writers wait (longest {} ms)",
            progress.waiting,
            progress.longest_wait.as_millis()
        );
    }
    match (&progress.paused, progress.left) {
        (Some(why), _) => {
            let _ = write!(text, ", paused: {why}");
        }
        (None, Some(left)) => {
            let _ = write!(text, ", {} s left", left.as_secs());
        }
        (None, None) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_person_asks() {
        let progress = Progress {
            rule: "pii-events".to_owned(),
            table: "public.pii_events".to_owned(),
            action: "delete",
            rows: 12,
            due: 90,
            rows_per_second: 6.0,
            batch: Duration::from_millis(19),
            left: Some(Duration::from_secs(13)),
            ..Progress::default()
        };
        assert_eq!(
            line(&progress),
            "pii-events delete public.pii_events  12 of 90 rows, 6/s, batch 19 ms, 13 s left"
        );
        let paused = Progress {
            paused: Some("a standby is 40 s behind".to_owned()),
            waiting: 2,
            longest_wait: Duration::from_millis(31),
            ..progress
        };
        assert!(line(&paused).ends_with("2 writers wait (longest 31 ms), paused: a standby is 40 s behind"));
    }
}
