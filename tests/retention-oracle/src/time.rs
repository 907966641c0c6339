//! Owns time: from microseconds to what PostgreSQL prints, cutoffs, beginnings of units. By calendar arithmetic of its own.

use crate::case::{DAY, Kind, Moment, Term};
use std::fmt::Write as _;

/// Year, month, day of a day since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let mut year = 1970;
    let mut left = days;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if left < 0 {
            year -= 1;
            left += if leap(year) { 366 } else { 365 };
        } else if left >= length {
            left -= length;
            year += 1;
        } else {
            break;
        }
    }
    let mut month = 1;
    while left >= length(year, month) {
        left -= length(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let years: i64 = if year >= 1970 {
        (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum()
    } else {
        -(year..1970).map(|year| if leap(year) { 366 } else { 365 }).sum::<i64>()
    };
    years + (1..month).map(|month| length(year, month)).sum::<i64>() + day - 1
}

/// Rows before this are due.
pub(crate) fn cutoff(as_of: i64, grace_seconds: i64, term: Term) -> i64 {
    let from = as_of - grace_seconds * 1_000_000;
    match term {
        Term::Days(days) => from - days * DAY,
        Term::Months(months) => {
            let (year, month, day) = civil(from.div_euclid(DAY));
            let whole = year * 12 + (month - 1) - months;
            let (year, month) = (whole.div_euclid(12), whole.rem_euclid(12) + 1);
            days(year, month, day.min(length(year, month))) * DAY + from.rem_euclid(DAY)
        }
    }
}

/// The beginning of a unit.
pub(crate) fn beginning(moment: Moment, unit: &str) -> Moment {
    let Moment::At(micros) = moment else {
        return moment;
    };
    let day = micros.div_euclid(DAY);
    let (year, month, _) = civil(day);
    Moment::At(match unit {
        "hour" => micros - micros.rem_euclid(crate::case::HOUR),
        "day" => day * DAY,
        // 1970-01-01 was a Thursday.
        "week" => (day - (day + 3).rem_euclid(7)) * DAY,
        "month" => days(year, month, 1) * DAY,
        "quarter" => days(year, (month - 1) / 3 * 3 + 1, 1) * DAY,
        "year" => days(year, 1, 1) * DAY,
        "decade" => days(year - year.rem_euclid(10), 1, 1) * DAY,
        other => panic!("no unit: {other}"),
    })
}

/// As PostgreSQL prints it in UTC; also as it reads it.
pub(crate) fn text(moment: Moment, kind: Kind) -> String {
    let micros = match moment {
        Moment::Before => return "-infinity".to_owned(),
        Moment::After => return "infinity".to_owned(),
        Moment::At(micros) => micros,
    };
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    if kind == Kind::Date {
        return text;
    }
    let rest = micros.rem_euclid(DAY);
    let seconds = rest / 1_000_000;
    let _ = write!(
        text,
        " {:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let fraction = format!("{:06}", rest % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        let _ = write!(text, ".{fraction}");
    }
    if kind == Kind::StampTz {
        text.push_str("+00");
    }
    text
}
