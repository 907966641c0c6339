//! Options of `report`, `compare` and `merge`: the commands that work on saved results.

use crate::saved::limit::Limit;
use clap::Args;
use runtime::args::{LogArgs, OutputArgs};
use std::path::PathBuf;

const REPORT_EXAMPLES: &str = "\
Examples:
  load-gate report result.json --html report.html --junit junit.xml
  load-gate report result.json --threshold 'http_req_duration=p(99)<500'    (other thresholds on the same figures)

Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INCONCLUSIVE or INVALID.";

const COMPARE_EXAMPLES: &str = "\
Examples:
  load-gate compare main.json branch.json
  load-gate compare main.json branch.json --fail-if 'p(95)>+10%' --fail-if 'failed>+0.5%'

A limit is about the change from the first result to the second:
  p(95)>+10%     the quantile rose by more than a tenth        p(95)>+20ms    by more than 20 ms
  failed>+0.5%   the share of requests without a right answer rose by more than half a percentage point

Exit codes: 0 no limit is broken (or none was given), 1 one is surely broken, 2 usage, 3 it cannot be said.";

const MERGE_EXAMPLES: &str = "\
Example, four pods of an Indexed Job, each with a quarter of the rate:
  load-gate merge results/result-*.json --expect 4 --result merged.json

Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INCONCLUSIVE or INVALID.";

/// Options of `report`.
#[derive(Debug, Clone, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub struct ReportArgs {
    /// File that `run --result` or `merge --result` wrote; - reads it from stdin
    #[arg(value_name = "RESULT")]
    pub result_file: PathBuf,
    /// Judge by these thresholds instead of the run's own; repeat it for more
    #[arg(long = "threshold", value_name = "METRIC=EXPRESSION")]
    pub thresholds: Vec<String>,
    /// Confidence of each bound, when judging again
    #[arg(long, value_name = "SHARE", value_parser = confidence)]
    pub confidence: Option<f64>,
    /// Write the result, as it was judged here, to a file
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Files to render.
    #[command(flatten)]
    pub render: RenderArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Files that a result is rendered to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reports")]
pub struct RenderArgs {
    /// Write a report for people to this file: one HTML file without anything from outside
    #[arg(long, env = "LOAD_GATE_HTML", value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the thresholds as JUnit test cases to this file
    #[arg(long, env = "LOAD_GATE_JUNIT", value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write a summary in Markdown to this file
    #[arg(long, env = "LOAD_GATE_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write a summary as k6's --summary-export does to this file
    #[arg(long, env = "LOAD_GATE_SUMMARY_EXPORT", value_name = "FILE")]
    pub summary_export: Option<PathBuf>,
}

/// Options of `compare`.
#[derive(Debug, Clone, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub struct CompareArgs {
    /// The result to compare with (the release in use, the main branch); - reads it from stdin
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// The result that is compared (the candidate)
    #[arg(value_name = "CANDIDATE")]
    pub candidate: PathBuf,
    /// Largest change that is allowed, for example p(95)>+10%; repeat it for more
    #[arg(long = "fail-if", value_name = "LIMIT", value_parser = Limit::parse)]
    pub fail_if: Vec<Limit>,
    /// Two-sided confidence of the intervals
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = confidence)]
    pub confidence: f64,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Options of `merge`.
#[derive(Debug, Clone, Args)]
#[command(after_help = MERGE_EXAMPLES)]
pub struct MergeArgs {
    /// Results of the same plan, one of each load-gate that took part
    #[arg(value_name = "RESULT", required = true, num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// How many there must be; a result that is missing is never a pass
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub expect: Option<u32>,
    /// Judge by these thresholds instead of the plan's own (each run alone may have too few requests for them: let it run
    /// with --no-thresholds); repeat it for more
    #[arg(long = "threshold", value_name = "METRIC=EXPRESSION")]
    pub thresholds: Vec<String>,
    /// Merge results of runs that did not overlap in time: their load did not add up
    #[arg(long)]
    pub allow_apart: bool,
    /// Confidence of each bound; the runs' own when nothing is said
    #[arg(long, value_name = "SHARE", value_parser = confidence)]
    pub confidence: Option<f64>,
    /// Write the merged result to a file
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Files to render.
    #[command(flatten)]
    pub render: RenderArgs,
    /// The result on stdout.
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Logs on stderr.
    #[command(flatten)]
    pub log: LogArgs,
}

/// A share between a half and one.
fn confidence(text: &str) -> Result<f64, String> {
    let expected = || format!("expected a share from 0.5 to 0.999999, such as 0.95, found {text:?}");
    let value: f64 = text.parse().map_err(|_| expected())?;
    if (0.5..=0.999_999).contains(&value) {
        Ok(value)
    } else {
        Err(expected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_is_a_share() {
        assert_eq!(confidence("0.99"), Ok(0.99));
        for wrong in ["95", "95%", "1", "0", "NaN", "", "-0.95"] {
            assert!(confidence(wrong).is_err(), "{wrong}");
        }
    }
}
