//! Owns the guards: what stops a run before a row is touched, until somebody has looked at the plan and given its
//! digest. Pure.

use crate::model::Relation;
use crate::survey::SubjectSurvey;
use jiff::Timestamp;
use retention_policy::{Erasure, Guards};
use serde::Serialize;

/// Which guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// The cutoff moved by more than the time that passed explains: the term was shortened, or a clock stepped.
    CutoffJump,
    /// More of the table is due than the rule allows.
    MaxFraction,
    /// Every row of the table is due.
    AllDue,
    /// The database's clock is far from ours.
    ClockSkew,
}

/// A guard that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tripped {
    /// Which.
    pub guard: Guard,
    /// The rule; `None`: all.
    pub rule: Option<String>,
    /// Figures, limit, and what to do.
    pub message: String,
}

/// The cutoff that a rule was last applied with (`retention.cutoff`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCutoff {
    /// The cutoff.
    pub cutoff: Timestamp,
    /// What it was computed from.
    pub as_of: Timestamp,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Due rows of a rule's table.
    Rows,
    /// Subjects of the policy's erasure that ask to be forgotten.
    Subjects,
}

/// What the guards look at, of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardFacts {
    /// Of what `due` and `total` are.
    pub of: Counted,
    /// The rule.
    pub rule: String,
    /// `schema.table`.
    pub table: String,
    /// Rows that would be deleted or changed, held and blocked ones included.
    pub due: u64,
    /// All rows of the table; `None`: not counted.
    pub total: Option<u64>,
    /// Of this run.
    pub cutoff: Option<Timestamp>,
    /// Of the last run.
    pub last: Option<LastCutoff>,
    /// The rule's, or the erasure's.
    pub max_fraction: Option<f64>,
}

impl GuardFacts {
    /// Those of the erasure of subjects, `subject` being their table.
    pub fn of_subjects(erasure: &Erasure, subject: &Relation, counted: SubjectSurvey) -> Self {
        let many = counted
            .total
            .is_some_and(|total| total >= Erasure::DEFAULT_FROM_SUBJECTS);
        Self {
            of: Counted::Subjects,
            // No rule's name has a colon.
            rule: format!("erasure:{}", subject.shown()),
            table: subject.shown(),
            due: counted.open,
            total: counted.total,
            cutoff: None,
            last: None,
            max_fraction: erasure
                .max_fraction
                .or_else(|| many.then_some(Erasure::DEFAULT_MAX_FRACTION)),
        }
    }

    /// `rule x on t: 5 of 9 rows are due`, with `much` before `of`.
    fn amount(&self, much: &str) -> String {
        match self.of {
            Counted::Rows => format!("rule {} on {}: {much} rows are due", self.rule, self.table),
            Counted::Subjects => format!("erasure: {much} subjects of {} ask to be forgotten", self.table),
        }
    }

    fn max_fraction_key(&self) -> &'static str {
        match self.of {
            Counted::Rows => "its max_fraction",
            Counted::Subjects => "erasure.max_fraction",
        }
    }

    fn suspicion(&self) -> &'static str {
        match self.of {
            Counted::Rows => "",
            Counted::Subjects => "was a flag set by mistake? ",
        }
    }
}

/// The two clocks, read at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The database's.
    pub database: Timestamp,
    /// This machine's.
    pub ours: Timestamp,
}

const WHAT_TO_DO: &str = "look at `retention-job plan`, and if it is what you want, run `retention-job apply --plan <digest>` with its digest";

/// All guards of all rules that stand in the way; they are told at once.
pub fn check(guards: &Guards, as_of: Timestamp, clocks: Clocks, facts: &[GuardFacts]) -> Vec<Tripped> {
    let mut tripped: Vec<Tripped> = clock_skew(guards, clocks).into_iter().collect();
    for rule in facts {
        tripped.extend(cutoff_jump(guards, as_of, rule));
        tripped.extend(max_fraction(rule));
        tripped.extend(all_due(guards, rule));
    }
    tripped
}

fn clock_skew(guards: &Guards, clocks: Clocks) -> Option<Tripped> {
    let skew = clocks.database.duration_since(clocks.ours);
    let limit = guards.max_clock_skew_seconds;
    // Nanoseconds count: 300.5 s is more than 300 s.
    let over = skew.unsigned_abs() > std::time::Duration::from_secs(limit);
    over.then(|| Tripped {
        guard: Guard::ClockSkew,
        rule: None,
        message: format!(
            "the database's clock ({}) is {} {} this machine's ({}), more than the {limit} s that \
             guards.max_clock_skew_seconds allows; set the clock that is wrong; or {WHAT_TO_DO}",
            clocks.database,
            span(skew.unsigned_abs().as_secs()),
            if skew.is_negative() { "behind" } else { "ahead of" },
            clocks.ours,
        ),
    })
}

/// A run may move the cutoff by so much more than the time that passed; runs less than a day apart count as a day.
const DAY_MICROS: i64 = 86_400 * 1_000_000;

fn cutoff_jump(guards: &Guards, as_of: Timestamp, rule: &GuardFacts) -> Option<Tripped> {
    let (cutoff, last) = (rule.cutoff?, rule.last?);
    let moved = cutoff.as_microsecond().saturating_sub(last.cutoff.as_microsecond());
    let passed = as_of
        .as_microsecond()
        .saturating_sub(last.as_of.as_microsecond())
        .max(DAY_MICROS);
    let limit = guards.max_cutoff_factor * passed as f64;
    // A factor that is no number allows nothing.
    let within = (moved as f64) <= limit;
    (!within).then(|| Tripped {
        guard: Guard::CutoffJump,
        rule: Some(rule.rule.clone()),
        message: format!(
            "rule {} on {}: the cutoff moves by {} (from {} to {}) since the last run, {} of time having passed; \
             guards.max_cutoff_factor allows {} times that (at least a day is counted); was the term shortened, or a \
             clock set? {WHAT_TO_DO}",
            rule.rule,
            rule.table,
            span(seconds(moved)),
            last.cutoff,
            cutoff,
            span(seconds(
                as_of.as_microsecond().saturating_sub(last.as_of.as_microsecond())
            )),
            guards.max_cutoff_factor,
        ),
    })
}

fn max_fraction(rule: &GuardFacts) -> Option<Tripped> {
    let (fraction, total) = (rule.max_fraction?, rule.total?);
    // 0.29 * 100 is 28.999999999999996 in binary: 29 of 100 rows are 0.29 of them all the same.
    let limit = fraction * total as f64 * (1.0 + 1e-12);
    let within = (rule.due as f64) <= limit;
    (!within).then(|| Tripped {
        guard: Guard::MaxFraction,
        rule: Some(rule.rule.clone()),
        message: format!(
            "{} ({:.2} %), more than {} {fraction}; {}{WHAT_TO_DO}",
            rule.amount(&format!("{} of {total}", rule.due)),
            100.0 * rule.due as f64 / (total.max(1)) as f64,
            rule.max_fraction_key(),
            rule.suspicion(),
        ),
    })
}

fn all_due(guards: &Guards, rule: &GuardFacts) -> Option<Tripped> {
    let total = rule.total?;
    (rule.due >= total && total > 0 && total >= guards.all_due_from_rows).then(|| Tripped {
        guard: Guard::AllDue,
        rule: Some(rule.rule.clone()),
        message: format!(
            "{} (refused from guards.all_due_from_rows = {} rows on); {}{WHAT_TO_DO}",
            rule.amount(&format!("all {total}")),
            guards.all_due_from_rows,
            rule.suspicion(),
        ),
    })
}

fn seconds(micros: i64) -> u64 {
    micros.unsigned_abs() / 1_000_000
}

/// `3 days 4 h`, `12 min`, `7 s`.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn clocks(skew_ms: i64) -> Clocks {
        let ours = at("2026-06-01T00:00:00Z");
        Clocks {
            database: ours + SignedDuration::from_millis(skew_ms),
            ours,
        }
    }

    fn facts(due: u64, total: Option<u64>) -> GuardFacts {
        GuardFacts {
            of: Counted::Rows,
            rule: "pii-events".to_owned(),
            table: "public.pii_events".to_owned(),
            due,
            total,
            cutoff: None,
            last: None,
            max_fraction: None,
        }
    }

    fn which(guards: &Guards, as_of: Timestamp, clocks: Clocks, facts: &GuardFacts) -> Vec<Guard> {
        check(guards, as_of, clocks, std::slice::from_ref(facts))
            .iter()
            .map(|tripped| tripped.guard)
            .collect()
    }

    #[test]
    fn all_guards_are_told_at_once() {
        let as_of = at("2026-06-01T00:00:00Z");
        let rule = GuardFacts {
            cutoff: Some(at("2026-05-25T00:00:00Z")),
            last: Some(LastCutoff {
                cutoff: at("2026-03-01T00:00:00Z"),
                as_of: at("2026-05-31T00:00:00Z"),
            }),
            max_fraction: Some(0.5),
            ..facts(1000, Some(1000))
        };
        let got = check(&Guards::default(), as_of, clocks(-600_000), std::slice::from_ref(&rule));
        let text: Vec<String> = got.iter().map(|tripped| tripped.message.clone()).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        the database's clock (2026-05-31T23:50:00Z) is 10 min behind this machine's (2026-06-01T00:00:00Z), more than the 300 s that guards.max_clock_skew_seconds allows; set the clock that is wrong; or look at `retention-job plan`, and if it is what you want, run `retention-job apply --plan <digest>` with its digest
        rule pii-events on public.pii_events: the cutoff moves by 85 days (from 2026-03-01T00:00:00Z to 2026-05-25T00:00:00Z) since the last run, 24 h of time having passed; guards.max_cutoff_factor allows 3 times that (at least a day is counted); was the term shortened, or a clock set? look at `retention-job plan`, and if it is what you want, run `retention-job apply --plan <digest>` with its digest
        rule pii-events on public.pii_events: 1000 of 1000 rows are due (100.00 %), more than its max_fraction 0.5; look at `retention-job plan`, and if it is what you want, run `retention-job apply --plan <digest>` with its digest
        rule pii-events on public.pii_events: all 1000 rows are due (refused from guards.all_due_from_rows = 100 rows on); look at `retention-job plan`, and if it is what you want, run `retention-job apply --plan <digest>` with its digest
        "#);
        assert_eq!(
            got.iter().map(|tripped| tripped.guard).collect::<Vec<_>>(),
            [Guard::ClockSkew, Guard::CutoffJump, Guard::MaxFraction, Guard::AllDue]
        );
    }

    #[test]
    fn a_fraction_that_binary_cannot_hold_is_met_exactly() {
        let guards = Guards {
            all_due_from_rows: u64::MAX,
            ..Guards::default()
        };
        let as_of = at("2026-06-01T00:00:00Z");
        for percent in 1..=100_u64 {
            let rule = |due| GuardFacts {
                max_fraction: Some(
                    format!("0.{percent:02}")
                        .parse::<f64>()
                        .unwrap()
                        .max(f64::from(percent == 100)),
                ),
                ..facts(due, Some(100))
            };
            assert_eq!(which(&guards, as_of, clocks(0), &rule(percent)), [], "{percent} %");
            assert_eq!(
                which(&guards, as_of, clocks(0), &rule(percent + 1)),
                [Guard::MaxFraction],
                "{percent} %"
            );
        }
    }

    fn of_subjects(max_fraction: Option<f64>, open: u64, total: u64) -> GuardFacts {
        let erasure = Erasure {
            subject: retention_policy::SubjectTable {
                table: retention_policy::TableName {
                    schema: "public".to_owned(),
                    name: "users".to_owned(),
                },
                key: "id".to_owned(),
                requested: Vec::new(),
                completed: None,
            },
            tables: Vec::new(),
            max_fraction,
        };
        let users = Relation {
            oid: 7,
            schema: "public".to_owned(),
            name: "users".to_owned(),
        };
        let total = (open > 0).then_some(total);
        GuardFacts::of_subjects(&erasure, &users, SubjectSurvey { open, total })
    }

    #[test]
    fn subjects_that_all_ask_at_once_are_refused_in_their_own_words() {
        let facts = of_subjects(None, 1000, 1000);
        let as_of = at("2026-06-01T00:00:00Z");
        let got = check(&Guards::default(), as_of, clocks(0), std::slice::from_ref(&facts));
        let text: Vec<String> = got.iter().map(|tripped| tripped.message.clone()).collect();
        insta::assert_snapshot!(text.join("\n"));
        assert!(
            got.iter()
                .all(|tripped| tripped.rule.as_deref() == Some("erasure:public.users"))
        );
    }

    #[test]
    fn a_tenth_of_a_hundred_subjects_may_ask_unless_the_policy_says_otherwise() {
        let as_of = at("2026-06-01T00:00:00Z");
        let which = |facts: &GuardFacts| which(&Guards::default(), as_of, clocks(0), facts);
        for (max_fraction, open, total, expected) in [
            (None, 0, 100, vec![]),
            (None, 10, 100, vec![]),
            (None, 11, 100, vec![Guard::MaxFraction]),
            // A handful of a small table.
            (None, 99, 99, vec![]),
            (None, 100, 100, vec![Guard::MaxFraction, Guard::AllDue]),
            (Some(0.01), 1, 99, vec![Guard::MaxFraction]),
            (Some(0.01), 1, 100, vec![]),
            (Some(0.5), 500, 1000, vec![]),
            (Some(0.5), 501, 1000, vec![Guard::MaxFraction]),
            (Some(1.0), 999, 1000, vec![]),
            (Some(1.0), 1000, 1000, vec![Guard::AllDue]),
        ] {
            let facts = of_subjects(max_fraction, open, total);
            assert_eq!(which(&facts), expected, "{max_fraction:?}: {open} of {total}");
        }
    }

    #[test]
    fn an_empty_table_trips_nothing() {
        let guards = Guards {
            all_due_from_rows: 0,
            ..Guards::default()
        };
        let rule = GuardFacts {
            max_fraction: Some(0.01),
            ..facts(0, Some(0))
        };
        assert_eq!(which(&guards, at("2026-06-01T00:00:00Z"), clocks(0), &rule), []);
    }

    proptest! {
        #[test]
        fn the_clock_may_be_off_by_the_limit_and_no_more(limit in 0_u32..100_000, ahead: bool) {
            let guards = Guards { max_clock_skew_seconds: u64::from(limit), ..Guards::default() };
            let sign = if ahead { 1 } else { -1 };
            let skew = i64::from(limit) * 1000 * sign;
            let as_of = at("2026-06-01T00:00:00Z");
            prop_assert_eq!(check(&guards, as_of, clocks(skew), &[]).len(), 0);
            prop_assert_eq!(check(&guards, as_of, clocks(skew + sign), &[]).len(), 1);
        }

        #[test]
        fn the_cutoff_may_move_by_the_factor_and_no_more(
            factor in 1_u8..20,
            passed_hours in -100_i64..5000,
        ) {
            let guards = Guards { max_cutoff_factor: f64::from(factor), ..Guards::default() };
            let as_of = at("2026-06-01T00:00:00Z");
            let last_as_of = as_of - SignedDuration::from_hours(passed_hours);
            let allowed = SignedDuration::from_hours(passed_hours.max(24)) * i32::from(factor);
            let last = at("2010-01-01T00:00:00Z");
            let rule = |more: i64| GuardFacts {
                cutoff: Some(last + allowed + SignedDuration::from_micros(more)),
                last: Some(LastCutoff { cutoff: last, as_of: last_as_of }),
                ..facts(1, None)
            };
            prop_assert_eq!(which(&guards, as_of, clocks(0), &rule(0)), vec![]);
            prop_assert_eq!(which(&guards, as_of, clocks(0), &rule(1)), vec![Guard::CutoffJump]);
            // A cutoff that moves back (a longer term) deletes less.
            prop_assert_eq!(which(&guards, as_of, clocks(0), &rule(-1_000_000_000_000)), vec![]);
        }

        #[test]
        fn all_rows_due_is_refused_from_the_limit_on(from in 1_u64..1000, total in 1_u64..1000) {
            let guards = Guards { all_due_from_rows: from, ..Guards::default() };
            let as_of = at("2026-06-01T00:00:00Z");
            let expected = if total >= from { vec![Guard::AllDue] } else { vec![] };
            prop_assert_eq!(which(&guards, as_of, clocks(0), &facts(total, Some(total))), expected);
            prop_assert_eq!(which(&guards, as_of, clocks(0), &facts(total - 1, Some(total))), vec![]);
        }

        #[test]
        fn the_fraction_may_be_reached_and_not_passed(due in 0_u64..10_000, total in 1_u64..10_000, per_mille in 1_u32..=1000) {
            let guards = Guards { all_due_from_rows: u64::MAX, ..Guards::default() };
            let fraction = f64::from(per_mille) / 1000.0;
            let rule = GuardFacts { max_fraction: Some(fraction), ..facts(due, Some(total)) };
            let over = u128::from(due) * 1000 > u128::from(per_mille) * u128::from(total);
            let got = which(&guards, at("2026-06-01T00:00:00Z"), clocks(0), &rule);
            prop_assert_eq!(got, if over { vec![Guard::MaxFraction] } else { vec![] });
        }
    }
}
