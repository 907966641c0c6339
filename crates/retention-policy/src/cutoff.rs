//! Owns the one formula from a term to a point in time, and which point in time a run may be for.

use crate::policy::Term;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

/// A term reaches further back than time does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{term:?} before {as_of} is before the beginning of time; expected a shorter term")]
pub struct CutoffError {
    /// The term.
    pub term: Term,
    /// From where it counts.
    pub as_of: Timestamp,
}

/// Rows before this are due: `as_of` (UTC) minus the grace, minus the term. Days are 24 hours; months are the calendar's,
/// and a day that the earlier month does not have becomes its last, as PostgreSQL's `timestamp - interval` has it.
///
/// # Errors
/// The result would be before year -9999.
pub fn cutoff(as_of: Timestamp, term: Term, grace_seconds: u64) -> Result<Timestamp, CutoffError> {
    let failed = |_| CutoffError { term, as_of };
    let grace = i64::try_from(grace_seconds).map_err(|_| CutoffError { term, as_of })?;
    let from = as_of.checked_sub(SignedDuration::from_secs(grace)).map_err(failed)?;
    let span = match term {
        Term::Days(days) => Span::new().try_days(days),
        Term::Months(months) => Span::new().try_months(months),
    };
    let earlier = from
        .to_zoned(TimeZone::UTC)
        .checked_sub(span.map_err(failed)?)
        .map_err(failed)?;
    Ok(earlier.timestamp())
}

/// `--as-of` lies ahead: rows that are not due yet would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{as_of} is in the future: expected a time not after {now}, the database's clock")]
pub struct AsOfError {
    /// As it was given.
    pub as_of: Timestamp,
    /// The database's clock.
    pub now: Timestamp,
}

/// A run may be for now or for the past.
///
/// # Errors
/// `as_of` is after `now`.
pub fn check_as_of(as_of: Timestamp, now: Timestamp) -> Result<(), AsOfError> {
    if as_of > now {
        return Err(AsOfError { as_of, now });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_ends_where_it_ends() {
        for (as_of, months, expected) in [
            ("2026-03-31T12:00:00Z", 1, "2026-02-28T12:00:00Z"),
            ("2024-03-31T12:00:00Z", 1, "2024-02-29T12:00:00Z"),
            ("2025-02-28T12:00:00Z", 12, "2024-02-28T12:00:00Z"),
            ("2024-02-29T12:00:00Z", 12, "2023-02-28T12:00:00Z"),
            ("2026-05-31T00:00:00Z", 1, "2026-04-30T00:00:00Z"),
            ("2026-01-31T23:59:59.999999Z", 2, "2025-11-30T23:59:59.999999Z"),
        ] {
            assert_eq!(cutoff(at(as_of), Term::Months(months), 0), Ok(at(expected)), "{as_of}");
        }
    }

    #[test]
    fn the_grace_comes_before_the_term() {
        let got = cutoff(at("2026-03-31T12:00:00Z"), Term::Days(30), 3600);
        assert_eq!(got, Ok(at("2026-03-01T11:00:00Z")));
        // From 1 March minus a day, not from 28 February.
        let got = cutoff(at("2026-03-01T00:00:00Z"), Term::Months(1), 86_400);
        assert_eq!(got, Ok(at("2026-01-28T00:00:00Z")));
    }

    #[test]
    fn days_do_not_know_of_summer_time() {
        // Europe: 29 March 2026; America: 8 March. The days have 23 hours there, and 24 here.
        for as_of in ["2026-03-29T12:00:00Z", "2026-03-08T12:00:00Z", "2026-10-25T12:00:00Z"] {
            let got = cutoff(at(as_of), Term::Days(1), 0).unwrap();
            assert_eq!(at(as_of).duration_since(got), SignedDuration::from_hours(24));
        }
    }

    #[test]
    fn there_is_nothing_before_the_beginning_of_time() {
        let early = at("-009999-06-01T00:00:00Z");
        for (term, grace) in [
            (Term::Days(365), 0),
            (Term::Months(12), 0),
            (Term::Days(1), 365 * 86_400),
            (Term::Days(1), u64::MAX),
            (Term::Days(u32::MAX), 0),
            (Term::Months(u32::MAX), 0),
        ] {
            assert_eq!(cutoff(early, term, grace), Err(CutoffError { term, as_of: early }));
        }
        insta::assert_snapshot!(cutoff(early, Term::Days(365), 0).unwrap_err());
    }

    #[test]
    fn no_run_is_for_the_future() {
        let now = at("2026-03-01T00:00:00Z");
        assert_eq!(check_as_of(now, now), Ok(()));
        assert_eq!(check_as_of(at("2026-02-28T00:00:00Z"), now), Ok(()));
        insta::assert_snapshot!(check_as_of(at("2026-03-01T00:00:00.000001Z"), now).unwrap_err());
    }

    fn times() -> impl Strategy<Value = Timestamp> {
        // 1900 to 2300, to the microsecond, as PostgreSQL has them.
        (-2_208_988_800_000_000_i64..10_413_792_000_000_000)
            .prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
    }

    fn terms() -> impl Strategy<Value = Term> {
        prop_oneof![
            (1..=36_500_u32).prop_map(Term::Days),
            (1..=1200_u32).prop_map(Term::Months)
        ]
    }

    fn longer(term: Term, by: u32) -> Term {
        match term {
            Term::Days(days) => Term::Days(days + by),
            Term::Months(months) => Term::Months(months + by),
        }
    }

    proptest! {
        #[test]
        fn a_later_run_never_has_an_earlier_cutoff(a in times(), b in times(), term in terms(), grace in 0..100_000_000_u64) {
            let (early, late) = (a.min(b), a.max(b));
            prop_assert!(cutoff(early, term, grace).unwrap() <= cutoff(late, term, grace).unwrap());
        }

        #[test]
        fn a_longer_term_or_grace_never_has_a_later_cutoff(
            as_of in times(), term in terms(), by in 0..100_u32, grace in 0..100_000_000_u64, more in 0..100_000_000_u64,
        ) {
            let short = cutoff(as_of, term, grace).unwrap();
            prop_assert!(cutoff(as_of, longer(term, by), grace).unwrap() <= short);
            prop_assert!(cutoff(as_of, term, grace + more).unwrap() <= short);
            prop_assert!(short < as_of);
        }

        #[test]
        fn days_are_hours(as_of in times(), days in 1..=36_500_u32) {
            let got = cutoff(as_of, Term::Days(days), 0).unwrap();
            prop_assert_eq!(as_of.duration_since(got), SignedDuration::from_hours(i64::from(days) * 24));
        }

        #[test]
        fn months_keep_the_day_or_take_the_last(as_of in times(), months in 1..=1200_u32) {
            let then = as_of.to_zoned(TimeZone::UTC);
            let got = cutoff(as_of, Term::Months(months), 0).unwrap().to_zoned(TimeZone::UTC);
            prop_assert_eq!(got.time(), then.time());
            let number = |date: &jiff::Zoned| i64::from(date.year()) * 12 + i64::from(date.month());
            prop_assert_eq!(number(&then) - number(&got), i64::from(months));
            prop_assert_eq!(got.day(), then.day().min(got.days_in_month()));
        }
    }
}
