//! Owns what a person sees while the engine works.

use std::time::Duration;

/// How far the engine is. Sent after every batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// The rule.
    pub rule: String,
    /// The table or partition at work.
    pub table: String,
    /// `delete`, `anonymise`, `detach-partition`.
    pub action: &'static str,
    /// `tid-range`, `keyset`, `verify`, ...
    pub strategy: &'static str,
    /// Rows done by this task.
    pub rows: u64,
    /// Rows that were due for it, held ones left out.
    pub due: u64,
    /// Rows done by the whole run.
    pub total_rows: u64,
    /// Over the task so far.
    pub rows_per_second: f64,
    /// The last batch.
    pub batch: Duration,
    /// Rows of the last batch.
    pub batch_rows: u64,
    /// Until all due rows are done, at this rate.
    pub left: Option<Duration>,
    /// Sessions that wait for us, as seen last.
    pub waiting: u32,
    /// The longest wait for us that was seen.
    pub longest_wait: Duration,
    /// Why nothing is done at the moment.
    pub paused: Option<String>,
}
