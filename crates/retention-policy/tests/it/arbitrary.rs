//! Random policies that are right.

use proptest::{collection::vec, option, prelude::*, string::string_regex};
use retention_policy::{
    Action, Age, Condition, Erasure, ErasureAction, ErasureTable, Guards, OnChildren, Op, Policy, Reach, Rule, Scalar,
    SubjectTable, TableName, Term, Transform, Unit,
};
use std::collections::{BTreeMap, BTreeSet};

/// Words that YAML, or a person, could take for something else.
const TRAPS: &[&str] = &[
    "no",
    "yes",
    "on",
    "off",
    "true",
    "null",
    "~",
    "Null",
    "0123",
    "1",
    "1.10",
    "1e3",
    "0x5a",
    "2024-01-31",
    ".inf",
    "-",
    "<<",
    "*a",
    "&a",
    "!a",
    "{}",
    "[]",
    "#",
    "a: b",
    "a #b",
    " a ",
    "\"",
    "'",
    "`",
    "%",
    "@",
    "\n",
    "a\nb",
    "\t",
    "\u{85}",
    "\u{feff}",
    "\u{2028}",
    "\\",
    "ä",
    "💥",
    "\"; drop table t; --",
    "constant",
    "action",
    "anonymise",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(TRAPS).prop_map(str::to_owned),
        2 => string_regex("[a-zA-Z_ .\"]{1,20}").unwrap(),
        1 => string_regex("[^\u{0}]{1,12}").unwrap(),
    ]
}

fn name() -> impl Strategy<Value = String> {
    word().prop_filter("a name that PostgreSQL can have", |name| name.len() <= 63)
}

fn table() -> impl Strategy<Value = TableName> {
    let schema = prop_oneof![Just("public".to_owned()), name()];
    (schema, name())
        .prop_filter("a schema of ours", |(schema, _)| {
            schema != "retention" && !schema.starts_with("pg_")
        })
        .prop_map(|(schema, name)| TableName { schema, name })
}

fn number() -> impl Strategy<Value = serde_json::Number> {
    prop_oneof![
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        // At most 15 digits.
        (-999_999_999_999_999_i64..999_999_999_999_999, -20..20_i32).prop_filter_map("finite", |(digits, exponent)| {
            let number = format!("{digits}e{exponent}")
                .parse::<f64>()
                .ok()
                .filter(|number| *number != 0.0)?;
            serde_json::Number::from_f64(number)
        }),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        number().prop_map(Scalar::Number),
        prop_oneof![Just(String::new()), word()].prop_map(Scalar::Text),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        scalar().prop_map(Op::Eq),
        scalar().prop_map(Op::Ne),
        scalar().prop_map(Op::Lt),
        scalar().prop_map(Op::Le),
        scalar().prop_map(Op::Gt),
        scalar().prop_map(Op::Ge),
        vec(scalar(), 1..4).prop_map(Op::In),
        vec(scalar(), 1..4).prop_map(Op::NotIn),
        Just(Op::IsNull),
        Just(Op::NotNull),
    ]
}

fn conditions(least: usize) -> impl Strategy<Value = Vec<Condition>> {
    vec(
        (name(), op()).prop_map(|(column, op)| Condition { column, op }),
        least..4,
    )
}

fn transform() -> impl Strategy<Value = Transform> {
    let units = [
        Unit::Hour,
        Unit::Day,
        Unit::Week,
        Unit::Month,
        Unit::Quarter,
        Unit::Year,
        Unit::Decade,
    ];
    prop_oneof![
        Just(Transform::Null),
        Just(Transform::Hmac),
        scalar().prop_map(Transform::Constant),
        (0..=32_u8, 0..128_u8).prop_map(|(v4, v6)| Transform::TruncateIp { v4, v6 }),
        proptest::sample::select(units.to_vec())
            .prop_map(Transform::GeneraliseDate)
            .boxed(),
    ]
}

fn transforms() -> impl Strategy<Value = BTreeMap<String, Transform>> {
    proptest::collection::btree_map(name(), transform(), 1..4)
}

fn age() -> impl Strategy<Value = Age> {
    let term = prop_oneof![
        (1..=36_500_u32).prop_map(Term::Days),
        (1..=1200_u32).prop_map(Term::Months)
    ];
    (name(), term).prop_map(|(column, term)| Age { column, term })
}

/// Action, age, conditions and children, as they go together.
fn work() -> impl Strategy<Value = (Action, Option<Age>, Vec<Condition>, OnChildren)> {
    let children = prop_oneof![Just(OnChildren::Keep), Just(OnChildren::Cascade)];
    let due = prop_oneof![(age().prop_map(Some), conditions(0)), (Just(None), conditions(1)),];
    let due = || due.clone();
    prop_oneof![
        (Just(Action::Delete), due(), children).prop_map(|(action, (age, all), children)| (action, age, all, children)),
        (transforms().prop_map(Action::Anonymise), due()).prop_map(|(action, (age, all))| (
            action,
            age,
            all,
            OnChildren::Keep
        )),
        age().prop_map(|age| (Action::DetachPartition, Some(age), vec![], OnChildren::Keep)),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let limits = (option::of(1..u64::MAX / 2), option::of(0.000_001..=1.0_f64));
    let columns = (option::of(name()), option::of(name()), option::of(vec(name(), 0..3)));
    let flags = any::<[bool; 2]>();
    (table(), work(), limits, columns, flags).prop_map(|(table, work, limits, columns, flags)| {
        let (action, age, conditions, on_children) = work;
        let (labels_column, subject_column, mut keep_columns) = columns;
        if let (Some(keep), Action::Anonymise(columns)) = (&mut keep_columns, &action) {
            keep.retain(|column| !columns.contains_key(column));
        }
        Rule {
            name: String::new(),
            table,
            action,
            age,
            conditions,
            max_rows: limits.0,
            max_fraction: limits.1,
            on_children,
            labels_column,
            subject_column,
            allow_no_primary_key: flags[0],
            allow_unindexed_foreign_keys: flags[1],
            keep_columns,
        }
    })
}

fn reach() -> impl Strategy<Value = Reach> {
    let column = name().prop_map(|column| Reach::Column(format!("{column}1")));
    column.prop_recursive(8, 8, 1, |inner| {
        (name(), table(), name(), inner).prop_map(|(column, table, key, reach)| Reach::Via {
            // Names that end in 1 find rows, others may be made anonymous.
            column: format!("{column}1"),
            table,
            key: format!("{key}1"),
            reach: Box::new(reach),
        })
    })
}

fn erasure() -> impl Strategy<Value = Erasure> {
    let action = prop_oneof![
        Just(ErasureAction::Delete),
        transforms().prop_map(|columns| {
            let columns = columns.into_iter().map(|(name, how)| (format!("{name}2"), how));
            ErasureAction::Anonymise(columns.collect())
        }),
    ];
    let one = (table(), action, reach(), any::<[bool; 2]>()).prop_map(|(table, action, reach, flags)| ErasureTable {
        on_children: if flags[0] && action == ErasureAction::Delete {
            OnChildren::Cascade
        } else {
            OnChildren::Keep
        },
        table,
        action,
        reach,
        allow_no_primary_key: flags[1],
    });
    let subject = (table(), name(), conditions(0), option::of(name()));
    // Fractions, too, have at most 15 digits.
    let fraction = option::of((1..=1_000_000_u32).prop_map(|millionths| f64::from(millionths) / 1e6));
    (subject, vec(one, 1..4), fraction).prop_map(|((table, key, requested, completed), mut tables, max_fraction)| {
        let mut seen = BTreeSet::new();
        tables.retain(|each| seen.insert(each.table.clone()));
        let subject = SubjectTable {
            table,
            key: format!("{key}1"),
            requested,
            completed: completed.map(|name| format!("{name}3")),
        };
        Erasure {
            subject,
            tables,
            max_fraction,
        }
    })
}

fn guards() -> impl Strategy<Value = Guards> {
    let own = (1.0..100.0_f64, 1..1000_u64, 1..1000_u64).prop_map(|(factor, rows, skew)| Guards {
        max_cutoff_factor: (factor * 100.0).round() / 100.0,
        all_due_from_rows: rows,
        max_clock_skew_seconds: skew,
    });
    prop_oneof![Just(Guards::default()), own]
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let head = (
        option::of(any::<u64>()),
        0..=3_153_600_000_u64,
        vec(word(), 0..3),
        guards(),
    );
    (head, vec(rule(), 1..4), option::of(erasure())).prop_map(|(head, mut rules, erasure)| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("rule-{index}");
            // Fractions, too, have at most 15 digits.
            rule.max_fraction = rule.max_fraction.map(|fraction| (fraction * 1e6).ceil() / 1e6);
        }
        let (revision, grace_seconds, legal_hold_labels, guards) = head;
        Policy {
            revision,
            grace_seconds,
            legal_hold_labels,
            rules,
            erasure,
            guards,
        }
    })
}
