//! Mistakes in the right to be forgotten.

use crate::support::refused;

const SUBJECT: &str = "{ table: public.users, key: id, completed: erased_at }";

fn erasure(subject: &str, tables: &str) -> String {
    refused(
        "p.yaml",
        format!("rules: []\nerasure:\n  subject: {subject}\n  tables: {tables}\n"),
    )
}

fn tables(text: &str) -> String {
    erasure(SUBJECT, text)
}

fn users(action: &str) -> String {
    format!("{{ table: users, action: {action}, reach: {{ column: id }} }}")
}

/// So many tables between a row and its subject.
fn far(tables: usize) -> String {
    let mut reach = "{ column: user_id }".to_owned();
    for table in 0..tables {
        reach = format!("{{ via: {{ column: parent, table: t{table}, key: id, reach: {reach} }} }}");
    }
    format!("[{{ table: t, action: delete, reach: {reach} }}]")
}

#[test]
fn shapes() {
    let right = format!("[{}]", users("delete"));
    insta::assert_snapshot!(
        [
            erasure("{ table: users }", &right),
            erasure("{ table: users, key: id, reqested: [] }", &right),
            erasure("{ table: users, key: '', completed: '' }", &right),
            erasure("{ table: users, key: id, completed: id }", &right),
            erasure("{ table: pg_catalog.pg_authid, key: oid }", &right),
            erasure("{ table: users, key: id, requested: [{ column: a, op: eq, value: [1] }] }", &right),
            erasure("{ table: users, key: id, requested: [{ column: '', op: is_null }] }", &right),
            tables("[]"),
            tables("[{ table: users }]"),
            tables(&format!("[{}]", users("detach-partition"))),
            tables(&format!("[{}]", users("{ anonymise: {} }"))),
            tables("[{ table: users, action: delete, reach: id }]"),
            tables("[{ table: users, action: delete, reach: { columm: id } }]"),
            tables("[{ table: users, action: delete, reach: {} }]"),
            tables("[{ table: users, action: delete, reach: { column: id, via: { column: a } } }]"),
            tables("[{ table: users, action: delete, reach: { column: '' } }]"),
            tables("[{ table: orders, action: delete, reach: { via: { column: a, table: b, key: c } } }]"),
            tables("[{ table: orders, action: delete, reach: { via: { column: '', table: retention.hold, key: '', reach: { column: '' } } } }]"),
            tables("[{ table: retention.audit, action: delete, reach: { column: id } }]"),
            tables("[{ table: users, action: { anonymise: { email: null } }, reach: { column: id }, on_children: cascade }]"),
            tables(&far(9)),
            tables(&far(40)),
        ]
        .join("\n\n")
    );
}

#[test]
fn eight_tables_between_a_row_and_its_subject_are_not_too_many() {
    let text = format!("rules: []\nerasure:\n  subject: {SUBJECT}\n  tables: {}\n", far(8));
    crate::support::policy("p.yaml", text);
}

#[test]
fn rows_must_be_found_again() {
    let via = "{ via: { column: account, table: accounts, key: number, reach: { column: owner } } }";
    let orders = |action: &str| format!("{{ table: orders, action: {action}, reach: {via} }}");
    insta::assert_snapshot!(
        [
            tables(&format!("[{}, {}]", users("delete"), users("{ anonymise: { email: null } }"))),
            tables(&format!("[{}]", users("{ anonymise: { id: hmac } }"))),
            tables(&format!("[{}]", users("{ anonymise: { erased_at: null } }"))),
            tables("[{ table: logs, action: { anonymise: { user_id: null } }, reach: { column: user_id } }]"),
            tables(&format!("[{}]", orders("{ anonymise: { account: null } }"))),
            tables(&format!(
                "[{{ table: accounts, action: {{ anonymise: {{ number: hmac, owner: null, iban: null }} }}, reach: {{ column: owner }} }}, {}]",
                orders("delete")
            )),
        ]
        .join("\n\n")
    );
}
