//! Owns the way from the document to the policy, with the mistakes that only a document can have: two keys of which one is meant, a value
//! that does not fit its operator, a number that fits no type. What is wrong is noted and replaced by something right, so that `check` can
//! find the other mistakes; a policy with mistakes is never given out.

use super::{
    GuardsDocument, PolicyDocument,
    erasure::{ErasureActionDocument, ErasureDocument, ErasureTableDocument, ReachDocument},
    rule::{
        ActionDocument, AgeDocument, ConditionDocument, OnChildrenDocument, OpDocument, RuleDocument,
        TransformDocument, UnitDocument,
    },
};
use crate::{
    builtin::{self, RetentionDays},
    error::Mistake,
    policy::{
        Action, Age, Condition, Erasure, ErasureAction, ErasureTable, Guards, OnChildren, Op, Policy, Reach, Rule,
        Scalar, SubjectTable, Term, Transform, Unit,
    },
    text::quoted,
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Display};

type Mistakes = Vec<Mistake>;

/// The policy that a document means. It is only one if no mistake was added.
pub(crate) fn policy(document: PolicyDocument, days: RetentionDays, out: &mut Mistakes) -> Policy {
    if let Some(version) = document.version.filter(|version| *version != 1) {
        out.push(Mistake::new("version", format!("expected 1, found {version}")));
    }
    let rules = document.rules.map(|rules| {
        let numbered = rules.into_iter().enumerate();
        numbered
            .map(|(index, each)| rule(each, &format!("rules[{index}]"), out))
            .collect()
    });
    Policy {
        revision: document.revision,
        grace_seconds: whole(document.grace_seconds, "grace_seconds", "0 or more", out).unwrap_or(0),
        legal_hold_labels: document.legal_hold_labels.unwrap_or_default(),
        rules: rules.unwrap_or_else(|| builtin::rules(days)),
        erasure: document.erasure.map(|each| erasure(each, out)),
        guards: document.guards.map(|each| guards(&each, out)).unwrap_or_default(),
    }
}

fn guards(document: &GuardsDocument, out: &mut Mistakes) -> Guards {
    let default = Guards::default();
    let mut count = |given, key: &str| whole(given, &format!("guards.{key}"), "1 or more", out);
    Guards {
        max_cutoff_factor: document.max_cutoff_factor.unwrap_or(default.max_cutoff_factor),
        all_due_from_rows: count(document.all_due_from_rows, "all_due_from_rows").unwrap_or(default.all_due_from_rows),
        max_clock_skew_seconds: count(document.max_clock_skew_seconds, "max_clock_skew_seconds")
            .unwrap_or(default.max_clock_skew_seconds),
    }
}

fn rule(document: RuleDocument, at: &str, out: &mut Mistakes) -> Rule {
    if document.conditions.as_ref().is_some_and(Vec::is_empty) {
        out.push(Mistake::new(
            format!("{at}.where"),
            "expected at least one condition, found an empty list: leave the key out if there is none",
        ));
    }
    Rule {
        name: document.name,
        table: document.table.0,
        action: match document.action {
            ActionDocument::Delete => Action::Delete,
            ActionDocument::DetachPartition => Action::DetachPartition,
            ActionDocument::Anonymise(columns) => Action::Anonymise(transforms(columns, at, out)),
        },
        age: document.age.map(|each| age(each, &format!("{at}.age"), out)),
        conditions: conditions(document.conditions, &format!("{at}.where"), out),
        max_rows: whole(document.max_rows, &format!("{at}.max_rows"), "1 or more", out),
        max_fraction: document.max_fraction,
        on_children: on_children(document.on_children),
        labels_column: document.labels_column,
        subject_column: document.subject_column,
        allow_no_primary_key: document.allow_no_primary_key.unwrap_or_default(),
        allow_unindexed_foreign_keys: document.allow_unindexed_foreign_keys.unwrap_or_default(),
        keep_columns: document.keep_columns,
    }
}

fn on_children(document: Option<OnChildrenDocument>) -> OnChildren {
    match document {
        None | Some(OnChildrenDocument::Keep) => OnChildren::Keep,
        Some(OnChildrenDocument::Cascade) => OnChildren::Cascade,
    }
}

fn age(document: AgeDocument, at: &str, out: &mut Mistakes) -> Age {
    let days = whole(document.days, &format!("{at}.days"), "1 to 36500", out).map(Term::Days);
    let months = whole(document.months, &format!("{at}.months"), "1 to 1200", out).map(Term::Months);
    match (document.days, document.months) {
        (None, None) => out.push(Mistake::new(at, "expected `days` or `months`, found neither")),
        (Some(_), Some(_)) => out.push(Mistake::new(
            at,
            "expected `days` or `months`, found both: keep one of them",
        )),
        _ => {}
    }
    Age {
        column: document.column,
        term: days.or(months).unwrap_or(Term::Days(1)),
    }
}

fn conditions(document: Option<Vec<ConditionDocument>>, at: &str, out: &mut Mistakes) -> Vec<Condition> {
    let numbered = document.unwrap_or_default().into_iter().enumerate();
    numbered
        .map(|(index, each)| {
            let name = op_name(each.op);
            let op = op(each.op, name, each.value, &format!("{at}[{index}]"), out);
            Condition {
                column: each.column,
                op: op.unwrap_or(Op::NotNull),
            }
        })
        .collect()
}

fn op_name(op: OpDocument) -> &'static str {
    match op {
        OpDocument::Eq => "eq",
        OpDocument::Ne => "ne",
        OpDocument::Lt => "lt",
        OpDocument::Le => "le",
        OpDocument::Gt => "gt",
        OpDocument::Ge => "ge",
        OpDocument::In => "in",
        OpDocument::NotIn => "not_in",
        OpDocument::IsNull => "is_null",
        OpDocument::NotNull => "not_null",
    }
}

fn op(op: OpDocument, name: &str, value: Option<Value>, at: &str, out: &mut Mistakes) -> Option<Op> {
    let mut none = |op| {
        if value.is_some() {
            let message = format!("expected none, since `{name}` compares with nothing: leave the key out");
            out.push(Mistake::new(format!("{at}.value"), message));
        }
        Some(op)
    };
    let one: fn(Scalar) -> Op = match op {
        OpDocument::IsNull => return none(Op::IsNull),
        OpDocument::NotNull => return none(Op::NotNull),
        OpDocument::In => return list(name, value, at, out).map(Op::In),
        OpDocument::NotIn => return list(name, value, at, out).map(Op::NotIn),
        OpDocument::Eq => Op::Eq,
        OpDocument::Ne => Op::Ne,
        OpDocument::Lt => Op::Lt,
        OpDocument::Le => Op::Le,
        OpDocument::Gt => Op::Gt,
        OpDocument::Ge => Op::Ge,
    };
    let Some(value) = value else {
        out.push(Mistake::new(
            at,
            format!("the key `value` is missing: `{name}` compares with one"),
        ));
        return None;
    };
    scalar(value, &format!("{at}.value"), out).map(one)
}

fn list(name: &str, value: Option<Value>, at: &str, out: &mut Mistakes) -> Option<Vec<Scalar>> {
    let place = format!("{at}.value");
    match value {
        None => {
            let message = format!("the key `value` is missing: `{name}` compares with a list");
            out.push(Mistake::new(at, message));
            None
        }
        Some(Value::Array(all)) => {
            let numbered = all.into_iter().enumerate();
            let scalars = numbered.filter_map(|(index, each)| scalar(each, &format!("{place}[{index}]"), out));
            Some(scalars.collect())
        }
        Some(other) => {
            let message = format!("expected a list of values for `{name}`, found {}", found(&other));
            out.push(Mistake::new(place, message));
            None
        }
    }
}

fn scalar(value: Value, at: &str, out: &mut Mistakes) -> Option<Scalar> {
    match value {
        Value::Bool(value) => Some(Scalar::Bool(value)),
        Value::Number(value) => Some(Scalar::Number(value)),
        Value::String(value) => Some(Scalar::Text(value)),
        other => {
            let hint = if other.is_array() && !at.ends_with(']') {
                " (lists are for `in` and `not_in`)"
            } else {
                ""
            };
            let message = format!(
                "expected true, false, a number or a text, found {}{hint}",
                found(&other)
            );
            out.push(Mistake::new(at, message));
            None
        }
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "names with values".to_owned(),
    }
}

fn transforms(
    columns: BTreeMap<String, TransformDocument>,
    at: &str,
    out: &mut Mistakes,
) -> BTreeMap<String, Transform> {
    let each = columns.into_iter().map(|(column, how)| {
        let at = format!("{at}.action.anonymise.{column}");
        let how = transform(how, &at, out);
        (column, how)
    });
    each.collect()
}

fn transform(document: TransformDocument, at: &str, out: &mut Mistakes) -> Transform {
    match document {
        TransformDocument::Null => Transform::Null,
        TransformDocument::Hmac => Transform::Hmac,
        TransformDocument::Constant(value) => {
            scalar(value, &format!("{at}.constant"), out).map_or(Transform::Null, Transform::Constant)
        }
        TransformDocument::TruncateIp(bits) => Transform::TruncateIp {
            v4: whole(bits.v4, &format!("{at}.truncate_ip.v4"), "0 to 32", out).unwrap_or(24),
            v6: whole(bits.v6, &format!("{at}.truncate_ip.v6"), "0 to 128", out).unwrap_or(48),
        },
        TransformDocument::GeneraliseDate(unit) => Transform::GeneraliseDate(match unit {
            UnitDocument::Hour => Unit::Hour,
            UnitDocument::Day => Unit::Day,
            UnitDocument::Week => Unit::Week,
            UnitDocument::Month => Unit::Month,
            UnitDocument::Quarter => Unit::Quarter,
            UnitDocument::Year => Unit::Year,
            UnitDocument::Decade => Unit::Decade,
        }),
    }
}

/// A number of the type that is wanted. One that does not fit is a mistake; whether one that fits is right is `check`'s affair.
fn whole<T: TryFrom<i64>>(given: Option<i64>, at: &str, expected: impl Display, out: &mut Mistakes) -> Option<T> {
    let given = given?;
    let number = T::try_from(given).ok();
    if number.is_none() {
        out.push(Mistake::new(at, format!("expected {expected}, found {given}")));
    }
    number
}

fn erasure(document: ErasureDocument, out: &mut Mistakes) -> Erasure {
    let numbered = document.tables.into_iter().enumerate();
    let subject = document.subject;
    Erasure {
        subject: SubjectTable {
            table: subject.table.0,
            key: subject.key,
            requested: conditions(subject.requested, "erasure.subject.requested", out),
            completed: subject.completed,
        },
        tables: numbered
            .map(|(index, each)| erasure_table(each, &format!("erasure.tables[{index}]"), out))
            .collect(),
        max_fraction: document.max_fraction,
    }
}

fn erasure_table(document: ErasureTableDocument, at: &str, out: &mut Mistakes) -> ErasureTable {
    ErasureTable {
        table: document.table.0,
        action: match document.action {
            ErasureActionDocument::Delete => ErasureAction::Delete,
            ErasureActionDocument::Anonymise(columns) => ErasureAction::Anonymise(transforms(columns, at, out)),
        },
        reach: reach(document.reach),
        on_children: on_children(document.on_children),
        allow_no_primary_key: document.allow_no_primary_key.unwrap_or_default(),
    }
}

fn reach(document: ReachDocument) -> Reach {
    match document {
        ReachDocument::Column(column) => Reach::Column(column),
        ReachDocument::Via(via) => Reach::Via {
            column: via.column,
            table: via.table.0,
            key: via.key,
            reach: Box::new(reach(via.reach)),
        },
    }
}
