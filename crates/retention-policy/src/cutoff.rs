//! Owns the one formula from a term to a point in time.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_it_ends() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let got = cutoff(at("2026-03-31T12:00:00Z"), Term::Months(1), 0);
        assert_eq!(got, Ok(at("2026-02-28T12:00:00Z")));
        let got = cutoff(at("2026-03-31T12:00:00Z"), Term::Days(30), 3600);
        assert_eq!(got, Ok(at("2026-03-01T11:00:00Z")));
    }
}
