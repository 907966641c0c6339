//! Policies against catalogs made by hand: the SQL that comes out, and what each thing that is wrong is told as.

use super::*;
use crate::catalog::{Index, OnDelete, RelationKind, Table};
use crate::fixture::{catalog, index, place, policy, refer, rule, table};
use crate::model::Work;
use retention_policy::{
    Action, Age, Condition, Erasure, ErasureAction, ErasureTable, OnChildren, Op, Rule, Scalar, SubjectTable, Term,
    Transform, Unit,
};

fn as_of() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn with(rules: Vec<Rule>) -> Policy {
    Policy { rules, ..policy() }
}

fn keys() -> Keys {
    Keys {
        hmac: Some(HmacKey::new(b"key")),
    }
}

fn anonymise(mut rule: Rule, transforms: &[(&str, Transform)]) -> Rule {
    let transforms = transforms
        .iter()
        .map(|(column, transform)| ((*column).to_owned(), transform.clone()));
    rule.action = Action::Anonymise(transforms.collect());
    rule
}

fn events() -> Table {
    table(
        1,
        "events",
        &[
            ("id", "bigint"),
            ("at", "timestamp with time zone"),
            ("email", "text"),
            ("n", "integer"),
        ],
    )
}

fn told(policy: &Policy, tables: Vec<Table>) -> String {
    let errors = resolve(policy, &catalog(tables), as_of(), &Keys::default()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n")
}

#[test]
fn a_rule_becomes_predicates_with_bound_values() {
    let mut rule = rule("old", "events");
    rule.conditions = vec![
        Condition {
            column: "email".to_owned(),
            op: Op::NotIn(vec![Scalar::Text("a'b".to_owned()), Scalar::Text("c\"d".to_owned())]),
        },
        Condition {
            column: "n".to_owned(),
            op: Op::IsNull,
        },
    ];
    let resolved = resolve(&with(vec![rule]), &catalog(vec![events()]), as_of(), &keys()).unwrap();
    let task = &resolved.tasks[0];
    let (text, params) = task.due.render();
    insta::assert_snapshot!(text, @r#"
    t."at" < '2026-03-03T00:00:00Z'::timestamptz AND t."email" <> ALL ($1::pg_catalog.text::text[]) AND t."n" IS NULL
    "#);
    // A moment is a constant: bound as text, it would be read again for every row.
    assert_eq!(params, [Some("{\"a'b\",\"c\\\"d\"}")]);
    assert_eq!(task.undated.as_ref().unwrap().shown(), "t.\"at\" IS NULL");
    assert!(task.blocked.is_none() && task.cascades_to.is_empty());
    assert_eq!(resolved.probes.len(), 1);
}

#[test]
fn every_transform_is_one_expression_and_one_guard() {
    let mut events = events();
    events.columns.push(crate::Column::new(5, "ip", "inet"));
    let transforms = [
        ("at", Transform::GeneraliseDate(Unit::Month)),
        ("email", Transform::Hmac),
        ("n", Transform::Constant(Scalar::Bool(true))),
        ("ip", Transform::TruncateIp { v4: 24, v6: 48 }),
    ];
    let rule = anonymise(rule("old", "events"), &transforms);
    let resolved = resolve(&with(vec![rule]), &catalog(vec![events]), as_of(), &keys()).unwrap();
    let Work::Anonymise { set, guard, columns } = &resolved.tasks[0].work else {
        panic!("it is anonymised");
    };
    assert_eq!(columns, &["at", "email", "ip", "n"]);
    insta::assert_snapshot!(format!("{}\n\n{}", set.render().0, guard.render().0), @r#"
    "at" = CASE WHEN isfinite(t."at") THEN date_trunc('month', greatest(t."at", timestamptz '4700-01-01 00:00+00 BC'), 'UTC') ELSE t."at" END, "email" = CASE WHEN t."email" !~ '^hmac:[0-9a-f]{64}$' THEN 'hmac:' || encode(sha256(decode($1::pg_catalog.text::text, 'hex') || sha256(decode($2::pg_catalog.text::text, 'hex') || convert_to(t."email", 'UTF8'))), 'hex') ELSE t."email" END, "ip" = network(set_masklen(t."ip"::inet, least(masklen(t."ip"::inet), CASE family(t."ip"::inet) WHEN 4 THEN 24 ELSE 48 END)))::inet, "n" = $3::pg_catalog.text::integer

    t."at" IS DISTINCT FROM CASE WHEN isfinite(t."at") THEN date_trunc('month', greatest(t."at", timestamptz '4700-01-01 00:00+00 BC'), 'UTC') ELSE t."at" END OR t."email" !~ '^hmac:[0-9a-f]{64}$' OR t."ip"::inet IS DISTINCT FROM network(set_masklen(t."ip"::inet, least(masklen(t."ip"::inet), CASE family(t."ip"::inet) WHEN 4 THEN 24 ELSE 48 END)))::inet OR t."n" IS DISTINCT FROM $1::pg_catalog.text::integer
    "#);
    assert!(!format!("{set:?}").contains("36363636"), "the key is not shown");
}

#[test]
fn a_row_that_refers_to_itself_keeps_nobody() {
    let mut boss = table(1, "boss", &[("id", "bigint"), ("at", "date"), ("b\"oss", "bigint")]);
    refer(&mut boss, "b\"oss", 1, OnDelete::NoAction);
    let resolved = resolve(&with(vec![rule("r", "boss")]), &catalog(vec![boss]), as_of(), &keys()).unwrap();
    insta::assert_snapshot!(resolved.tasks[0].blocked.as_ref().unwrap().shown(), @r#"
    EXISTS (SELECT FROM ONLY "public"."boss" AS c1 WHERE t."id" OPERATOR(pg_catalog.=) c1."b""oss" AND NOT (c1.tableoid = t.tableoid AND c1.ctid = t.ctid))
    "#);
}

#[test]
fn a_cascade_that_goes_in_a_circle_ends() {
    let mut a = table(1, "a", &[("id", "bigint"), ("at", "date"), ("b", "bigint")]);
    let mut b = table(2, "b", &[("id", "bigint"), ("a", "bigint")]);
    let mut c = table(3, "c", &[("id", "bigint"), ("b", "bigint")]);
    refer(&mut a, "b", 2, OnDelete::Cascade);
    refer(&mut b, "a", 1, OnDelete::Cascade);
    refer(&mut c, "b", 2, OnDelete::Restrict);
    let mut rule = rule("r", "a");
    rule.on_children = OnChildren::Cascade;
    let resolved = resolve(&with(vec![rule]), &catalog(vec![a, b, c]), as_of(), &keys()).unwrap();
    insta::assert_snapshot!(resolved.tasks[0].blocked.as_ref().unwrap().shown(), @r#"
    EXISTS (SELECT FROM ONLY "public"."b" AS c1 WHERE t."id" OPERATOR(pg_catalog.=) c1."a" AND (EXISTS (SELECT FROM ONLY "public"."c" AS c2 WHERE c1."id" OPERATOR(pg_catalog.=) c2."b")))
    "#);
    let along: Vec<&str> = resolved.tasks[0]
        .cascades_to
        .iter()
        .map(|relation| relation.name.as_str())
        .collect();
    assert_eq!(along, ["a", "b"]);
}

#[test]
fn a_leaf_has_the_bound_of_the_age_column_only() {
    let mut root = table(1, "root", &[("id", "bigint"), ("at", "date"), ("day", "date")]);
    root.kind = RelationKind::Partitioned;
    root.partitioned_by = Some(('r', vec![2]));
    let mut middle = table(2, "middle", &[("id", "bigint"), ("at", "date"), ("day", "date")]);
    middle.kind = RelationKind::Partitioned;
    middle.partition = Some(place(1, "at", Some("2026-01-01T00:00:00Z")));
    let mut leaf = table(3, "leaf", &[("id", "bigint"), ("at", "date"), ("day", "date")]);
    leaf.partition = Some(place(2, "day", Some("2025-01-01T00:00:00Z")));
    let resolved = resolve(
        &with(vec![rule("r", "root")]),
        &catalog(vec![root, middle, leaf]),
        as_of(),
        &keys(),
    );
    let leaves = &resolved.unwrap().tasks[0].leaves;
    assert_eq!(leaves.len(), 1);
    assert_eq!(leaves[0].upper_bound, "2026-01-01T00:00:00Z".parse().ok());
    assert!(!leaves[0].detach_concurrently, "its parent is a partition itself");
}

#[test]
fn names_that_are_mistyped_are_told_with_the_likeliest() {
    let mut catalog = catalog(vec![events()]);
    catalog.known_names = vec!["public.events".to_owned(), "app.users".to_owned()];
    let mut age = rule("case", "events");
    age.age.as_mut().unwrap().column = "At".to_owned();
    let mut more = rule("more", "events");
    more.subject_column = Some("e_mail".to_owned());
    more.labels_column = Some("n".to_owned());
    more.conditions = vec![Condition {
        column: "nothing_like_it".to_owned(),
        op: Op::IsNull,
    }];
    let rules = vec![
        rule("singular", "event"),
        rule("schema", "users"),
        rule("far", "invoices"),
        age,
        more,
    ];
    let errors = resolve(&with(rules), &catalog, as_of(), &keys()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    rule "singular": public.event: there is no such table; did you mean public.events?
    rule "schema": public.users: there is no such table; did you mean app.users?
    rule "far": public.invoices: there is no such table
    rule "case": public.events.At: there is no such column; did you mean at?
    rule "more": public.events.nothing_like_it: there is no such column
    rule "more": public.events.e_mail: there is no such column; did you mean email?
    rule "more": public.events.n: its type is integer; expected text, varchar, text[] or jsonb for labels
    "#);
}

#[test]
fn columns_that_cannot_be_made_anonymous_so_are_told_why() {
    let mut users = table(
        1,
        "users",
        &[
            ("id", "bigint"),
            ("at", "date"),
            ("email", "text"),
            ("parent", "bigint"),
            ("made", "text"),
            ("code", "character varying"),
            ("must", "text"),
            ("ref", "text"),
            ("solo", "text"),
            ("key", "date"),
            ("ip", "integer"),
        ],
    );
    users.columns[4].generated = true;
    users.columns[5].max_chars = Some(20);
    users.columns[6].not_null = true;
    let unique = |index: Index| Index { unique: true, ..index };
    users.indexes = vec![
        unique(index("users_email_key", &[3])),
        Index {
            one_null: true,
            ..unique(index("users_solo_key", &[9]))
        },
        Index {
            key_columns: vec![0],
            ..unique(index("users_lower_idx", &[6]))
        },
    ];
    users.partitioned_by = Some(('r', vec![10]));
    users.kind = RelationKind::Partitioned;
    refer(&mut users, "parent", 1, OnDelete::NoAction);
    let mut child = table(2, "child", &[("id", "bigint"), ("u", "text")]);
    refer(&mut child, "u", 1, OnDelete::NoAction);
    child.foreign_keys[0].parent_columns = vec![8];
    let text = |text: &str| Transform::Constant(Scalar::Text(text.to_owned()));
    let one = |name: &str, transforms: &[(&str, Transform)]| anonymise(rule(name, "users"), transforms);
    let rules = vec![
        one(
            "key",
            &[
                ("id", Transform::Hmac),
                ("parent", text("7")),
                ("ref", Transform::Null),
                ("key", Transform::Null),
            ],
        ),
        one(
            "unique",
            &[
                ("email", text("x")),
                ("solo", Transform::Null),
                ("code", Transform::TruncateIp { v4: 8, v6: 8 }),
            ],
        ),
        one("null", &[("must", Transform::Null), ("made", Transform::Null)]),
        one("parse", &[("must", Transform::TruncateIp { v4: 24, v6: 48 })]),
        one(
            "type",
            &[
                ("ip", Transform::TruncateIp { v4: 24, v6: 48 }),
                ("at", Transform::Hmac),
                ("solo", Transform::Hmac),
            ],
        ),
        one("short", &[("code", Transform::Hmac)]),
        one("long", &[("code", text("123456789012345678901"))]),
        one(
            "fine",
            &[
                ("at", Transform::GeneraliseDate(Unit::Day)),
                ("must", Transform::GeneraliseDate(Unit::Day)),
            ],
        ),
    ];
    insta::assert_snapshot!(told(&with(rules), vec![users, child]), @r#"
    rule "key": public.users.id: it is part of the primary key; what names a row cannot be anonymised
    rule "key": public.users.key: public.users is partitioned by it, so changing it would move rows between partitions
    rule "key": public.users.parent: it is part of the foreign key users_parent_fkey, so it can only be made null
    rule "key": public.users.ref: the foreign key child_u_fkey of public.child refers to it; what other rows refer to cannot be anonymised
    rule "unique": public.users.code: the unique index users_lower_idx covers it, so it can only be made null or hmac
    rule "unique": public.users.email: the unique index users_email_key covers it, so it can only be made null or hmac
    rule "unique": public.users.solo: the unique index users_solo_key covers it and takes only one NULL (NULLS NOT DISTINCT)
    rule "null": public.users.made: its value is generated by the database and cannot be written; anonymise the columns that it is computed from
    rule "null": public.users.must: it is NOT NULL, so it cannot be made NULL; expected another transform, or a column that may be NULL
    rule "parse": public.users.must: it is NOT NULL, so it cannot be made NULL where it holds no address; expected another transform, or a column that may be NULL
    rule "type": public.users.at: its type is date; expected text or varchar for hmac
    rule "type": public.users.ip: its type is integer; expected inet, cidr, text or varchar for truncate-ip
    rule "type": public.users.solo: hmac needs a key; expected RETENTION_HMAC_KEY or RETENTION_HMAC_KEY_FILE
    rule "short": public.users.code: its type character varying has room for 20 characters; 69 needed
    rule "long": public.users.code: the unique index users_lower_idx covers it, so it can only be made null or hmac
    rule "fine": public.users.at: a date has nothing finer than the day; expected a coarser unit
    rule "fine": public.users.must: its type is text; expected date, timestamp or timestamptz for generalise-date
    "#);
}

#[test]
fn tables_that_cannot_be_governed_so_are_told_why() {
    let mut bare = table(1, "bare", &[("id", "bigint"), ("at", "text")]);
    bare.primary_key.clear();
    let mut listed = table(2, "listed", &[("id", "bigint"), ("at", "date")]);
    listed.kind = RelationKind::Partitioned;
    listed.partitioned_by = Some(('l', vec![1]));
    let mut child = table(3, "child", &[("id", "bigint"), ("bare", "bigint")]);
    refer(&mut child, "bare", 1, OnDelete::NoAction);
    child.foreign_keys[0].indexed = false;
    let detach = |name: &str, table: &str| {
        let mut rule = rule(name, table);
        rule.action = Action::DetachPartition;
        rule
    };
    let mut by_condition = detach("by-condition", "listed");
    by_condition.conditions = vec![Condition {
        column: "id".to_owned(),
        op: Op::NotNull,
    }];
    let mut every = rule("every-row", "listed");
    every.age = None;
    let mut eon = rule("eon", "listed");
    eon.age = Some(Age {
        column: "at".to_owned(),
        term: Term::Months(12 * 2100),
    });
    let rules = vec![
        rule("bare", "bare"),
        detach("whole", "child"),
        detach("other", "listed"),
        by_condition,
        every,
        eon,
    ];
    insta::assert_snapshot!(told(&with(rules), vec![bare, listed, child]), @r#"
    rule "bare": public.bare.at: its type is text; expected date, timestamp or timestamptz for an age
    rule "bare": public.bare: it has no primary key; expected one, or "allow_no_primary_key": true
    rule "bare": public.bare: the foreign key child_bare_fkey of public.child (bare) refers to it and has no index, so every deleted row reads all of public.child; expected an index on public.child (bare), or "allow_unindexed_foreign_keys": true
    rule "whole": public.child.at: there is no such column
    rule "whole": public.child: it is not partitioned; expected a table PARTITION BY RANGE on at
    rule "other": public.listed: it is partitioned by something else; expected PARTITION BY RANGE (at) for detach-partition
    rule "by-condition": public.listed: detach-partition takes whole partitions by their age; expected an age, and no conditions
    rule "every-row": public.listed: neither an age nor a condition says which rows are meant
    rule "eon": public.listed.at: the term reaches back before the year 1; expected a shorter one
    "#);
}

#[test]
fn what_many_partitions_lack_is_told_once() {
    let mut root = table(1, "root", &[("id", "bigint"), ("at", "date")]);
    root.kind = RelationKind::Partitioned;
    root.partitioned_by = Some(('r', vec![2]));
    let mut tables = vec![root];
    for oid in 2..102 {
        let mut leaf = table(oid, &format!("p{oid:03}"), &[("id", "bigint"), ("at", "date")]);
        leaf.partition = Some(place(1, "at", None));
        leaf.privileges.delete = oid % 2 == 0;
        leaf.row_security = oid % 4 == 1;
        tables.push(leaf);
    }
    insta::assert_snapshot!(told(&with(vec![rule("r", "root")]), tables), @r#"
    rule "r": public.p003 (and 49 more): retention has no DELETE; expected: GRANT DELETE ON TABLE "public"."p003" TO "retention"
    "#);
}

#[test]
fn hmac_without_a_key_is_refused() {
    let policy = with(vec![anonymise(rule("r", "events"), &[("email", Transform::Hmac)])]);
    insta::assert_snapshot!(told(&policy, vec![events()]), @r#"
    rule "r": public.events.email: hmac needs a key; expected RETENTION_HMAC_KEY or RETENTION_HMAC_KEY_FILE
    "#);
}

#[test]
fn a_subject_that_is_in_the_middle_goes_last_all_the_same() {
    // users refers to accounts, and accounts are found through users.
    let accounts = table(1, "accounts", &[("id", "bigint"), ("name", "text")]);
    let mut users = table(2, "users", &[("id", "bigint"), ("account", "bigint")]);
    refer(&mut users, "account", 1, OnDelete::NoAction);
    let name = |name: &str| TableName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    };
    let part = |table: &str, reach: Reach| ErasureTable {
        table: name(table),
        action: ErasureAction::Delete,
        reach,
        on_children: OnChildren::Keep,
        allow_no_primary_key: false,
    };
    let through = Reach::Via {
        column: "id".to_owned(),
        table: name("users"),
        key: "account".to_owned(),
        reach: Box::new(Reach::Column("id".to_owned())),
    };
    let policy = Policy {
        erasure: Some(Erasure {
            max_fraction: None,
            subject: SubjectTable {
                table: name("users"),
                key: "id".to_owned(),
                requested: Vec::new(),
                completed: None,
            },
            tables: vec![part("users", Reach::Column("id".to_owned())), part("accounts", through)],
        }),
        ..policy()
    };
    assert_eq!(table_names(&policy), [name("accounts"), name("users")]);
    let resolved = resolve(&policy, &catalog(vec![accounts, users]), as_of(), &keys()).unwrap();
    let tasks = erasure_tasks(&resolved.erasure.unwrap(), &["7".to_owned()]);
    let (text, params) = tasks[0].due.render();
    insta::assert_snapshot!(text, @r#"
    EXISTS (SELECT FROM "public"."users" AS v1 WHERE v1."account" = t."id" AND v1."id" = ANY ($1::pg_catalog.text::bigint[]))
    "#);
    assert_eq!(params, [Some("{\"7\"}")]);
    assert_eq!(tasks[1].table.name, "users");
}
