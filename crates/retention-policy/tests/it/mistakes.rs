//! Mistakes in documents: the path is named, what was expected, what was found, and what was probably meant.

use crate::support::{delete, load, refused, rule};

fn yaml(text: &str) -> String {
    refused("p.yaml", text)
}

fn json(text: &str) -> String {
    refused("p.json", text)
}

/// A rule that is due and right but for its action.
fn action(text: &str) -> String {
    yaml(&rule(&format!("age: {{ column: at, days: 3 }}\naction: {text}")))
}

fn anonymise(how: &str) -> String {
    action(&format!("{{ anonymise: {{ c: {how} }} }}"))
}

fn condition(text: &str) -> String {
    yaml(&delete(&format!("where: [{{ column: c, {text} }}]")))
}

#[test]
fn syntax() {
    insta::assert_snapshot!(
        [
            yaml(""),
            yaml(" \n"),
            yaml("# only a remark\n"),
            yaml("---\n"),
            json("null"),
            yaml("- a\n"),
            yaml("delete everything"),
            yaml("rules: [\n"),
            yaml("rules: []\n---\nrules: []\n"),
            yaml("a: 'b\n"),
            yaml("\tgrace_seconds: 5"),
            yaml("grace_seconds: *nowhere"),
            yaml("grace_seconds: !!int x"),
            yaml("revision: !tag 7"),
            yaml("? [a]\n: b\n"),
            json("{"),
            json("{\"grace_seconds\": 5,}"),
            json("{\"grace_seconds\": 05}"),
            json("{\"grace_seconds\": 5} {}"),
            json("{\n  \"grace_seconds\": 1e999\n}"),
            json("{'grace_seconds': 5}"),
            json("grace_seconds: 5"),
            refused("p.json", b"{\"a\": \"\xff\"}"),
        ]
        .join("\n\n")
    );
}

#[test]
fn keys_that_are_given_twice() {
    insta::assert_snapshot!(
        [
            yaml("revision: 1\ngrace_seconds: 5\nrevision: 2\n"),
            json("{\"revision\": 1,\n \"grace_seconds\": 5,\n \"revision\": 2}"),
            yaml(&delete("age: { column: at, days: 60 }")),
            json("{\"rules\": [{\"age\": {\"days\": 3, \"days\": 4}}]}"),
            json("{\"rules\": [{\"action\": {\"anonymise\": {\"email\": \"hmac\", \"email\": null}}}]}"),
            json("{\"revision\": 1, \"\\u0072evision\": 1}"),
            yaml("revision: 1\n'revision': 1\n"),
        ]
        .join("\n\n")
    );
}

#[test]
fn keys_and_values() {
    insta::assert_snapshot!(
        [
            yaml("ruels: []"),
            yaml("completely_else: 1"),
            json("{\"graceSeconds\": 5}"),
            yaml("version: 2"),
            yaml("version: '1'"),
            yaml("revision: -1"),
            yaml("revision: one"),
            yaml("grace_seconds: -1"),
            yaml("grace_seconds: 1.5"),
            yaml("grace_seconds: 3153600001"),
            yaml("legal_hold_labels: legal-hold"),
            yaml("legal_hold_labels: [7]"),
            yaml("legal_hold_labels: ['', \"a\\0\"]"),
            yaml("rules: {}"),
            yaml("rules: []"),
            yaml("guards: { max_cutoff_fcator: 3 }"),
            yaml("guards: { max_cutoff_factor: 0.5, all_due_from_rows: 0, max_clock_skew_seconds: -1 }"),
            yaml("<<: { revision: 1 }"),
            yaml("rules: [delete]"),
            yaml("rules: [{}]"),
        ]
        .join("\n\n")
    );
}

#[test]
fn keys_without_a_value() {
    insta::assert_snapshot!(
        [
            yaml("rules:\n"),
            yaml("grace_seconds: ~\nlegal_hold_labels: null\n"),
            yaml(&rule(
                "action: delete\nwhere: [{ column: c, op: is_null }]\nage:\n#  column: at\n#  days: 30"
            )),
            condition("op: eq, value: null"),
            condition("op: in, value: [a, null]"),
            anonymise("{ constant: null }"),
        ]
        .join("\n\n")
    );
}

#[test]
fn rules() {
    let named = |name: &str| {
        yaml(&format!(
            "rules: [{{ name: {name}, table: t, action: delete, age: {{ column: at, days: 3 }} }}]"
        ))
    };
    insta::assert_snapshot!(
        [
            yaml(&rule("")),
            yaml(&rule("action: delete")),
            yaml(&delete("where: []")),
            yaml(&delete("wehre: []")),
            named("''"),
            named("Events"),
            named("-a"),
            named("a b"),
            named(&"a".repeat(64)),
            named("7"),
            yaml("rules:\n- &a { name: a, table: t, action: delete, age: { column: at, days: 3 } }\n- *a\n"),
            yaml(&delete("max_rows: 0\nmax_fraction: 0")),
            yaml(&delete("max_rows: -5\nmax_fraction: 1.01")),
            yaml(&delete("max_rows: many")),
            yaml(&delete("max_fraction: 50%")),
            yaml(&delete("on_children: delete")),
            yaml(&delete("allow_no_primary_key: yes")),
            yaml(&delete(
                "labels_column: ''\nsubject_column: \"a\\0b\"\nkeep_columns: ['']"
            )),
            yaml(&delete("keep_columns: id")),
        ]
        .join("\n\n")
    );
}

#[test]
fn tables() {
    let table = |table: &str| {
        yaml(&format!(
            "rules: [{{ name: a, table: {table}, action: delete, age: {{ column: at, days: 3 }} }}]"
        ))
    };
    insta::assert_snapshot!(
        [
            table("''"),
            table("."),
            table("7"),
            table("[a, b]"),
            table("{ schema: a }"),
            table("{ schema: a, table: b }"),
            table("retention.audit"),
            table("pg_catalog.pg_class"),
            table("information_schema.tables"),
            table("{ schema: pg_toast, name: t }"),
            table(&"x".repeat(64)),
            table(&format!("{{ schema: {}, name: t }}", "ä".repeat(32))),
            table("\"a\\0.b\""),
        ]
        .join("\n\n")
    );
}

#[test]
fn ages() {
    let age = |age: &str| yaml(&rule(&format!("action: delete\nage: {age}")));
    insta::assert_snapshot!(
        [
            age("90"),
            age("90 days"),
            age("{ days: 90 }"),
            age("{ column: at }"),
            age("{ column: at, days: 90, months: 3 }"),
            age("{ column: at, days: 0 }"),
            age("{ column: at, days: -90 }"),
            age("{ column: at, days: 36501 }"),
            age("{ column: at, days: 99999999999 }"),
            age("{ column: at, days: 90.5 }"),
            age("{ column: at, days: '90' }"),
            age("{ column: at, months: 0 }"),
            age("{ column: at, months: 1201 }"),
            age("{ column: at, years: 7 }"),
            age("{ column: at, day: 7 }"),
            age("{ column: '', days: 7 }"),
            age("{ colunm: at, days: 7 }"),
        ]
        .join("\n\n")
    );
}

#[test]
fn actions() {
    insta::assert_snapshot!(
        [
            action("drop"),
            action("remove"),
            action("detach_partition"),
            action("anonymise"),
            action("[delete]"),
            action("true"),
            action("{ delete: true }"),
            action("{ anonymise: {} }"),
            action("{ anonymise: email }"),
            action("{ anonymize: { email: null } }"),
            action("{ anonymise: { email: null }, delete: true }"),
            yaml(&rule("action: detach-partition\nwhere: [{ column: c, op: is_null }]")),
            yaml(&rule(
                "action: detach-partition\nage: { column: at, days: 3 }\non_children: cascade"
            )),
            action("{ anonymise: { email: null } }\non_children: cascade\nkeep_columns: [id, email]"),
            anonymise("nul"),
            anonymise("delete"),
            anonymise("constant"),
            anonymise("7"),
            anonymise("[hmac]"),
            anonymise("{ hmac: key }"),
            anonymise("{ constant: [1] }"),
            anonymise("{ constant: { a: 1 } }"),
            anonymise("{ constant: \"a\\0\" }"),
            anonymise("{ constant: .nan }"),
            anonymise("{ constant: -.inf }"),
            anonymise("{ constant: 1.23456789012345678 }"),
            anonymise("truncate_ip"),
            anonymise("{ truncate-ip: {} }"),
            anonymise("{ truncate_ip: 24 }"),
            anonymise("{ truncate_ip: { v4: 33, v6: 129 } }"),
            anonymise("{ truncate_ip: { v4: -1, v6: 256 } }"),
            anonymise("{ truncate_ip: { v4: 32, v6: 128 } }"),
            anonymise("{ truncate_ip: { ipv4: 8 } }"),
            anonymise("{ generalise_date: minute }"),
            anonymise("{ generalize_date: month }"),
            action("{ anonymise: { '': null } }"),
            action(&format!("{{ anonymise: {{ {}: null }} }}", "x".repeat(64))),
            action("{ anonymise: { \"a\\0\": null } }"),
        ]
        .join("\n\n")
    );
}

#[test]
fn conditions() {
    insta::assert_snapshot!(
        [
            condition("op: eq"),
            condition("op: in"),
            condition("value: 7"),
            condition("op: '=', value: 7"),
            condition("op: equals, value: 7"),
            condition("op: notin, value: [7]"),
            condition("op: eq, value: [7]"),
            condition("op: eq, value: { a: 7 }"),
            condition("op: in, value: 7"),
            condition("op: in, value: no"),
            condition("op: in, value: []"),
            condition("op: not_in, value: [7, [8], { a: 9 }]"),
            condition("op: is_null, value: true"),
            condition("op: not_null, value: []"),
            condition("op: eq, value: .inf"),
            condition("op: eq, value: \"a\\0\""),
            condition("op: in, value: [a, \"a\\0\"]"),
            condition("op: eq, vlaue: 7"),
            yaml(&delete("where: { column: c, op: is_null }")),
            yaml(&delete("where: [{ column: '', op: is_null }]")),
            yaml(&delete("where: [created_at < now()]")),
        ]
        .join("\n\n")
    );
}

/// All mistakes are told at once, and each can be had alone.
#[test]
fn all_at_once() {
    let error = load(
        "policies/mine.yaml",
        "grace_seconds: -1\nversion: 3\nrules:\n- { name: A, table: retention.audit, action: delete, age: { column: '', days: 0 } }\n- { name: b, table: t, action: detach-partition, where: [{ column: c, op: eq, value: [] }], max_rows: 0 }\n",
    )
    .unwrap_err();
    assert_eq!(error.mistakes().len(), 10);
    let each: Vec<String> = error.mistakes().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(format!("{error}\n\n{}", each.join("\n")));
}
