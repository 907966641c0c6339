//! Owns the plan as people read it. Names that others chose are made harmless: no control characters reach a terminal.

use super::{ErasurePlan, LeafPlan, Plan, TaskPlan};
use crate::estimate::Estimate;
use crate::model::Strategy;
use crate::preflight::Severity;
use std::fmt::Write as _;

/// Of a task with more partitions, only so many are listed.
const LISTED_LEAVES: usize = 12;

/// The plan as text, with a line break at its end.
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let database = &plan.database;
    let _ = writeln!(out, "plan      {}", plan.digest);
    let _ = writeln!(
        out,
        "database  {} on PostgreSQL {} as {}",
        printable(&database.name),
        printable(&database.server_version),
        printable(&database.user)
    );
    let _ = writeln!(out, "policy    {}", plan.policy_digest);
    let _ = writeln!(out, "as of     {}\n", plan.as_of);
    out.push_str(&table(plan));
    for task in &plan.tasks {
        details(&mut out, task);
    }
    if let Some(erasure) = &plan.erasure {
        subjects(&mut out, erasure);
    }
    findings(&mut out, plan);
    let _ = writeln!(out, "\nin all {}", about(plan.estimate));
    if plan.preflight.refused().next().is_some() {
        out.push_str("refused: nothing can be applied before what is refused above is put right\n");
    } else if !plan.guards.is_empty() {
        let _ = writeln!(
            out,
            "`run` refuses this; to apply it all the same: retention-job apply --plan {}",
            plan.digest
        );
    } else {
        let _ = writeln!(out, "to apply exactly this: retention-job apply --plan {}", plan.digest);
    }
    out
}

/// One line a task, in columns.
fn table(plan: &Plan) -> String {
    let head = [
        "rule", "table", "action", "before", "due", "held", "blocked", "undated", "rows",
    ];
    let mut rows: Vec<[String; 9]> = vec![head.map(str::to_owned)];
    for task in &plan.tasks {
        rows.push([
            printable(&task.rule),
            printable(&task.table.shown()),
            task.action.to_owned(),
            task.cutoff
                .map_or_else(|| "any age".to_owned(), |cutoff| cutoff.to_string()),
            grouped(task.due),
            grouped(task.held),
            grouped(task.blocked),
            grouped(task.undated),
            task.total.map_or_else(|| "-".to_owned(), grouped),
        ]);
    }
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Figures end in one column, words begin in one.
            let padded = if at < 4 {
                format!("{cell:<width$}  ")
            } else {
                format!("{cell:>width$}  ")
            };
            line.push_str(&padded);
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn details(out: &mut String, task: &TaskPlan) {
    let _ = writeln!(
        out,
        "\n{}: {} {}{}",
        printable(&task.rule),
        task.action,
        printable(&task.table.shown()),
        if task.columns.is_empty() {
            String::new()
        } else {
            format!(" ({})", printable(&task.columns.join(", ")))
        }
    );
    if task.due == 0 {
        out.push_str("  nothing to do\n");
    }
    for leaf in task.leaves.iter().filter(|leaf| leaf.due > 0).take(LISTED_LEAVES) {
        one_leaf(out, task, leaf);
    }
    let more = task.leaves.iter().filter(|leaf| leaf.due > 0).count();
    if more > LISTED_LEAVES {
        let _ = writeln!(out, "  and {} partitions more", more - LISTED_LEAVES);
    }
    for cascade in &task.cascades {
        let _ = writeln!(
            out,
            "  along   {} rows of {} ({} by {})",
            grouped(cascade.rows),
            printable(&cascade.table),
            cascade.effect,
            printable(&cascade.foreign_key)
        );
    }
    if let Some(max) = task.max_rows.filter(|max| *max < task.due) {
        let _ = writeln!(out, "  at most {} rows a run (max_rows)", grouped(max));
    }
    if let Some(sql) = &task.sql {
        let _ = writeln!(out, "  sql     {}", printable(sql));
    }
    if task.due > 0 {
        let _ = writeln!(out, "  about   {}", about(task.estimate));
    }
}

fn subjects(out: &mut String, erasure: &ErasurePlan) {
    let of = erasure
        .total
        .map_or_else(String::new, |total| format!(" of {}", grouped(total)));
    let _ = writeln!(
        out,
        "\nerasure: {}{of} subjects of {} ask to be forgotten",
        grouped(erasure.open),
        printable(&erasure.subject.shown()),
    );
    if erasure.open == 0 {
        out.push_str("  nothing to do\n");
        return;
    }
    for each in &erasure.tables {
        let columns = if each.columns.is_empty() {
            String::new()
        } else {
            format!(" ({})", printable(&each.columns.join(", ")))
        };
        let _ = writeln!(
            out,
            "  then    {} {}{columns}",
            each.action,
            printable(&each.table.shown())
        );
    }
}

fn one_leaf(out: &mut String, task: &TaskPlan, leaf: &LeafPlan) {
    let how = leaf.strategy.map_or("none", name_of);
    let of = if leaf.table == task.table {
        String::new()
    } else {
        format!("{}, {} rows: ", printable(&leaf.table.shown()), grouped(leaf.due))
    };
    let _ = writeln!(out, "  how     {of}{how}: {}", printable(&leaf.reason));
    if let Some(explain) = &leaf.explain {
        let _ = writeln!(out, "  explain {}", printable(&explain.scans.join("; ")));
    }
}

fn findings(out: &mut String, plan: &Plan) {
    if !plan.guards.is_empty() {
        out.push_str("\nguards\n");
        for tripped in &plan.guards {
            let _ = writeln!(out, "  {}", printable(&tripped.message));
        }
    }
    if !plan.preflight.findings.is_empty() || !plan.notes.is_empty() {
        out.push_str("\npreflight\n");
    }
    for finding in &plan.preflight.findings {
        let severity = match finding.severity {
            Severity::Refused => "refused",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let rule = finding
            .rule
            .as_ref()
            .map_or_else(String::new, |rule| format!("{}: ", printable(rule)));
        let _ = writeln!(
            out,
            "  {severity:<7}  {rule}{} [{}]",
            printable(&finding.message),
            finding.code
        );
    }
    for note in &plan.notes {
        let _ = writeln!(out, "  note     {}", printable(note));
    }
}

fn name_of(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Partition => "partition",
        Strategy::Keyset => "keyset",
        Strategy::TidRange => "tid-range",
        Strategy::HotPasses => "hot-passes",
        Strategy::Limited => "limited",
    }
}

fn about(estimate: Estimate) -> String {
    format!(
        "{} of WAL, {} (as measured elsewhere; without waiting for others)",
        bytes(estimate.wal_bytes),
        time(estimate.seconds)
    )
}

fn bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        "less than 1 s".to_owned()
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// `1 234 567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Without line breaks, and without characters that a terminal obeys or that turn the line around.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{061c}' => {
                '\u{fffd}'
            }
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
