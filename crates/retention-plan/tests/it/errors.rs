//! What real databases have that cannot be governed; each is told by name.

use crate::support::{aged, anonymise, db, now, policy, rule, table, when};
use pg_cluster::Major;
use retention_plan::catalog::read;
use retention_plan::resolve::{Keys, check_values, resolve, table_names};
use retention_policy::{Action, Op, Policy, Rule, Scalar, Transform};

fn texts(errors: &[retention_plan::resolve::ResolveError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n")
}

async fn told(session: &pg_session::Session, policy: &Policy) -> String {
    let catalog = read(session, &table_names(policy), now()).await.unwrap();
    texts(&resolve(policy, &catalog, now(), &Keys::default()).unwrap_err())
}

pub async fn only_tables_of_this_server_are_governed(major: Major) {
    let db = db(
        major,
        "CREATE TABLE \"Users\" (id int PRIMARY KEY, at date);
         CREATE VIEW v AS SELECT 1 AS id, now() AS at; CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id;
         CREATE SEQUENCE s; CREATE TYPE composite AS (id int);
         CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing;
         CREATE FOREIGN TABLE ft (id int) SERVER far;
         CREATE TABLE p (id int, at date) PARTITION BY RANGE (at);
         CREATE FOREIGN TABLE pf PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') SERVER far;
         CREATE SCHEMA retention; CREATE TABLE retention.audit (id int PRIMARY KEY, at date)",
    )
    .await;
    let mut p = aged("partition", "p", "at", 30);
    p.allow_no_primary_key = true;
    let mut rules: Vec<Rule> = [
        "v",
        "mv",
        "s",
        "composite",
        "ft",
        "users",
        "User",
        "other.Users",
        "retention.audit",
        "pg_catalog.pg_class",
        "nowhere",
    ]
    .iter()
    .map(|of| aged(of, of, "at", 30))
    .collect();
    rules.push(p);
    let shown = told(&db.session, &policy(rules)).await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(shown, @r#"
    rule "v": public.v: it is a view; expected a table
    rule "mv": public.mv: it is a materialised view; expected a table
    rule "s": public.s: it is a sequence, an index or a type; expected a table
    rule "composite": public.composite: it is a sequence, an index or a type; expected a table
    rule "ft": public.ft: it is a foreign table; expected a table
    rule "users": public.users: there is no such table; did you mean public.Users?
    rule "User": public.User: there is no such table; did you mean public.Users?
    rule "other.Users": other.Users: there is no such table; did you mean public.Users?
    rule "retention.audit": retention.audit: it belongs to this tool; expected a table of an application
    rule "pg_catalog.pg_class": pg_catalog.pg_class: it belongs to PostgreSQL; expected a table of an application
    rule "nowhere": public.nowhere: there is no such table
    rule "partition": public.p: its partition public.pf is a foreign table; expected partitions of this server
    "#);
    }
    db.session
        .batch("CREATE TEMPORARY TABLE tt (id int PRIMARY KEY, at date)")
        .await
        .unwrap();
    let schema: String = db
        .session
        .one(&pg_session::Sql::text("SELECT pg_my_temp_schema()::regnamespace::text"))
        .await
        .unwrap()
        .get(0);
    let temporary = told(
        &db.session,
        &policy(vec![aged("tt", &format!("{schema}.tt"), "at", 30)]),
    )
    .await;
    assert!(
        temporary.ends_with("it is a temporary table; expected a table"),
        "{temporary}"
    );
}

pub async fn missing_rights_and_row_security_are_told_with_what_is_needed(major: Major) {
    let db = db(
        major,
        "DROP ROLE IF EXISTS d1_reader; CREATE ROLE d1_reader LOGIN;
         CREATE TABLE t (id int PRIMARY KEY, at date, a text, b text); CREATE TABLE c (id int PRIMARY KEY, t int REFERENCES t);
         CREATE INDEX ON c (t);
         CREATE TABLE secret (id int PRIMARY KEY, at date); ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
         CREATE TABLE p (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
         CREATE SCHEMA \"Hidden\"; CREATE TABLE \"Hidden\".h (id int PRIMARY KEY, at date);
         GRANT SELECT, UPDATE (a) ON t TO d1_reader; GRANT SELECT, DELETE ON secret TO d1_reader;
         GRANT SELECT, DELETE ON p TO d1_reader; GRANT SELECT, DELETE ON \"Hidden\".h TO d1_reader",
    )
    .await;
    let session = db.session_of("d1_reader").await;
    let rules = vec![
        aged("delete", "t", "at", 30),
        anonymise(aged("column", "t", "at", 30), &[("a", Transform::Null)]),
        anonymise(
            aged("table", "t", "at", 30),
            &[("a", Transform::Null), ("b", Transform::Null)],
        ),
        aged("secret", "secret", "at", 30),
        aged("parts", "p", "at", 30),
        aged("hidden", "Hidden.h", "at", 30),
        Rule {
            action: Action::DetachPartition,
            ..aged("detach", "p", "at", 30)
        },
    ];
    let shown = told(&session, &policy(rules)).await;
    insta::allow_duplicates! {
        insta::assert_snapshot!(shown, @r#"
    rule "delete": public.t: d1_reader has no DELETE; expected: GRANT DELETE ON TABLE "public"."t" TO "d1_reader"
    rule "delete": public.c: d1_reader has no SELECT; expected: GRANT SELECT ON TABLE "public"."c" TO "d1_reader"
    rule "table": public.t: d1_reader has no UPDATE; expected: GRANT UPDATE ON TABLE "public"."t" TO "d1_reader"
    rule "secret": public.secret: row security applies to d1_reader; expected a user with BYPASSRLS, or the owner of a table without FORCE ROW LEVEL SECURITY
    rule "parts": public.p1: d1_reader has no SELECT; expected: GRANT SELECT ON TABLE "public"."p1" TO "d1_reader"
    rule "parts": public.p1: d1_reader has no DELETE; expected: GRANT DELETE ON TABLE "public"."p1" TO "d1_reader"
    rule "hidden": Hidden.h: d1_reader has no USAGE; expected: GRANT USAGE ON SCHEMA "Hidden" TO "d1_reader"
    rule "detach": public.p: d1_reader is not its owner; detaching partitions needs the owner of the partition and of the table above it
    "#);
    }
}

pub async fn values_are_tried_on_the_server(major: Major) {
    let db = db(
        major,
        "CREATE DOMAIN short AS text CHECK (length(VALUE) < 10); CREATE DOMAIN present AS text CHECK (VALUE IS NOT NULL);
         CREATE TYPE mood AS ENUM ('good', 'bad');
         CREATE TABLE t (id int PRIMARY KEY, n int, m mood, j json, s short, k present, tags text[], at timestamptz)",
    )
    .await;
    let text = |text: &str| Scalar::Text(text.to_owned());
    let conditions = vec![
        when("n", Op::Eq(text("twelve"))),
        when("n", Op::In(vec![text("1"), text("2;")])),
        when("m", Op::Ne(text("ugly"))),
        when("j", Op::Eq(text("{}"))),
        when("tags", Op::In(vec![text("{a}")])),
        when("at", Op::Lt(text("2026-02-30"))),
        when("n", Op::Eq(text("7"))),
        when("j", Op::IsNull),
    ];
    let transforms = [
        ("s", Transform::Constant(text("much too long"))),
        ("k", Transform::Null),
        ("m", Transform::Constant(text("Good"))),
        (
            "n",
            Transform::Constant(Scalar::Number(serde_json::from_str("1.5").unwrap())),
        ),
    ];
    let rule = Rule {
        conditions,
        ..anonymise(rule("r", "t"), &transforms)
    };
    let catalog = read(&db.session, &[table("t")], now()).await.unwrap();
    let resolved = resolve(&policy(vec![rule]), &catalog, now(), &Keys::default()).unwrap();
    let refused = check_values(&db.session, &resolved.probes).await.unwrap();
    let shown = texts(&refused);
    insta::allow_duplicates! {
        insta::assert_snapshot!(shown, @r#"
    rule "r": public.t.n: the server does not take "twelve" for its type integer: invalid input syntax for type integer (SQLSTATE 22P02)
    rule "r": public.t.n: the server does not take "1, 2;" for its type integer: invalid input syntax for type integer (SQLSTATE 22P02)
    rule "r": public.t.m: the server does not take "ugly" for its type public.mood: a value cannot be read as the type (SQLSTATE 22P02)
    rule "r": public.t.j: the server does not take "{}" for its type json: operator does not exist: json = json (SQLSTATE 42883)
    rule "r": public.t.tags: the server does not take "{a}" for its type text[]: operator does not exist: text[] = text (SQLSTATE 42883)
    rule "r": public.t.at: the server does not take "2026-02-30" for its type timestamp with time zone: a date or time cannot be read, or is out of range (SQLSTATE 22008)
    rule "r": public.t.k: the server does not take "NULL" for its type public.present: value for domain public.present violates check constraint "present_check" (SQLSTATE 23514)
    rule "r": public.t.m: the server does not take "Good" for its type public.mood: a value cannot be read as the type (SQLSTATE 22P02)
    rule "r": public.t.n: the server does not take "1.5" for its type integer: invalid input syntax for type integer (SQLSTATE 22P02)
    rule "r": public.t.s: the server does not take "much too long" for its type public.short: value for domain public.short violates check constraint "short_check" (SQLSTATE 23514)
    "#);
    }
}
