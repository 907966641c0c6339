//! One small renderer for each kind of reader. All are pure functions of the document, and none fails.
//!
//! | function | reader |
//! |---|---|
//! | [`table`] | a person at a terminal, or in a CI log, after the run |
//! | [`progress_line`], [`plain_line`] | the same person during the run: redrawn on a terminal, appended in a log |
//! | [`k6_summary`] | whatever read k6's `--summary-export` |
//! | [`junit`] | CI systems that show tests |
//! | [`markdown`] | `$GITHUB_STEP_SUMMARY`, merge request comments |
//! | [`html`] | a person with a browser, also years later |
//! | [`prometheus`], [`metrics`] | Pushgateway, remote write |
//! | [`termination`] | `kubectl describe pod` |

mod html;
mod junit;
mod k6;
mod markdown;
mod progress;
mod prometheus;
mod terminal;
mod termination;

pub use html::html;
pub use junit::junit;
pub use k6::k6_summary;
pub use markdown::{MARKDOWN_LIMIT, markdown};
pub use progress::{Progress, plain_line, progress_line};
pub use prometheus::{Family, Series, metrics, prometheus};
pub use terminal::table;
pub use termination::{TERMINATION_LIMIT, termination};
