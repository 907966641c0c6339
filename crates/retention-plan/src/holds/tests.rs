//! Predicates over catalogs made by hand; `tests/it/holds.rs` runs them against a server.

use super::*;
use crate::catalog::OnDelete;
use crate::fixture::{catalog, place, policy, refer, rule, table};
use proptest::prelude::*;
use retention_policy::{Erasure, Rule, SubjectTable, TableName};

fn on(table: &str, column: &str) -> HeldColumn {
    HeldColumn {
        schema: "public".to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
    }
}

fn columns(columns: &[(&str, &str)]) -> Structure {
    Structure {
        columns: columns.iter().map(|(table, column)| on(table, column)).collect(),
        ..Structure::default()
    }
}

fn subjects() -> Structure {
    Structure {
        subjects: true,
        ..Structure::default()
    }
}

/// users <- orders <- items, orders -> shops.
fn shop() -> Catalog {
    let users = table(1, "users", &[("id", "bigint"), ("email", "text"), ("tags", "text[]")]);
    let shops = table(2, "shops", &[("id", "bigint"), ("name", "text")]);
    let mut orders = table(
        3,
        "orders",
        &[("id", "bigint"), ("user_id", "bigint"), ("shop_id", "bigint")],
    );
    refer(&mut orders, "user_id", 1, OnDelete::Cascade);
    refer(&mut orders, "shop_id", 2, OnDelete::NoAction);
    let mut items = table(
        4,
        "items",
        &[("id", "bigint"), ("order_id", "bigint"), ("note", "text")],
    );
    refer(&mut items, "order_id", 3, OnDelete::Cascade);
    catalog(vec![users, shops, orders, items])
}

fn shown(rules: &HoldRules, oid: u32, deletes: bool, active: &Structure) -> String {
    rules
        .predicate(oid, deletes, active)
        .unwrap()
        .map_or_else(|| "none".to_owned(), |sql| sql.shown())
}

#[test]
fn without_holds_and_labels_there_is_no_predicate() {
    let rules = HoldRules::new(&shop(), &policy());
    for oid in 1..=4 {
        assert_eq!(rules.predicate(oid, true, &Structure::default()), Ok(None));
    }
}

#[test]
fn a_hold_on_a_column_compares_text_with_the_live_holds() {
    let rules = HoldRules::new(&shop(), &policy());
    insta::assert_snapshot!(shown(&rules, 2, true, &columns(&[("shops", "name")])), @r#"
    COALESCE(((t."name"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = 'public' AND h.table_name = 'shops' AND h.column_name = 'name'))), false)
    "#);
    let sql = rules
        .predicate(2, true, &columns(&[("shops", "name")]))
        .unwrap()
        .unwrap();
    let (text, params) = sql.render();
    assert_eq!(params, [Some("public"), Some("shops"), Some("name")]);
    assert!(text.contains("= $3::pg_catalog.text"), "{text}");
}

#[test]
fn a_row_that_refers_to_a_held_row_is_held() {
    let rules = HoldRules::new(&shop(), &policy());
    insta::assert_snapshot!(shown(&rules, 4, false, &columns(&[("users", "email")])), @r#"
    COALESCE(((NOT EXISTS (SELECT 1 FROM "public"."items" AS s WHERE s.ctid = ANY (ARRAY[t.ctid]) AND s.tableoid = t.tableoid)) OR (EXISTS (SELECT 1 FROM "public"."orders" AS r1 WHERE r1."id" OPERATOR(pg_catalog.=) t."order_id" AND ((EXISTS (SELECT 1 FROM "public"."users" AS r2 WHERE r2."id" OPERATOR(pg_catalog.=) r1."user_id" AND ((r2."email"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = 'public' AND h.table_name = 'users' AND h.column_name = 'email'))))))))), false)
    "#);
}

#[test]
fn a_row_that_a_held_row_refers_to_is_held() {
    let rules = HoldRules::new(&shop(), &policy());
    insta::assert_snapshot!(shown(&rules, 1, false, &columns(&[("items", "note")])), @r#"
    COALESCE(((NOT EXISTS (SELECT 1 FROM "public"."users" AS s WHERE s.ctid = ANY (ARRAY[t.ctid]) AND s.tableoid = t.tableoid)) OR (EXISTS (SELECT 1 FROM "public"."orders" AS r1 WHERE t."id" OPERATOR(pg_catalog.=) r1."user_id" AND ((EXISTS (SELECT 1 FROM "public"."items" AS r2 WHERE r1."id" OPERATOR(pg_catalog.=) r2."order_id" AND ((r2."note"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = 'public' AND h.table_name = 'items' AND h.column_name = 'note'))))))))), false)
    "#);
}

#[test]
fn a_delete_looks_at_what_rows_that_would_go_along_refer_to_and_an_update_does_not() {
    let rules = HoldRules::new(&shop(), &policy());
    let held = columns(&[("shops", "name")]);
    // users: its orders are held by their shop.
    insta::assert_snapshot!(shown(&rules, 1, true, &held), @r#"
    COALESCE(((NOT EXISTS (SELECT 1 FROM "public"."users" AS s WHERE s.ctid = ANY (ARRAY[t.ctid]) AND s.tableoid = t.tableoid)) OR (EXISTS (SELECT 1 FROM "public"."orders" AS r1 WHERE t."id" OPERATOR(pg_catalog.=) r1."user_id" AND ((EXISTS (SELECT 1 FROM "public"."shops" AS r2 WHERE r2."id" OPERATOR(pg_catalog.=) r1."shop_id" AND ((r2."name"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = 'public' AND h.table_name = 'shops' AND h.column_name = 'name'))))))))), false)
    "#);
    assert_eq!(shown(&rules, 1, false, &held), "none");
    // A shop that shares nothing but a user with a held shop is free.
    assert!(!shown(&rules, 2, false, &columns(&[("users", "email")])).contains("users"));
}

#[test]
fn subjects_are_found_by_key_rule_and_reach() {
    let name = |name: &str| TableName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    };
    let mut policy = policy();
    policy.rules.push(Rule {
        subject_column: Some("shop_id".to_owned()),
        ..rule("orders", "orders")
    });
    policy.erasure = Some(Erasure {
        max_fraction: None,
        subject: SubjectTable {
            table: name("users"),
            key: "id".to_owned(),
            requested: Vec::new(),
            completed: None,
        },
        tables: vec![retention_policy::ErasureTable {
            table: name("items"),
            action: retention_policy::ErasureAction::Delete,
            reach: Reach::Via {
                column: "order_id".to_owned(),
                table: name("orders"),
                key: "id".to_owned(),
                reach: Box::new(Reach::Column("user_id".to_owned())),
            },
            on_children: retention_policy::OnChildren::Keep,
            allow_no_primary_key: false,
        }],
    });
    let rules = HoldRules::new(&shop(), &policy);
    let of_items = shown(&rules, 4, false, &subjects());
    assert!(
        of_items.contains(
            "EXISTS (SELECT 1 FROM \"public\".\"orders\" AS tv1 WHERE tv1.\"id\" = t.\"order_id\" AND \
             tv1.\"user_id\"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND \
             h.table_name IS NULL))"
        ),
        "{of_items}"
    );
    assert!(shown(&rules, 3, false, &subjects()).contains("t.\"shop_id\"::pg_catalog.text IN"));
    assert!(shown(&rules, 1, false, &subjects()).contains("t.\"id\"::pg_catalog.text IN"));
    assert_eq!(shown(&rules, 1, false, &columns(&[])), "none");
}

#[test]
fn labels_hold_without_any_hold() {
    let mut policy = policy();
    policy.legal_hold_labels = vec!["legal'hold".to_owned(), "audit".to_owned()];
    policy.rules.push(Rule {
        labels_column: Some("tags".to_owned()),
        ..rule("users", "users")
    });
    let rules = HoldRules::new(&shop(), &policy);
    insta::assert_snapshot!(shown(&rules, 1, true, &Structure::default()), @r#"
    COALESCE(((t."tags"::pg_catalog.text[] && ARRAY['legal''hold', 'audit'])), false)
    "#);
    assert!(shown(&rules, 3, true, &Structure::default()).contains("&& ARRAY['legal''hold', 'audit']"));
}

#[test]
fn a_tree_is_followed_to_its_end() {
    let mut folders = table(
        1,
        "folders",
        &[("id", "bigint"), ("parent", "bigint"), ("owner", "text")],
    );
    refer(&mut folders, "parent", 1, OnDelete::Cascade);
    let rules = HoldRules::new(&catalog(vec![folders]), &policy());
    insta::assert_snapshot!(shown(&rules, 1, true, &columns(&[("folders", "owner")])), @r#"
    COALESCE(((NOT EXISTS (SELECT 1 FROM "public"."folders" AS s WHERE s.ctid = ANY (ARRAY[t.ctid]) AND s.tableoid = t.tableoid)) OR (t."owner"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = 'public' AND h.table_name = 'folders' AND h.column_name = 'owner')) OR (EXISTS (WITH RECURSIVE d AS (SELECT t.tableoid AS o, t.ctid AS c UNION SELECT n.o, n.c FROM d, LATERAL (SELECT x.tableoid AS o, x.ctid AS c FROM ONLY "public"."folders" AS a, ONLY "public"."folders" AS x WHERE a.tableoid = d.o AND a.ctid = d.c AND a."id" OPERATOR(pg_catalog.=) x."parent") AS n), u AS (SELECT d.o, d.c FROM d UNION SELECT n.o, n.c FROM u, LATERAL (SELECT x.tableoid AS o, x.ctid AS c FROM ONLY "public"."folders" AS a, ONLY "public"."folders" AS x WHERE a.tableoid = u.o AND a.ctid = u.c AND x."id" OPERATOR(pg_catalog.=) a."parent") AS n) SELECT 1 FROM u WHERE ((EXISTS (SELECT 1 FROM "public"."folders" AS x WHERE x.tableoid = u.o AND x.ctid = u.c AND ((x."owner"::pg_catalog.text IN (SELECT h.value FROM retention.hold AS h WHERE h.released_at IS NULL AND h.table_schema = 'public' AND h.table_name = 'folders' AND h.column_name = 'owner'))))))))), false)
    "#);
}

#[test]
fn holds_on_a_partition_and_on_its_parent_concern_the_same_rows() {
    let mut parent = table(
        1,
        "events",
        &[("id", "bigint"), ("at", "timestamptz"), ("who", "bigint")],
    );
    refer(&mut parent, "who", 9, OnDelete::NoAction);
    let mut child = table(
        2,
        "events_1",
        &[("id", "bigint"), ("at", "timestamptz"), ("who", "bigint")],
    );
    child.partition = Some(place(1, "at", None));
    let people = table(9, "people", &[("id", "bigint"), ("name", "text")]);
    let rules = HoldRules::new(&catalog(vec![parent, child, people]), &policy());
    let both = columns(&[("events", "id"), ("events_1", "who")]);
    let of_child = shown(&rules, 2, true, &both);
    assert!(
        of_child.contains("t.\"id\"::pg_catalog.text IN") && !of_child.contains("tableoid"),
        "{of_child}"
    );
    let of_parent = shown(&rules, 1, true, &both);
    assert!(
        of_parent.contains("t.tableoid IN (2) AND (t.\"who\"::pg_catalog.text IN"),
        "{of_parent}"
    );
    // The foreign key is the parent's; the partition's rows refer by it too.
    assert!(shown(&rules, 2, true, &columns(&[("people", "name")])).contains("\"people\""));
    // And a row of the partition refers to the person.
    assert!(shown(&rules, 9, true, &columns(&[("events_1", "id")])).contains("r1.tableoid IN (2)"));
}

#[test]
fn what_is_not_there_is_an_error_and_what_is_unrelated_is_told() {
    let rules = HoldRules::new(&shop(), &policy());
    let gone = Structure {
        dangling: vec![on("users", "nickname")],
        ..Structure::default()
    };
    for active in [gone, columns(&[("users", "nickname")])] {
        let error = rules.predicate(4, true, &active).unwrap_err();
        assert!(
            error.to_string().contains("public.users.nickname, which is not there"),
            "{error}"
        );
    }
    let far = columns(&[("elsewhere", "id"), ("users", "id")]);
    assert_eq!(rules.unrelated(&far), [&on("elsewhere", "id")]);
    assert_eq!(
        rules.predicate(77, true, &far),
        Err(HoldError::UnknownTable { oid: 77 })
    );
}

#[test]
fn while_a_subject_is_held_nobody_touches_rows_of_whom_nothing_is_known() {
    let mut policy = policy();
    policy.rules.push(Rule {
        subject_column: Some("user_id".to_owned()),
        ..rule("orders", "orders")
    });
    let mut alone = shop();
    let notes = table(5, "notes", &[("id", "bigint"), ("text", "text")]);
    alone.tables.insert(5, notes);
    let rules = HoldRules::new(&alone, &policy);
    for deletes in [true, false] {
        assert_eq!(rules.subject_tables(deletes), BTreeSet::from([1, 2, 3, 4]));
        let error = rules.predicate(5, deletes, &subjects()).unwrap_err();
        assert!(error.to_string().contains("those of public.notes are"), "{error}");
        assert_eq!(rules.predicate(5, deletes, &columns(&[("users", "id")])), Ok(None));
    }
}

#[test]
fn a_row_that_was_changed_meanwhile_is_left_where_other_tables_are_looked_at() {
    let rules = HoldRules::new(&shop(), &policy());
    let changed = "NOT EXISTS (SELECT 1 FROM \"public\".\"orders\" AS s WHERE s.ctid = ANY (ARRAY[t.ctid])";
    assert!(shown(&rules, 3, true, &columns(&[("users", "email")])).contains(changed));
    // What the row says itself is looked at again with its new version: no look at the table is needed.
    assert!(!shown(&rules, 3, false, &columns(&[("orders", "shop_id")])).contains(changed));
    assert_eq!(shown(&rules, 2, false, &columns(&[("users", "email")])), "none");
}

#[test]
fn many_ways_without_holds_cost_nothing_and_with_holds_no_more_than_there_are_keys() {
    // 14 tables, each referring to all before it: thousands of ways from the last to the first.
    let mut tables = Vec::new();
    for oid in 1..=14_u32 {
        let mut columns = vec![("id".to_owned(), "bigint")];
        columns.extend((1..oid).map(|parent| (format!("r{parent}"), "bigint")));
        let columns: Vec<(&str, &str)> = columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        let mut made = table(oid, &format!("t{oid}"), &columns);
        for parent in 1..oid {
            refer(&mut made, &format!("r{parent}"), parent, OnDelete::NoAction);
        }
        tables.push(made);
    }
    let rules = HoldRules::new(&catalog(tables), &policy());
    assert_eq!(rules.predicate(14, true, &Structure::default()), Ok(None));
    assert!(
        rules
            .predicate(14, false, &columns(&[("t13", "id")]))
            .unwrap()
            .is_some()
    );
    for (held, deletes) in [("t1", true), ("t13", true), ("t1", false)] {
        let sql = shown(&rules, 14, deletes, &columns(&[(held, "id")]));
        assert!(sql.len() < 40_000, "{} bytes", sql.len());
    }
}

proptest! {
    #[test]
    fn hostile_names_and_labels_never_leave_their_quotes(name in ".{1,20}", label in ".{0,20}") {
        let mut policy = policy();
        policy.legal_hold_labels = vec![label.clone()];
        policy.rules.push(Rule { labels_column: Some(name.clone()), ..rule("r", &name) });
        let made = table(1, &name, &[(name.as_str(), "text")]);
        let rules = HoldRules::new(&catalog(vec![made]), &policy);
        let sql = rules.predicate(1, true, &columns(&[(name.as_str(), name.as_str())])).unwrap().unwrap();
        let (text, params) = sql.render();
        prop_assert_eq!(params, [Some("public"), Some(name.as_str()), Some(name.as_str()), Some(label.as_str())]);
        // Without the quoted name, no trace of it is left in the text.
        let rest = text.replace(&pg_session::quote_ident(&name), "");
        prop_assert!(!rest.contains('"'), "{}", rest);
    }
}
