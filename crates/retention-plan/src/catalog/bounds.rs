//! Owns the reading of partition bounds as `pg_get_expr(relpartbound, oid)` writes them. Strict: what is not understood
//! to the last letter is no bound, and then rows are looked at one by one.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The time that no row of `FOR VALUES FROM (...) TO ('time')` reaches, read as UTC. `None`: MAXVALUE, infinity, more
/// than one column, another kind of partition, another type, a year that has not four digits.
pub(super) fn upper(bound: &str, base_type: &str) -> Option<Timestamp> {
    let (from, to) = bound
        .strip_prefix("FOR VALUES FROM (")?
        .strip_suffix(')')?
        .split_once(") TO (")?;
    if from != "MINVALUE" {
        literal(from)?;
    }
    let text = literal(to)?;
    let year = text.split_once('-')?.0;
    if year.len() != 4 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let at_utc = |when: DateTime| Some(TimeZone::UTC.to_zoned(when).ok()?.timestamp());
    match base_type {
        "date" if text.len() == 10 => at_utc(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())),
        "timestamp without time zone" => {
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b"-: .".contains(&b));
            at_utc(text.parse().ok().filter(|_| plain && text.len() >= 19)?)
        }
        "timestamp with time zone" => text.parse().ok(),
        _ => None,
    }
}

/// `'text'` without quotes inside, as times have none.
fn literal(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inner.contains('\'')).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "date";
    const PLAIN: &str = "timestamp without time zone";
    const ZONED: &str = "timestamp with time zone";

    #[test]
    fn what_postgresql_writes_is_understood() {
        for (bound, base_type, expected) in [
            (
                "FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
                DATE,
                "2024-02-01T00:00:00Z",
            ),
            (
                "FOR VALUES FROM (MINVALUE) TO ('2024-02-01')",
                DATE,
                "2024-02-01T00:00:00Z",
            ),
            (
                "FOR VALUES FROM ('2024-01-01 00:00:00') TO ('2024-02-01 12:30:00.5')",
                PLAIN,
                "2024-02-01T12:30:00.5Z",
            ),
            (
                "FOR VALUES FROM ('-infinity') TO ('2024-02-01 00:00:00+00')",
                ZONED,
                "2024-02-01T00:00:00Z",
            ),
            (
                "FOR VALUES FROM (MINVALUE) TO ('2024-02-01 00:00:00.25+05:30')",
                ZONED,
                "2024-01-31T18:30:00.25Z",
            ),
        ] {
            assert_eq!(upper(bound, base_type), expected.parse().ok(), "{bound}");
        }
    }

    #[test]
    fn everything_else_is_no_bound() {
        for (bound, base_type) in [
            ("DEFAULT", DATE),
            ("FOR VALUES IN ('2024-01-01')", DATE),
            ("FOR VALUES WITH (modulus 2, remainder 0)", DATE),
            ("FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)", DATE),
            ("FOR VALUES FROM ('2024-01-01') TO ('infinity')", DATE),
            ("FOR VALUES FROM ('2024-01-01', 1) TO ('2024-02-01', 2)", DATE),
            ("FOR VALUES FROM ('2024-01-01', '1') TO ('2024-02-01', '2')", DATE),
            ("FOR VALUES FROM ('0044-03-15 BC') TO ('0044-03-16 BC')", DATE),
            ("FOR VALUES FROM ('10000-01-01') TO ('10001-01-01')", DATE),
            ("FOR VALUES FROM (1) TO (2)", "integer"),
            ("FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')", "text"),
            ("FOR VALUES FROM (MINVALUE) TO ('2024-02-01 00:00:00')", ZONED),
            ("FOR VALUES FROM (MINVALUE) TO ('2024-02-01 00:00:00+00')", PLAIN),
            ("FOR VALUES FROM (MINVALUE) TO ('01/02/2024')", DATE),
            ("FOR VALUES FROM (MINVALUE) TO ('2024-02-01 00:00:00 BC')", PLAIN),
            ("FOR VALUES FROM (MINVALUE) TO ('2024-02-01 00:00:00+00 BC')", ZONED),
        ] {
            assert_eq!(upper(bound, base_type), None, "{bound} {base_type}");
        }
    }
}
