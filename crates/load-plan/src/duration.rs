//! Durations as people write them: `5m`, `1m30s`, `500ms`, `1.5s`.

use jiff::SignedDuration;
use std::{fmt::Write, time::Duration};

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no duration: expected a number with a unit, such as 30s, 5m, 1m30s or 500ms")]
pub struct DurationError {
    found: String,
}

/// Reads a duration. Units are h, m, s, ms, us, ns, largest first; days are not among them, because they are not always as
/// long. `0` needs no unit.
///
/// # Errors
/// Not a duration, or a negative one.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let refused = || DurationError { found: text.to_owned() };
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    // ISO 8601 (`PT5M`) is understood too, but it is not what is meant by a slip such as `p5`.
    if !trimmed.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
        return Err(refused());
    }
    let with_zero;
    let readable = if trimmed.starts_with('.') {
        with_zero = format!("0{trimmed}");
        &with_zero
    } else {
        trimmed
    };
    let signed: SignedDuration = readable.parse().map_err(|_| refused())?;
    Duration::try_from(signed).map_err(|_| refused())
}

/// As Go and k6 write it: `5m0s`, `1.5s`, `500ms`; the shortest form that [`parse`] reads back.
pub fn show(duration: Duration) -> String {
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if seconds == 0 {
        return match nanos {
            n if n % 1_000_000 == 0 => format!("{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => format!("{}us", n / 1_000),
            n => format!("{n}ns"),
        };
    }
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Writing to a String cannot fail.
    let mut text = String::new();
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    if nanos > 0 {
        let fraction = format!("{nanos:09}");
        let _ = write!(text, "{rest}.{}s", fraction.trim_end_matches('0'));
    } else if rest > 0 {
        let _ = write!(text, "{rest}s");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, millis) in [
            ("5m", 300_000),
            ("1m30s", 90_000),
            ("5m0s", 300_000),
            ("500ms", 500),
            ("1.5s", 1_500),
            (".5s", 500),
            ("1h30m", 5_400_000),
            (" 10s ", 10_000),
            ("1m 30s", 90_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("100us"), Ok(Duration::from_micros(100)));
        assert_eq!(parse("100µs"), Ok(Duration::from_micros(100)));
    }

    #[test]
    fn what_is_no_duration() {
        for text in [
            "",
            "5",
            "-5s",
            "s",
            "five",
            "5 x",
            "1d",
            "PT5M",
            "5s ago",
            "1e3s",
            "99999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        insta::assert_snapshot!(parse("5").unwrap_err());
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for (millis, shown) in [
            (300_000, "5m"),
            (90_500, "1m30.5s"),
            (5_400_000, "1h30m"),
            (250, "250ms"),
            (0, "0s"),
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(show(duration), shown);
            assert_eq!(parse(shown), Ok(duration));
        }
        for duration in [
            Duration::from_nanos(7),
            Duration::from_micros(1_500_000_007),
            Duration::new(3601, 1),
        ] {
            assert_eq!(parse(&show(duration)), Ok(duration));
        }
    }
}
