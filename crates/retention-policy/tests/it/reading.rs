//! What documents mean.

use crate::support::{delete, load, policy, refused, rule};
use retention_policy::{
    Action, Age, Erasure, ErasureAction, ErasureTable, Format, Guards, OnChildren, Op, Policy, PolicySource, Reach,
    RetentionDays, Scalar, SubjectTable, TableName, Term, Transform, Unit, builtin, read,
};
use std::{collections::BTreeMap, path::Path};

const WHOLE: &str = r#"
$schema: https://example.org/retention-policy.schema.json
version: 1
revision: 7
grace_seconds: 3600
legal_hold_labels: [legal-hold]
guards: { max_cutoff_factor: 2, all_due_from_rows: 10, max_clock_skew_seconds: 60 }
rules:
- name: events
  table: public.pii_events
  action: delete
  age: { column: created_at, days: 90 }
  max_rows: 1000000
  max_fraction: 0.25
  on_children: cascade
  labels_column: labels
  subject_column: user_id
  allow_no_primary_key: true
  allow_unindexed_foreign_keys: true
  keep_columns: [id]
- name: logs.monthly
  table: { schema: app.v1, name: Logs }
  action: detach-partition
  age: { column: at, months: 6 }
- name: users_2
  table: users
  action:
    anonymise:
      email: hmac
      phone: null
      name: "null"
      town: { constant: nowhere }
      ip: { truncate_ip: { v4: 16, v6: 32 } }
      proxy: { truncate_ip: {} }
      birthday: { generalise_date: decade }
  where:
  - { column: state, op: in, value: [closed, 7, true] }
  - { column: note, op: is_null }
erasure:
  subject:
    table: public.users
    key: id
    requested: [{ column: rtbf_requested, op: eq, value: true }]
    completed: erased_at
  tables:
  - table: public.orders
    action: delete
    reach: { via: { column: account, table: public.accounts, key: id, reach: { column: user_id } } }
    on_children: cascade
    allow_no_primary_key: true
  - table: public.users
    action: { anonymise: { email: null } }
    reach: { column: id }
"#;

fn table(schema: &str, name: &str) -> TableName {
    let (schema, name) = (schema.to_owned(), name.to_owned());
    TableName { schema, name }
}

#[test]
fn every_key_means_something() {
    let got = policy("p.yaml", WHOLE);
    assert_eq!((got.revision, got.grace_seconds), (Some(7), 3600));
    assert_eq!(got.legal_hold_labels, ["legal-hold"]);
    let guards = Guards {
        max_cutoff_factor: 2.0,
        all_due_from_rows: 10,
        max_clock_skew_seconds: 60,
    };
    assert_eq!(got.guards, guards);
    let [events, logs, users] = got.rules.as_slice() else {
        panic!("three rules");
    };
    assert_eq!(
        (&events.table, &events.action),
        (&table("public", "pii_events"), &Action::Delete)
    );
    let age = |column: &str, term| {
        let column = column.to_owned();
        Some(Age { column, term })
    };
    assert_eq!(events.age, age("created_at", Term::Days(90)));
    assert_eq!((events.max_rows, events.max_fraction), (Some(1_000_000), Some(0.25)));
    assert_eq!(events.on_children, OnChildren::Cascade);
    assert_eq!(events.labels_column.as_deref(), Some("labels"));
    assert_eq!(events.subject_column.as_deref(), Some("user_id"));
    assert!(events.allow_no_primary_key && events.allow_unindexed_foreign_keys);
    assert_eq!(events.keep_columns.as_deref(), Some(&["id".to_owned()][..]));
    assert_eq!(
        (&logs.table, &logs.action),
        (&table("app.v1", "Logs"), &Action::DetachPartition)
    );
    assert_eq!(logs.age, age("at", Term::Months(6)));
    assert!(!logs.allow_no_primary_key && !logs.allow_unindexed_foreign_keys);
    assert_eq!(users.table, table("public", "users"));
    let columns = [
        ("email", Transform::Hmac),
        ("phone", Transform::Null),
        ("name", Transform::Null),
        ("town", Transform::Constant(Scalar::Text("nowhere".to_owned()))),
        ("ip", Transform::TruncateIp { v4: 16, v6: 32 }),
        ("proxy", Transform::TruncateIp { v4: 24, v6: 48 }),
        ("birthday", Transform::GeneraliseDate(Unit::Decade)),
    ];
    let columns = columns.map(|(name, how)| (name.to_owned(), how));
    assert_eq!(users.action, Action::Anonymise(BTreeMap::from(columns)));
    let values = vec![
        Scalar::Text("closed".to_owned()),
        Scalar::Number(7.into()),
        Scalar::Bool(true),
    ];
    let ops: Vec<_> = users.conditions.iter().map(|each| &each.op).collect();
    assert_eq!(ops, [&Op::In(values), &Op::IsNull]);
}

#[test]
fn an_erasure_says_how_rows_are_reached() {
    let null = BTreeMap::from([("email".to_owned(), Transform::Null)]);
    let got = policy("p.yaml", WHOLE).erasure.unwrap();
    assert_eq!(got.subject.requested.len(), 1);
    let expected = Erasure {
        max_fraction: None,
        subject: SubjectTable {
            table: table("public", "users"),
            key: "id".to_owned(),
            requested: got.subject.requested.clone(),
            completed: Some("erased_at".to_owned()),
        },
        tables: vec![
            ErasureTable {
                table: table("public", "orders"),
                action: ErasureAction::Delete,
                reach: Reach::Via {
                    column: "account".to_owned(),
                    table: table("public", "accounts"),
                    key: "id".to_owned(),
                    reach: Box::new(Reach::Column("user_id".to_owned())),
                },
                on_children: OnChildren::Cascade,
                allow_no_primary_key: true,
            },
            ErasureTable {
                table: table("public", "users"),
                action: ErasureAction::Anonymise(null),
                reach: Reach::Column("id".to_owned()),
                on_children: OnChildren::Keep,
                allow_no_primary_key: false,
            },
        ],
    };
    assert_eq!(got, expected);
}

#[test]
fn the_data_file_of_a_policy_pack_works_as_it_is() {
    let bytes = include_bytes!("../../../../tests/mc-sim/packs/v1/data/retention.json");
    let source = PolicySource::Pack {
        pack: "registry.example/policies:v1".to_owned(),
        path: "data/retention.json".to_owned(),
    };
    let days = RetentionDays::new(30).unwrap();
    let got = read(bytes, source.clone(), days).unwrap();
    let expected = Policy {
        revision: Some(1),
        grace_seconds: 0,
        legal_hold_labels: vec!["legal-hold".to_owned()],
        rules: builtin::rules(days),
        erasure: None,
        guards: Guards::default(),
    };
    assert_eq!(got.policy, expected);
    assert_eq!((got.source, got.retention_days), (source, Some(days)));
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    // printf '{"grace_seconds":0}' | sha256sum
    let got = load("p.json", r#"{"grace_seconds":0}"#).unwrap();
    assert_eq!(
        got.digest,
        "e499765e6e4a9cbf84e946b137aa7ad719a74b74d004ddbec4b73b47fb263ca1"
    );
    let other = load("p.json", "{\"grace_seconds\":0}\n").unwrap();
    assert_eq!(got.policy, other.policy);
    assert_ne!(got.digest, other.digest);
}

#[test]
fn rules_of_a_document_need_no_retention_days() {
    assert_eq!(load("p.yaml", delete("")).unwrap().retention_days, None);
    assert_eq!(
        load("p.json", "{}").unwrap().retention_days,
        RetentionDays::new(90).ok()
    );
}

#[test]
fn an_erasure_alone_is_a_policy() {
    let text = "rules: []\nerasure: { subject: { table: users, key: id }, tables: [{ table: users, action: delete, reach: { column: id } }] }";
    let got = policy("p.yaml", text);
    assert_eq!(got.rules, []);
    assert!(got.erasure.is_some());
}

#[test]
fn the_format_is_that_of_the_name_or_of_the_content() {
    for (name, format) in [
        ("p.json", Some(Format::Json)),
        ("p.JSON", Some(Format::Json)),
        ("p.yaml", Some(Format::Yaml)),
        ("a.json/p.yml", Some(Format::Yaml)),
        ("p", None),
        ("p.txt", None),
    ] {
        assert_eq!(Format::of_name(Path::new(name)), format, "{name}");
    }
    let (json, yaml) = (r#"{"grace_seconds": 5}"#, "grace_seconds: 5\n");
    for (name, content) in [
        ("p", json),
        ("p", yaml),
        ("p.yaml", json),
        ("-", "\u{feff}grace_seconds: 5"),
    ] {
        assert_eq!(policy(name, content).grace_seconds, 5, "{name}: {content}");
    }
    assert!(load("p.json", yaml).is_err());
    // What YAML allows and JSON does not.
    assert!(load("p", "{ grace_seconds: 5 }").is_err());
    assert_eq!(policy("p.yaml", "{ grace_seconds: 5 }").grace_seconds, 5);
}

/// The value of a condition, as YAML says it.
fn yaml(value: &str) -> Scalar {
    let policy = policy(
        "p.yaml",
        delete(&format!("where: [{{ column: c, op: eq, value: {value} }}]")),
    );
    match &policy.rules[0].conditions[0].op {
        Op::Eq(scalar) => scalar.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_are_what_yaml_1_2_says() {
    let text = |text: &str| Scalar::Text(text.to_owned());
    for word in ["no", "No", "NO", "yes", "on", "off", "y", "n", "tRUE"] {
        assert_eq!(yaml(word), text(word));
    }
    for word in ["true", "True", "TRUE"] {
        assert_eq!(yaml(word), Scalar::Bool(true));
    }
    // A leading zero is never lost, and no date or time becomes anything else.
    for word in [
        "0123",
        "007",
        "00",
        "2024-01-31",
        "2024-01-31T00:00:00Z",
        "12:30:45",
        "1_000",
        "1.2.3",
        "0x",
        "0xZZ",
        "1e",
        "infinity",
        "nan",
        ".",
        "0123-4",
        "Null2",
    ] {
        assert_eq!(yaml(word), text(word));
    }
    for (word, number) in [
        ("90", "90"),
        ("+90", "90"),
        ("-90", "-90"),
        ("0", "0"),
        ("-0", "0"),
        ("0x5a", "90"),
        ("0o7", "7"),
        ("1.5", "1.5"),
        ("1.10", "1.1"),
        (".5", "0.5"),
        ("1e3", "1000.0"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("123456789012.345", "123456789012.345"),
        ("0.000123456789012345", "0.000123456789012345"),
    ] {
        assert!(matches!(yaml(word), Scalar::Number(_)), "{word}");
        assert_eq!(yaml(word).as_text(), number, "{word}");
    }
    for word in ["'90'", "\"90\"", "!!str 90"] {
        assert_eq!(yaml(word), text("90"));
    }
    assert_eq!(yaml("'null'"), text("null"));
    assert_eq!(yaml("''"), text(""));
    assert_eq!(yaml("\"1.10\""), text("1.10"));
}

#[test]
fn values_that_could_not_be_kept_are_refused() {
    for word in [
        "null",
        "~",
        "",
        ".nan",
        ".inf",
        "-.Inf",
        "1.000000000000001234",
        "0.1234567890123456789",
        "18446744073709551616",
        "-9223372036854775809",
        "340282366920938463463374607431768211456",
        "!tag x",
        "[1]",
        "{a: 1}",
    ] {
        refused(
            "p.yaml",
            delete(&format!("where: [{{ column: c, op: eq, value: {word} }}]")),
        );
    }
}

#[test]
fn a_list_is_not_read_as_keys_in_turn() {
    for text in [
        delete("where: [[c, eq, 7]]"),
        rule("action: { anonymise: { a: { truncate_ip: [24, 48] } } }\nage: { column: at, days: 3 }"),
        "guards: [3, 100, 300]".to_owned(),
    ] {
        assert!(refused("p.yaml", &text).contains("found a list"), "{text}");
    }
}

#[test]
fn aliases_work_where_nothing_is_gained_by_them() {
    let text = "rules:\n- { name: a, table: t, action: delete, age: &age { column: at, days: 3 } }\n- { name: b, table: u, action: delete, age: *age }\n";
    let got = policy("p.yaml", text);
    assert_eq!(got.rules[0].age, got.rules[1].age);
}
