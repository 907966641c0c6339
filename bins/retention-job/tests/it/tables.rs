//! Tables that are not there, or are none.

use crate::world::{Refusals, World};

fn delete(table: &str) -> String {
    format!("rules: [{{name: the-rule, table: {table}, action: delete, age: {{column: created_at, days: 90}}}}]")
}

#[test]
fn what_is_no_table_of_an_application() {
    let world = World::new();
    world.sql(
        "CREATE VIEW a_view AS SELECT * FROM pii_events; CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM pii_events; \
         CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere; \
         CREATE FOREIGN TABLE a_foreign_table (id int, created_at timestamptz) SERVER elsewhere; \
         CREATE SEQUENCE a_sequence; CREATE TYPE a_type AS (id int, created_at timestamptz); \
         CREATE TABLE \"Mixed\" (id int PRIMARY KEY, created_at timestamptz); \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO job",
    );
    let mut refusals = Refusals::of(&world);
    for table in [
        "pii_event",
        "public.nothing_like_it",
        "nowhere.pii_events",
        "PII_EVENTS",
        "mixed",
        "a_view",
        "a_matview",
        "a_foreign_table",
        "a_sequence",
        "a_type",
        "pii_events_pkey",
        "pg_catalog.pg_class",
        "information_schema.tables",
        "retention.audit",
    ] {
        refusals.policy(table, &delete(table));
    }
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn the_built_in_policy_needs_its_tables() {
    let world = World::new();
    world.sql("ALTER TABLE transactions RENAME TO transaction; ALTER TABLE users DROP COLUMN phone");
    let said = world.refused(&mut world.job(["run"]), 2);
    insta::assert_snapshot!(said);
}

#[test]
fn tables_that_are_refused_unless_the_policy_allows_them() {
    let world = World::new();
    world.own(
        "CREATE TABLE no_key AS SELECT * FROM pii_events; \
         CREATE TABLE child (id int PRIMARY KEY, event bigint REFERENCES pii_events)",
    );
    let mut refusals = Refusals::of(&world);
    refusals.policy("no primary key", &delete("no_key"));
    refusals.policy("a foreign key without an index", &delete("pii_events"));
    refusals.policy(
        "not partitioned",
        &delete("users").replace("delete", "detach-partition"),
    );
    insta::assert_snapshot!(refusals.text());

    let allowed = delete("no_key").replace("action:", "allow_no_primary_key: true, action:");
    let ended = program::run(&mut world.with_policy(&allowed));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.value("SELECT count(*) FROM no_key"), "3");
    let allowed = delete("pii_events").replace("action:", "allow_unindexed_foreign_keys: true, action:");
    let ended = program::run(&mut world.with_policy(&allowed));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.value("SELECT count(*) FROM pii_events"), "3");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let world = World::new();
    let said = world.refused(
        &mut world.with_policy(
            "rules:\n- {name: first, table: nowhere, action: delete, age: {column: at, days: 1}}\n\
             - {name: second, table: users, action: {anonymise: {id: \"null\", emial: \"null\"}}, where: [{column: phone, op: is_null}]}\n\
             - {name: third, table: transactions, action: delete, age: {column: amount, days: 1}}",
        ),
        2,
    );
    insta::assert_snapshot!(said);
}
