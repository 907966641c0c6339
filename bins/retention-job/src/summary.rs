//! Owns the last word of a run: one JSON line for programs, a table for people.

use retention_proof::{Outcome, RuleResult};
use serde::Serialize;
use std::fmt::Write as _;

/// What a run tells at its end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    /// `retention-job`.
    pub(crate) tool: &'static str,
    /// The run.
    pub(crate) run_id: String,
    /// `run` or `erase`.
    pub(crate) kind: &'static str,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The process's exit code.
    pub(crate) exit_code: u8,
    /// Ages count from here.
    pub(crate) as_of: jiff::Timestamp,
    /// SHA-256 of the policy.
    pub(crate) policy_digest: String,
    /// What was done, rule by rule.
    pub(crate) rules: Vec<RuleResult>,
    /// Subjects.
    pub(crate) erasures: Erasures,
    /// The receipt.
    pub(crate) receipt: Option<ReceiptRef>,
    /// Milliseconds.
    pub(crate) duration_ms: u64,
}

/// What became of the subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Erasures {
    /// Subjects that ever asked and were looked at.
    pub(crate) subjects: u64,
    /// A count found nothing left of them.
    pub(crate) completed: u64,
    /// With rows that are left: held, blocked, or no time.
    pub(crate) open: u64,
    /// Not done when the run ended, with those that it did not come to, and those that came meanwhile; `None`: nobody
    /// could count them.
    pub(crate) unfinished: Option<u64>,
    /// Erased again because the database is older than the ledger.
    pub(crate) from_ledger: u64,
}

/// Where the proof is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReceiptRef {
    /// 1, 2, 3 and so on.
    pub(crate) number: u64,
    /// Of the envelope: write it down somewhere else, it is what `receipts verify --expect-head` wants.
    pub(crate) sha256: String,
    /// Whether it is signed.
    pub(crate) signed: bool,
}

impl Summary {
    /// For people.
    pub(crate) fn describe(&self) -> String {
        let mut text = table(&self.rules);
        let Erasures {
            subjects,
            completed,
            open,
            from_ledger,
            ..
        } = self.erasures;
        if subjects > 0 {
            let _ = writeln!(
                text,
                "erasure: {subjects} subjects, of {completed} nothing is left, {open} open, {from_ledger} from the ledger"
            );
        }
        if let Some(receipt) = &self.receipt {
            let signed = if receipt.signed { "signed" } else { "not signed" };
            let _ = writeln!(text, "receipt {} ({signed}) sha256:{}", receipt.number, receipt.sha256);
        }
        let outcome = match self.outcome {
            Outcome::Complete => "complete: nothing that is due is left",
            Outcome::Partial => "partial: the next run goes on",
            Outcome::Residue => "residue: rows that are due are left",
            Outcome::Interrupted => "interrupted",
        };
        let _ = writeln!(text, "run {} {outcome} ({})", self.run_id, seconds(self.duration_ms));
        text
    }
}

fn table(rules: &[RuleResult]) -> String {
    const HEAD: [&str; 8] = ["rule", "action", "due", "done", "held", "blocked", "residue", "time"];
    let rows: Vec<[String; 8]> = rules
        .iter()
        .map(|rule| {
            [
                rule.rule.clone(),
                rule.action.clone(),
                rule.due.to_string(),
                rule.rows.to_string(),
                rule.held.to_string(),
                rule.blocked.to_string(),
                rule.residue.map_or_else(|| "?".to_owned(), |rows| rows.to_string()),
                seconds(rule.duration_ms),
            ]
        })
        .collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; 8]| {
        let mut text = String::new();
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // Names to the left, figures to the right.
            let _ = if index < 2 {
                write!(text, "{cell:<width$}  ")
            } else {
                write!(text, "{cell:>width$}  ")
            };
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(HEAD);
    for row in &rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
