//! Columns that are not there, have another type, or cannot become what the policy wants.

use crate::world::{Refusals, World};

fn age(column: &str) -> String {
    format!("rules: [{{name: the-rule, table: kinds, action: delete, age: {{column: {column}, days: 90}}}}]")
}

fn condition(condition: &str) -> String {
    format!("rules: [{{name: the-rule, table: kinds, action: delete, where: [{{{condition}}}]}}]")
}

fn anonymise(columns: &str) -> String {
    format!(
        "rules: [{{name: the-rule, table: kinds, action: {{anonymise: {{{columns}}}}}, where: [{{column: number, op: eq, value: 1}}]}}]"
    )
}

fn world() -> World {
    let world = World::new();
    world.own(
        "CREATE TABLE kinds (id int PRIMARY KEY, words text, number int, wanted text NOT NULL, short varchar(10), \
         at timestamptz, clock time, born date, doubled int GENERATED ALWAYS AS (number * 2) STORED, \
         code text UNIQUE, parent int REFERENCES kinds, ip inet, flag boolean); \
         CREATE INDEX ON kinds (parent); \
         INSERT INTO kinds (id, words, number, wanted, at) VALUES (1, 'words', 1, 'wanted', '2001-01-01')",
    );
    world
}

#[test]
fn ages_by_columns_that_are_no_dates() {
    let world = world();
    let mut refusals = Refusals::of(&world);
    for column in [
        "created_at",
        "words",
        "number",
        "clock",
        "flag",
        "ctid",
        "AT",
        "\"at; drop table kinds\"",
    ] {
        refusals.policy(column, &age(column));
    }
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn conditions_that_do_not_fit() {
    let world = world();
    let mut refusals = Refusals::of(&world);
    for text in [
        "column: nothing, op: eq, value: 1",
        "column: number, op: eq, value: words",
        "column: number, op: eq, value: \"1; drop table kinds\"",
        "column: number, op: in, value: [1, two]",
        "column: flag, op: eq, value: perhaps",
        "column: at, op: lt, value: 2001-02-30",
        "column: ip, op: eq, value: 192.0.2.300",
    ] {
        refusals.policy(text, &condition(text));
    }
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn columns_that_cannot_be_anonymised_so() {
    let world = world();
    let mut refusals = Refusals::of(&world);
    for columns in [
        "nothing: \"null\"",
        "wanted: \"null\"",
        "id: \"null\"",
        "id: {constant: 7}",
        "doubled: \"null\"",
        "code: {constant: gone}",
        "parent: {constant: 7}",
        "number: {constant: words}",
        "short: {constant: longer than ten}",
        "words: {generalise_date: month}",
        "number: {truncate_ip: {v4: 24, v6: 48}}",
        "born: {generalise_date: hour}",
    ] {
        refusals.policy(columns, &anonymise(columns));
    }
    for columns in ["number: hmac", "short: hmac"] {
        let mut command = world.with_policy(&anonymise(columns));
        refusals.add(columns, 2, command.env("RETENTION_HMAC_KEY", "canary-0123456789abcdef"));
    }
    insta::assert_snapshot!(refusals.text());
}
