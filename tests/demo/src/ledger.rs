//! Owns what was promised and what became of it: the final table and the JSON line. Pure.

// Writing to a String cannot fail.
use std::fmt::Write as _;
use std::time::Duration;

use runtime::style::Palette;
use serde::Serialize;

use crate::text::{WIDTH, columns, duration, plural, shorten, wrap};

const NOT_REACHED: &str = "not reached";

/// Something that the demo says will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    /// Its name in the JSON line.
    pub(crate) id: &'static str,
    /// What happens, as a short sentence without full stop.
    pub(crate) text: &'static str,
}

/// What became of a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It happened.
    Shown {
        /// How long it took, where that says something; milliseconds in JSON.
        #[serde(
            rename = "took_ms",
            serialize_with = "millis",
            skip_serializing_if = "Option::is_none"
        )]
        took: Option<Duration>,
        /// What is worth knowing beside that.
        #[serde(skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// It did not happen, or something else did.
    Failed {
        /// What was found instead.
        why: String,
    },
    /// It cannot happen on this machine; no failure.
    NotShown {
        /// What is missing, and how to get it.
        why: String,
    },
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn millis<S: serde::Serializer>(took: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    let rounded = took.map(|took| (took.as_secs_f64() * 1e4).round() / 10.0);
    rounded.serialize(out)
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// The act that promised it, from 1.
    pub(crate) act: usize,
    /// [`Promise::id`].
    pub(crate) id: &'static str,
    /// [`Promise::text`].
    pub(crate) text: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// The whole, as in the JSON line.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// Whether nothing failed.
    pub(crate) ok: bool,
    /// How many promises were kept.
    pub(crate) shown: usize,
    /// How many were not.
    pub(crate) failed: usize,
    /// How many could not be shown on this machine.
    pub(crate) not_shown: usize,
    /// How long the demo took, milliseconds.
    pub(crate) took_ms: u64,
    /// Each promise.
    pub(crate) checks: Vec<Row>,
}

/// The promises so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    rows: Vec<(usize, Promise, Option<Outcome>)>,
}

impl Ledger {
    /// Takes promises; until [`Ledger::enter`] they count as not kept.
    pub(crate) fn promise(&mut self, act: usize, promises: &[Promise]) {
        self.rows.extend(promises.iter().map(|&promise| (act, promise, None)));
    }

    /// Says what became of a promise. The first word stands: what failed once has failed.
    pub(crate) fn enter(&mut self, promise: Promise, outcome: Outcome) {
        let row = self.rows.iter_mut().find(|(_, known, _)| known.id == promise.id);
        match row {
            Some((_, _, entry @ None)) => *entry = Some(outcome),
            Some(_) => {}
            None => self.rows.push((0, promise, Some(outcome))),
        }
    }

    /// A group of acts broke off, whose promises these are, each with its act. The first that was open gets the
    /// reason; the others, also those that were never taken before, were not reached.
    pub(crate) fn broke_off(&mut self, promises: impl IntoIterator<Item = (usize, Promise)>, why: &str) {
        let mut why = Some(why.to_owned());
        for (act, promise) in promises {
            let known = self.rows.iter().any(|(_, known, _)| known.id == promise.id);
            if !known {
                self.promise(act, &[promise]);
            }
            for (_, row, entry) in &mut self.rows {
                if row.id == promise.id && entry.is_none() {
                    let why = why.take().unwrap_or_else(|| NOT_REACHED.to_owned());
                    *entry = Some(Outcome::Failed { why });
                }
            }
        }
    }

    /// The end: what nobody spoke of did not happen.
    pub(crate) fn report(&self, took: Duration) -> Report {
        let checks: Vec<Row> = self
            .rows
            .iter()
            .map(|(act, promise, outcome)| Row {
                act: *act,
                id: promise.id,
                text: promise.text,
                outcome: outcome.clone().unwrap_or_else(|| Outcome::Failed {
                    why: NOT_REACHED.to_owned(),
                }),
            })
            .collect();
        let number = |wanted: fn(&Outcome) -> bool| checks.iter().filter(|row| wanted(&row.outcome)).count();
        let failed = number(|outcome| matches!(outcome, Outcome::Failed { .. }));
        Report {
            ok: failed == 0 && !checks.is_empty(),
            shown: number(|outcome| matches!(outcome, Outcome::Shown { .. })),
            failed,
            not_shown: number(|outcome| matches!(outcome, Outcome::NotShown { .. })),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            checks,
        }
    }
}

/// The final table.
pub(crate) fn table(report: &Report, palette: Palette) -> String {
    const TIME: usize = 8;
    let widest = report.checks.iter().map(|row| columns(row.text)).max().unwrap_or(0);
    let room = WIDTH.saturating_sub(2 + 2 + 2 + widest + 2 + TIME + 2);
    let mut out = String::new();
    let mut act = None;
    for row in &report.checks {
        let number = if act.replace(row.act) == Some(row.act) {
            String::new()
        } else {
            row.act.to_string()
        };
        let (tick, took, note) = match &row.outcome {
            Outcome::Shown { took, note } => (
                palette.green("✓"),
                took.map(duration).unwrap_or_default(),
                note.as_str(),
            ),
            Outcome::Failed { why } if why == NOT_REACHED => (palette.red("✗"), "failed".to_owned(), NOT_REACHED),
            Outcome::Failed { .. } => (palette.red("✗"), "failed".to_owned(), ""),
            Outcome::NotShown { .. } => (palette.yellow("–"), String::new(), "not shown"),
        };
        let line = format!(
            "{:>2} {tick} {:<widest$}  {:>TIME$}  {}",
            palette.dim(number),
            row.text,
            palette.bold(took),
            palette.dim(shorten(note, room)),
        );
        out.push_str(line.trim_end());
        out.push('\n');
        if let Outcome::Failed { why } = &row.outcome
            && why != NOT_REACHED
        {
            for line in wrap(why, WIDTH - 7) {
                let _ = writeln!(out, "       {}", palette.red(line));
            }
        }
    }
    out.push('\n');
    out.push_str(&verdict(report, palette));
    out
}

fn verdict(report: &Report, palette: Palette) -> String {
    let seconds = Duration::from_millis(report.took_ms).as_secs_f64();
    let mut parts = vec![format!("{} shown", report.shown)];
    if report.not_shown > 0 {
        parts.push(format!("{} not shown", report.not_shown));
    }
    let all = parts.join(", ");
    let mut out = if report.ok {
        let words = palette.green("Everything happened as promised:");
        format!("  {words} {all}, in {seconds:.1} s.\n")
    } else {
        let words = palette.red(format!("{} did not hold:", plural(report.failed, "promise")));
        format!("  {words} {all}, in {seconds:.1} s.\n")
    };
    let mut reasons: Vec<&str> = Vec::new();
    for row in &report.checks {
        if let Outcome::NotShown { why } = &row.outcome
            && !reasons.contains(&why.as_str())
        {
            reasons.push(why);
        }
    }
    for why in reasons {
        let _ = writeln!(out, "  {} {why}", palette.yellow("Not shown:"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOADED: Promise = Promise {
        id: "loaded",
        text: "A signed pack decides",
    };
    const REFUSED: Promise = Promise {
        id: "refused",
        text: "A forgery is refused",
    };
    const OPA: Promise = Promise {
        id: "opa",
        text: "A real OPA follows",
    };

    fn shown(note: &str) -> Outcome {
        Outcome::Shown {
            took: Some(Duration::from_micros(412_345)),
            note: note.to_owned(),
        }
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.promise(1, &[LOADED, REFUSED]);
        ledger.promise(2, &[OPA]);
        ledger
    }

    #[test]
    fn the_table_is_aligned_and_says_how_to_get_what_was_not_shown() {
        let mut ledger = ledger();
        ledger.enter(LOADED, shown("revision 1"));
        ledger.enter(
            REFUSED,
            Outcome::Shown {
                took: None,
                note: String::new(),
            },
        );
        ledger.enter(
            OPA,
            Outcome::NotShown {
                why: "no `opa` here; `make tools` gets it".to_owned(),
            },
        );
        let report = ledger.report(Duration::from_millis(9_870));
        assert!(report.ok);
        assert_eq!(
            table(&report, Palette::plain()),
            " 1 ✓ A signed pack decides    412 ms  revision 1
   ✓ A forgery is refused
 2 – A real OPA follows               not shown

  Everything happened as promised: 2 shown, 1 not shown, in 9.9 s.
  Not shown: no `opa` here; `make tools` gets it
"
        );
    }

    #[test]
    fn a_promise_that_nobody_spoke_of_again_has_failed() {
        let mut ledger = ledger();
        ledger.enter(LOADED, shown(""));
        ledger.enter(
            REFUSED,
            Outcome::Failed {
                why: "it was accepted".to_owned(),
            },
        );
        ledger.enter(REFUSED, shown("too late"));
        let report = ledger.report(Duration::from_secs(1));
        assert_eq!(
            (report.ok, report.shown, report.failed, report.not_shown),
            (false, 1, 2, 0)
        );
        let text = table(&report, Palette::plain());
        assert!(
            text.contains("   ✗ A forgery is refused     failed\n       it was accepted\n"),
            "{text}"
        );
        assert!(
            text.contains(" 2 ✗ A real OPA follows       failed  not reached\n"),
            "{text}"
        );
        assert!(text.contains("2 promises did not hold: 1 shown, in 1.0 s.\n"), "{text}");
    }

    #[test]
    fn an_act_that_breaks_off_says_why_once_and_counts_what_never_began() {
        let mut ledger = Ledger::default();
        ledger.promise(1, &[LOADED, REFUSED]);
        ledger.enter(LOADED, shown(""));
        ledger.broke_off([(1, LOADED), (1, REFUSED), (2, OPA)], "MC burned down");
        let outcomes: Vec<(usize, Outcome)> = ledger
            .report(Duration::ZERO)
            .checks
            .into_iter()
            .map(|row| (row.act, row.outcome))
            .collect();
        let failed = |why: &str| Outcome::Failed { why: why.to_owned() };
        assert_eq!(
            outcomes,
            [
                (1, shown("")),
                (1, failed("MC burned down")),
                (2, failed("not reached"))
            ]
        );
    }

    #[test]
    fn nothing_promised_is_nothing_shown() {
        assert!(!Ledger::default().report(Duration::ZERO).ok);
    }

    #[test]
    fn the_json_line_names_each_check_and_its_time() {
        let mut ledger = ledger();
        ledger.enter(LOADED, shown("revision 1"));
        let json = serde_json::to_value(ledger.report(Duration::from_secs(2))).unwrap();
        assert_eq!(json["took_ms"], 2000);
        assert_eq!(
            json["checks"][0],
            serde_json::json!({
                "act": 1, "id": "loaded", "text": "A signed pack decides", "outcome": "shown", "took_ms": 412.3,
                "note": "revision 1",
            })
        );
        assert_eq!(json["checks"][2]["outcome"], "failed");
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let mut ledger = ledger();
        for promise in [LOADED, REFUSED, OPA] {
            ledger.enter(promise, shown("same note"));
        }
        let report = ledger.report(Duration::from_secs(1));
        let coloured = table(&report, Palette::coloured());
        assert!(coloured.contains("\x1b[32m✓\x1b[0m"));
        let mut bare = coloured;
        for code in ["\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, table(&report, Palette::plain()));
    }
}
