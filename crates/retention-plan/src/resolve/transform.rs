//! Owns the SQL of every transform: what a column is set to, and when there is anything to do. Each is idempotent: the
//! guard is false for its own results.

use super::error::Problem;
use super::keys::Keys;
use crate::model::Column;
use pg_session::{Sql, quote_ident};
use retention_policy::{Transform, Unit};

/// `hmac:` and 64 hex digits.
const HMAC_CHARS: u32 = 69;

/// Text that PostgreSQL's `inet` reads without complaint, on every version. What this does not match is not an address.
const ADDRESS: &str = concat!(
    "^(",
    "((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(/(3[0-2]|[12]?[0-9]))?|",
    "(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|([0-9a-f]{1,4}:){1,7}:|([0-9a-f]{1,4}:){1,6}:[0-9a-f]{1,4}|",
    "([0-9a-f]{1,4}:){1,5}(:[0-9a-f]{1,4}){1,2}|([0-9a-f]{1,4}:){1,4}(:[0-9a-f]{1,4}){1,3}|",
    "([0-9a-f]{1,4}:){1,3}(:[0-9a-f]{1,4}){1,4}|([0-9a-f]{1,4}:){1,2}(:[0-9a-f]{1,4}){1,5}|",
    "[0-9a-f]{1,4}:(:[0-9a-f]{1,4}){1,6}|:((:[0-9a-f]{1,4}){1,7}|:)|",
    "::ffff:((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])",
    ")(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?",
    ")$"
);

/// What becomes of a column.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// `"c" = ...`
    pub(crate) set: Sql,
    /// It is not anonymous yet. Never NULL where it matters: NULL counts as false.
    pub(crate) guard: Sql,
    /// A result, and an expression that fails on the server if the column cannot take it.
    pub(crate) probe: Option<(String, Sql)>,
}

/// The column as the row has it: `t."c"`.
pub(crate) fn of_row(column: &Column) -> Sql {
    Sql::text(format!("t.{}", quote_ident(&column.name)))
}

/// Turns a transform into SQL.
pub(crate) fn change(column: &Column, transform: &Transform, keys: &Keys) -> Result<Change, Problem> {
    let value = of_row(column);
    let set = |expression: &Sql| Sql::new().ident(&column.name).raw(" = ").append(expression);
    match transform {
        Transform::Null => {
            if column.not_null {
                return Err(Problem::NotNull { because: "" });
            }
            Ok(Change {
                set: set(&Sql::text("NULL")),
                guard: value.raw(" IS NOT NULL"),
                probe: is_domain(column).then(|| ("NULL".to_owned(), Sql::text(format!("NULL::{}", column.type_name)))),
            })
        }
        Transform::Constant(constant) => {
            let text = constant.as_text();
            let chars = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
            fits(column, chars)?;
            let constant = Sql::new().param(text.as_str(), column.type_name.as_str());
            Ok(Change {
                set: set(&constant),
                guard: value.raw(" IS DISTINCT FROM ").append(&constant),
                probe: Some((text, constant.clone().raw(" IS DISTINCT FROM ").append(&constant))),
            })
        }
        Transform::Hmac => hmac(column, keys),
        Transform::TruncateIp { v4, v6 } => truncate_ip(column, *v4, *v6),
        Transform::GeneraliseDate(unit) => {
            let rounded = generalised(column, *unit)?;
            Ok(Change {
                set: set(&rounded),
                guard: value.raw(" IS DISTINCT FROM ").append(&rounded),
                probe: None,
            })
        }
    }
}

/// A domain can have checks of its own. (Or a type with a precision, for which the same may be tried.)
fn is_domain(column: &Column) -> bool {
    column.base_type != column.type_name
}

fn fits(column: &Column, needed: u32) -> Result<(), Problem> {
    match column.max_chars {
        Some(room) if room < needed => Err(Problem::TooShort {
            found: column.type_name.clone(),
            room,
            needed,
        }),
        _ => Ok(()),
    }
}

fn hmac(column: &Column, keys: &Keys) -> Result<Change, Problem> {
    if !matches!(column.base_type.as_str(), "text" | "character varying") {
        return Err(Problem::Type {
            found: column.type_name.clone(),
            needed: "text or varchar for hmac".to_owned(),
        });
    }
    fits(column, HMAC_CHARS)?;
    let key = keys.hmac.as_ref().ok_or(Problem::NoHmacKey)?;
    let value = of_row(column);
    let guard = value.clone().raw(" !~ '^hmac:[0-9a-f]{64}$'");
    let set = Sql::new()
        .ident(&column.name)
        .raw(" = CASE WHEN ")
        .append(&guard)
        .raw(" THEN ")
        .append(&key.sql(&value))
        .raw(" ELSE ")
        .append(&value)
        .raw(" END");
    let sample = format!("('hmac:' || repeat('0', 64))::{}", column.type_name);
    Ok(Change {
        set,
        guard,
        probe: is_domain(column).then(|| ("an HMAC".to_owned(), Sql::text(sample))),
    })
}

fn truncate_ip(column: &Column, v4: u8, v6: u8) -> Result<Change, Problem> {
    let value = format!("t.{}", quote_ident(&column.name));
    let network = |address: &str| {
        format!(
            "network(set_masklen({address}, least(masklen({address}), CASE family({address}) WHEN 4 THEN {v4} ELSE {v6} END)))"
        )
    };
    let (before, after) = match column.base_type.as_str() {
        "inet" => (
            format!("{value}::inet"),
            format!("{}::inet", network(&format!("{value}::inet"))),
        ),
        "cidr" => (format!("{value}::cidr"), network(&format!("{value}::inet"))),
        "text" | "character varying" | "bpchar" if column.not_null => {
            return Err(Problem::NotNull {
                because: " where it holds no address",
            });
        }
        "text" | "character varying" | "bpchar" => {
            let text = format!("{value}::text");
            let shown = format!("host({})", network(&format!("({text})::inet")));
            (
                text.clone(),
                format!("CASE WHEN {text} ~* '{ADDRESS}' THEN {shown} END"),
            )
        }
        _ => {
            return Err(Problem::Type {
                found: column.type_name.clone(),
                needed: "inet, cidr, text or varchar for truncate-ip".to_owned(),
            });
        }
    };
    Ok(Change {
        set: Sql::new().ident(&column.name).raw(format!(" = {after}")),
        guard: Sql::text(format!("{before} IS DISTINCT FROM {after}")),
        probe: None,
    })
}

fn name_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Hour => "hour",
        Unit::Day => "day",
        Unit::Week => "week",
        Unit::Month => "month",
        Unit::Quarter => "quarter",
        Unit::Year => "year",
        Unit::Decade => "decade",
    }
}

/// The beginning of the unit. Infinity stays. Values at the very ends of what a timestamp can hold are first moved to where
/// the beginning of their decade can be held too; else one such row would stop the whole statement.
fn generalised(column: &Column, unit: Unit) -> Result<Sql, Problem> {
    let value = format!("t.{}", quote_ident(&column.name));
    let unit_name = name_of(unit);
    let rounded = match column.base_type.as_str() {
        "date" => {
            if matches!(unit, Unit::Hour | Unit::Day) {
                return Err(Problem::NothingFiner {
                    found: column.type_name.clone(),
                    unit: "day",
                });
            }
            let held = format!("least(greatest({value}, date '4700-01-01 BC'), date '294276-01-01')");
            format!("date_trunc('{unit_name}', {held}::timestamp)::date")
        }
        "timestamp without time zone" => {
            format!("date_trunc('{unit_name}', greatest({value}, timestamp '4700-01-01 BC'))")
        }
        "timestamp with time zone" => {
            format!("date_trunc('{unit_name}', greatest({value}, timestamptz '4700-01-01 00:00+00 BC'), 'UTC')")
        }
        _ => {
            return Err(Problem::Type {
                found: column.type_name.clone(),
                needed: "date, timestamp or timestamptz for generalise-date".to_owned(),
            });
        }
    };
    Ok(Sql::text(format!(
        "CASE WHEN isfinite({value}) THEN {rounded} ELSE {value} END"
    )))
}
