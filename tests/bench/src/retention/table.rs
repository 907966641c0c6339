//! Owns how runs become medians, a table and JSON.

use super::measure::Run;
use super::way::Way;
use crate::load_gate::table::table;
use crate::stats::median;
use serde_json::{Map, Value, json};

/// Medians of one way on one table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Medians {
    pub(crate) rows_per_s: f64,
    /// By the job's own clock: without connecting, planning and the receipt. Others: as `rows_per_s`.
    pub(crate) rule_rows_per_s: f64,
    /// By its audit: without the count that proves that nothing is left. Others: as `rows_per_s`.
    pub(crate) sweep_rows_per_s: f64,
    pub(crate) wal_per_row: f64,
    pub(crate) longest_ms: f64,
    /// The worst of all rounds.
    pub(crate) worst_ms: f64,
    pub(crate) added_p99_ms: f64,
    /// Beside its batches, without survey and count. Others: as `added_p99_ms`.
    pub(crate) sweep_added_p99_ms: f64,
    pub(crate) peak_mib: f64,
    pub(crate) size_mb: f64,
    pub(crate) again_s: f64,
    pub(crate) again_wal: f64,
    pub(crate) seconds: f64,
}

/// Of the runs of one way on one table.
pub(crate) fn medians(runs: &[Run], way: Way, template: &str) -> Medians {
    let of = |pick: fn(&Run) -> f64| {
        median(
            runs.iter()
                .filter(|run| run.way == way && run.table == template)
                .map(pick),
        )
    };
    // Not every run has a second night.
    let again = |pick: fn((f64, f64)) -> f64| {
        let runs = runs.iter().filter(|run| run.way == way && run.table == template);
        median(runs.filter_map(|run| run.again).map(pick))
    };
    Medians {
        rows_per_s: of(|run| run.rows / run.seconds),
        rule_rows_per_s: of(|run| {
            let took = run.said["rules"][0]["duration_ms"].as_f64();
            run.rows / took.map_or(run.seconds, |ms| ms / 1000.0)
        }),
        sweep_rows_per_s: of(|run| run.rows / run.sweep_s.unwrap_or(run.seconds)),
        wal_per_row: of(|run| run.wal / run.rows),
        longest_ms: of(|run| run.longest_ms),
        worst_ms: runs
            .iter()
            .filter(|run| run.way == way && run.table == template)
            .map(|run| run.longest_ms)
            .fold(0.0, f64::max),
        added_p99_ms: of(|run| run.p99_ms - run.p99_before_ms),
        sweep_added_p99_ms: of(|run| run.sweep_p99_ms - run.p99_before_ms),
        peak_mib: of(|run| run.peak_mib.unwrap_or_default()),
        size_mb: of(|run| run.size / 1e6),
        again_s: again(|(seconds, _)| seconds),
        again_wal: again(|(_, wal)| wal),
        seconds: of(|run| run.seconds),
    }
}

/// For people and for programs: every way on every table.
pub(crate) fn told(runs: &[Run], ways: &[Way], templates: &[&'static str]) -> (String, Value) {
    let mut text = String::new();
    let mut figures = Map::new();
    for &template in templates {
        let mut rows = Vec::new();
        for &way in ways {
            let m = medians(runs, way, template);
            rows.push(vec![
                way.name().to_owned(),
                format!("{:.0}", m.rows_per_s / 1000.0),
                format!("{:.0}", m.rule_rows_per_s / 1000.0),
                format!("{:.0}", m.sweep_rows_per_s / 1000.0),
                format!("{:.0}", m.wal_per_row),
                format!("{:.0}", m.longest_ms),
                format!("{:.0}", m.worst_ms),
                format!("{:.1}", m.added_p99_ms),
                format!("{:.1}", m.sweep_added_p99_ms),
                format!("{:.1}", m.peak_mib),
                format!("{:.0}", m.size_mb),
                format!("{:.2}", m.again_s),
                format!("{:.0}", m.again_wal / 1000.0),
            ]);
            figures.insert(
                format!("{template} {}", way.name()),
                json!({
                    "rows_per_s": m.rows_per_s,
                    "rows_per_s_of_the_rule_alone": m.rule_rows_per_s,
                    "rows_per_s_of_its_sweep": m.sweep_rows_per_s,
                    "wal_bytes_per_row": m.wal_per_row,
                    "longest_wait_ms_median": m.longest_ms,
                    "longest_wait_ms_worst": m.worst_ms,
                    "added_p99_ms": m.added_p99_ms,
                    "added_p99_ms_of_its_sweep": m.sweep_added_p99_ms,
                    "peak_mib": m.peak_mib,
                    "table_mb_after": m.size_mb,
                    "second_night_s": m.again_s,
                    "second_night_wal_bytes": m.again_wal,
                    "seconds": m.seconds,
                }),
            );
        }
        text.extend(["\n  ", template, "\n"]);
        text.push_str(&table(
            &[
                "way",
                "1000 rows/s",
                "of the rule alone",
                "of its sweep",
                "WAL B/row",
                "longest wait ms",
                "worst",
                "added p99 ms",
                "of its sweep",
                "peak MiB",
                "table MB",
                "again s",
                "again WAL kB",
            ],
            &rows,
        ));
    }
    (text, Value::Object(figures))
}
