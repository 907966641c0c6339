//! Owns what names and text must be so that PostgreSQL can have them.

use crate::{
    error::Mistake,
    policy::{Condition, Op, Scalar, TableName, Transform},
    text::quoted,
};
use std::collections::BTreeMap;

/// PostgreSQL cuts longer names off, so a longer one is always another one than was meant.
const MAX_NAME: usize = 63;

/// Schemas that are not for policies: what proves a run is not to be deleted by one.
fn is_reserved(schema: &str) -> bool {
    matches!(schema, "retention" | "information_schema") || schema.starts_with("pg_")
}

/// A table.
pub(super) fn table(name: &TableName, at: &str, out: &mut Vec<Mistake>) {
    identifier(&name.schema, "the name of a schema", at, out);
    identifier(&name.name, "the name of a table", at, out);
    if is_reserved(&name.schema) {
        out.push(Mistake::new(
            at,
            format!(
                "expected a table of yours, found one in the schema {}, which belongs to {}",
                quoted(&name.schema),
                if name.schema == "retention" {
                    "this tool"
                } else {
                    "PostgreSQL"
                },
            ),
        ));
    }
}

/// A column.
pub(super) fn column(name: &str, at: &str, out: &mut Vec<Mistake>) {
    identifier(name, "the name of a column", at, out);
}

fn identifier(name: &str, what: &str, at: &str, out: &mut Vec<Mistake>) {
    let bytes = name.len();
    if name.is_empty() {
        out.push(Mistake::new(at, format!("expected {what}, found an empty text")));
    } else if bytes > MAX_NAME {
        let shown = quoted(name);
        let message = format!("expected {what} of at most {MAX_NAME} bytes, found {bytes} in {shown}");
        out.push(Mistake::new(at, message));
    } else if name.contains('\0') {
        out.push(Mistake::new(
            at,
            format!("expected {what}, found {} with a NUL in it", quoted(name)),
        ));
    }
}

/// Text that is sent to PostgreSQL, which knows no NUL.
pub(super) fn text(text: &str, at: &str, out: &mut Vec<Mistake>) {
    if text.contains('\0') {
        out.push(Mistake::new(
            at,
            format!("expected a text without NUL, found {}", quoted(text)),
        ));
    }
}

fn scalar(value: &Scalar, at: &str, out: &mut Vec<Mistake>) {
    if let Scalar::Text(value) = value {
        text(value, at, out);
    }
}

/// Conditions.
pub(super) fn conditions(all: &[Condition], at: &str, out: &mut Vec<Mistake>) {
    for (index, condition) in all.iter().enumerate() {
        let at = format!("{at}[{index}]");
        column(&condition.column, &format!("{at}.column"), out);
        let at = format!("{at}.value");
        match &condition.op {
            Op::Eq(value) | Op::Ne(value) | Op::Lt(value) | Op::Le(value) | Op::Gt(value) | Op::Ge(value) => {
                scalar(value, &at, out);
            }
            Op::In(values) | Op::NotIn(values) => {
                if values.is_empty() {
                    out.push(Mistake::new(&at, "expected at least one value, found an empty list"));
                }
                for (index, value) in values.iter().enumerate() {
                    scalar(value, &format!("{at}[{index}]"), out);
                }
            }
            Op::IsNull | Op::NotNull => {}
        }
    }
}

/// Columns that are made anonymous.
pub(super) fn transforms(columns: &BTreeMap<String, Transform>, at: &str, out: &mut Vec<Mistake>) {
    if columns.is_empty() {
        out.push(Mistake::new(at, "expected at least one column, found none"));
    }
    for (name, how) in columns {
        let at = format!("{at}.{}", crate::text::plain(name));
        column(name, &at, out);
        match how {
            Transform::Constant(value) => scalar(value, &format!("{at}.constant"), out),
            Transform::TruncateIp { v4, v6 } => bits(*v4, *v6, &format!("{at}.truncate_ip"), out),
            Transform::Null | Transform::Hmac | Transform::GeneraliseDate(_) => {}
        }
    }
}

fn bits(v4: u8, v6: u8, at: &str, out: &mut Vec<Mistake>) {
    for (key, bits, most) in [("v4", v4, 32), ("v6", v6, 128)] {
        if bits > most {
            out.push(Mistake::new(
                format!("{at}.{key}"),
                format!("expected 0 to {most}, found {bits}"),
            ));
        }
    }
    if (v4, v6) == (32, 128) {
        out.push(Mistake::new(
            at,
            "expected fewer bits than an address has, found all of them: nothing would be anonymous",
        ));
    }
}
