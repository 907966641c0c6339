//! Owns the way from a policy to its document, and the canonical form: the same policy, however it was written, is the same text.

use super::{
    GuardsDocument, PolicyDocument,
    erasure::{
        ErasureActionDocument, ErasureDocument, ErasureTableDocument, ReachDocument, SubjectDocument, ViaDocument,
    },
    rule::{
        ActionDocument, AgeDocument, ConditionDocument, OnChildrenDocument, OpDocument, RuleDocument,
        TransformDocument, TruncateDocument, UnitDocument,
    },
    shapes::TableDocument,
};
use crate::policy::{
    Action, Condition, Erasure, ErasureAction, ErasureTable, Guards, OnChildren, Op, Policy, Reach, Rule, Scalar,
    TableName, Term, Transform, Unit,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The policy as JSON on one line: keys in the order of their letters, nothing that has its default, no spaces. [`crate::read()`] reads it
/// back to the same policy.
pub fn canonical(policy: &Policy) -> String {
    // These types hold nothing that cannot be JSON: text keys, finite numbers.
    let mut value = serde_json::to_value(document(policy)).unwrap_or_default();
    value.sort_all_objects();
    value.to_string()
}

pub(crate) fn document(policy: &Policy) -> PolicyDocument {
    PolicyDocument {
        schema: None,
        version: None,
        revision: policy.revision,
        grace_seconds: Some(signed(policy.grace_seconds)).filter(|seconds| *seconds != 0),
        legal_hold_labels: Some(policy.legal_hold_labels.clone()).filter(|labels| !labels.is_empty()),
        rules: Some(policy.rules.iter().map(rule).collect()),
        erasure: policy.erasure.as_ref().map(erasure),
        guards: Some(&policy.guards)
            .filter(|guards| **guards != Guards::default())
            .map(guards),
    }
}

/// Limits and counts are far below 2^63 in any policy that passed its checks.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn guards(guards: &Guards) -> GuardsDocument {
    GuardsDocument {
        max_cutoff_factor: Some(guards.max_cutoff_factor),
        all_due_from_rows: Some(signed(guards.all_due_from_rows)),
        max_clock_skew_seconds: Some(signed(guards.max_clock_skew_seconds)),
    }
}

fn table(name: &TableName) -> TableDocument {
    TableDocument(name.clone())
}

fn rule(rule: &Rule) -> RuleDocument {
    RuleDocument {
        name: rule.name.clone(),
        table: table(&rule.table),
        action: match &rule.action {
            Action::Delete => ActionDocument::Delete,
            Action::DetachPartition => ActionDocument::DetachPartition,
            Action::Anonymise(columns) => ActionDocument::Anonymise(transforms(columns)),
        },
        age: rule.age.as_ref().map(|age| AgeDocument {
            column: age.column.clone(),
            days: match age.term {
                Term::Days(days) => Some(i64::from(days)),
                Term::Months(_) => None,
            },
            months: match age.term {
                Term::Months(months) => Some(i64::from(months)),
                Term::Days(_) => None,
            },
        }),
        conditions: Some(conditions(&rule.conditions)).filter(|all| !all.is_empty()),
        max_rows: rule.max_rows.map(signed),
        max_fraction: rule.max_fraction,
        on_children: on_children(rule.on_children),
        labels_column: rule.labels_column.clone(),
        subject_column: rule.subject_column.clone(),
        allow_no_primary_key: Some(true).filter(|_| rule.allow_no_primary_key),
        allow_unindexed_foreign_keys: Some(true).filter(|_| rule.allow_unindexed_foreign_keys),
        keep_columns: rule.keep_columns.clone(),
    }
}

fn on_children(on_children: OnChildren) -> Option<OnChildrenDocument> {
    match on_children {
        OnChildren::Keep => None,
        OnChildren::Cascade => Some(OnChildrenDocument::Cascade),
    }
}

fn conditions(all: &[Condition]) -> Vec<ConditionDocument> {
    all.iter().map(condition).collect()
}

fn condition(condition: &Condition) -> ConditionDocument {
    let list = |all: &[Scalar]| Some(Value::Array(all.iter().map(scalar).collect()));
    let (op, value) = match &condition.op {
        Op::Eq(value) => (OpDocument::Eq, Some(scalar(value))),
        Op::Ne(value) => (OpDocument::Ne, Some(scalar(value))),
        Op::Lt(value) => (OpDocument::Lt, Some(scalar(value))),
        Op::Le(value) => (OpDocument::Le, Some(scalar(value))),
        Op::Gt(value) => (OpDocument::Gt, Some(scalar(value))),
        Op::Ge(value) => (OpDocument::Ge, Some(scalar(value))),
        Op::In(all) => (OpDocument::In, list(all)),
        Op::NotIn(all) => (OpDocument::NotIn, list(all)),
        Op::IsNull => (OpDocument::IsNull, None),
        Op::NotNull => (OpDocument::NotNull, None),
    };
    ConditionDocument {
        column: condition.column.clone(),
        op,
        value,
    }
}

fn scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Number(value) => Value::Number(value.clone()),
        Scalar::Text(value) => Value::String(value.clone()),
    }
}

fn transforms(columns: &BTreeMap<String, Transform>) -> BTreeMap<String, TransformDocument> {
    let each = columns.iter().map(|(column, how)| (column.clone(), transform(how)));
    each.collect()
}

fn transform(how: &Transform) -> TransformDocument {
    match how {
        Transform::Null => TransformDocument::Null,
        Transform::Hmac => TransformDocument::Hmac,
        Transform::Constant(value) => TransformDocument::Constant(scalar(value)),
        Transform::TruncateIp { v4, v6 } => TransformDocument::TruncateIp(TruncateDocument {
            v4: Some(i64::from(*v4)),
            v6: Some(i64::from(*v6)),
        }),
        Transform::GeneraliseDate(unit) => TransformDocument::GeneraliseDate(match unit {
            Unit::Hour => UnitDocument::Hour,
            Unit::Day => UnitDocument::Day,
            Unit::Week => UnitDocument::Week,
            Unit::Month => UnitDocument::Month,
            Unit::Quarter => UnitDocument::Quarter,
            Unit::Year => UnitDocument::Year,
            Unit::Decade => UnitDocument::Decade,
        }),
    }
}

fn erasure(erasure: &Erasure) -> ErasureDocument {
    let subject = &erasure.subject;
    ErasureDocument {
        subject: SubjectDocument {
            table: table(&subject.table),
            key: subject.key.clone(),
            requested: Some(conditions(&subject.requested)).filter(|all| !all.is_empty()),
            completed: subject.completed.clone(),
        },
        tables: erasure.tables.iter().map(erasure_table).collect(),
        max_fraction: erasure.max_fraction,
    }
}

fn erasure_table(each: &ErasureTable) -> ErasureTableDocument {
    ErasureTableDocument {
        table: table(&each.table),
        action: match &each.action {
            ErasureAction::Delete => ErasureActionDocument::Delete,
            ErasureAction::Anonymise(columns) => ErasureActionDocument::Anonymise(transforms(columns)),
        },
        reach: reach(&each.reach),
        on_children: on_children(each.on_children),
        allow_no_primary_key: Some(true).filter(|_| each.allow_no_primary_key),
    }
}

fn reach(each: &Reach) -> ReachDocument {
    match each {
        Reach::Column(column) => ReachDocument::Column(column.clone()),
        Reach::Via {
            column,
            table: next,
            key,
            reach: rest,
        } => ReachDocument::Via(Box::new(ViaDocument {
            column: column.clone(),
            table: table(next),
            key: key.clone(),
            reach: reach(rest),
        })),
    }
}
