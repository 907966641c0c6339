//! Names and values that look like SQL are only names and values.

use crate::world::World;

/// Schema, table, age column, column to anonymise, another column.
const NAMES: [[&str; 5]; 4] = [
    [
        "x\"; drop table public.users; --",
        "t\"; drop table public.users; --",
        "at\" < now() or true; --",
        "e\"mail",
        "o'ther",
    ],
    ["Mixed Case", "with.dot", "select", "user", "$1"],
    ["ünï", "таблица", "när", "🦀", "a\\b"],
    ["a'b", "%s {} $$", "created at", "null", "\u{202e}x"],
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[test]
fn exactly_the_due_rows_go_whatever_things_are_called() {
    let world = World::new();
    let (users, transactions) = (users(&world), world.value("SELECT count(*) FROM transactions"));
    let mut rules = Vec::new();
    for (index, [schema, table, at, email, other]) in NAMES.iter().enumerate() {
        let place = format!("{}.{}", quoted(schema), quoted(table));
        let (at_column, email_column, other_column) = (quoted(at), quoted(email), quoted(other));
        let other_table = format!("{}.{}", quoted(schema), quoted(&format!("{table}2")));
        world.sql(&format!("CREATE SCHEMA {} AUTHORIZATION job", quoted(schema)));
        for place in [&place, &other_table] {
            world.own(&format!(
                "CREATE TABLE {place} (id int PRIMARY KEY, {at_column} timestamptz, {email_column} text, {other_column} text); \
                 INSERT INTO {place} SELECT n, now() - n * interval '1 day' - interval '1 hour', 'mail ' || n, 'it''s' FROM generate_series(1, 20) AS n; \
                 INSERT INTO {place} VALUES (21, now() - interval '99 days', 'mail', 'another'), (22, NULL, 'mail', 'it''s')"
            ));
        }
        let json = |text: &str| format!("{text:?}").replace("\\u{202e}", "\\u202e").replace("\\'", "'");
        let table_of = |table: &str| format!("{{\"schema\": {}, \"name\": {}}}", json(schema), json(table));
        let which = format!(
            "\"age\": {{\"column\": {}, \"days\": 10}}, \"where\": [{{\"column\": {}, \"op\": \"eq\", \"value\": \"it's\"}}]",
            json(at),
            json(other)
        );
        rules.push(format!(
            "{{\"name\": \"delete-{index}\", \"table\": {}, \"action\": \"delete\", {which}}}",
            table_of(table)
        ));
        rules.push(format!(
            "{{\"name\": \"anonymise-{index}\", \"table\": {}, \"action\": {{\"anonymise\": {{{}: {{\"constant\": \"'); drop table public.users; --\"}}}}}}, {which}}}",
            table_of(&format!("{table}2")),
            json(email)
        ));
    }
    let ended = program::run(&mut world.with_policy(&format!("{{\"rules\": [{}]}}", rules.join(", "))));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for [schema, table, at, email, _] in NAMES {
        let place = format!("{}.{}", quoted(schema), quoted(table));
        let left = world.column(&format!("SELECT id FROM {place} ORDER BY id"));
        let left: Vec<String> = left.into_iter().flatten().collect();
        let expected: Vec<String> = (1..=9).chain([21, 22]).map(|id| id.to_string()).collect();
        assert_eq!(left, expected, "{place} {at}");
        let place = format!("{}.{}", quoted(schema), quoted(&format!("{table}2")));
        let changed = world.column(&format!(
            "SELECT id FROM {place} WHERE {} = '''); drop table public.users; --' ORDER BY id",
            quoted(email)
        ));
        let changed: Vec<String> = changed.into_iter().flatten().collect();
        let expected: Vec<String> = (10..=20).map(|id| id.to_string()).collect();
        assert_eq!(changed, expected, "{place}");
        assert_eq!(world.value(&format!("SELECT count(*) FROM {place}")), "22");
    }
    assert_eq!(super::hostile::users(&world), users);
    assert_eq!(world.value("SELECT count(*) FROM transactions"), transactions);
    // The audit names them as they are.
    let named = world.value("SELECT count(DISTINCT table_name) FROM retention.audit");
    assert_eq!(named, (NAMES.len() * 2).to_string());
}

fn users(world: &World) -> String {
    world.value("SELECT count(*) || ' ' || md5(string_agg(u::text, ',' ORDER BY id)) FROM users AS u")
}

#[test]
fn subjects_and_holds_that_look_like_sql() {
    let world = World::new();
    world.own(
        "CREATE TABLE people (key text PRIMARY KEY, email text); \
         INSERT INTO people VALUES ('x''; drop table users; --', 'a'), ('$1', 'b'), ('\\', 'c'), ('NULL', 'd'), ('{a,b}', 'e'), ('held''', 'f')",
    );
    let policy = world.file(
        "erase.yaml",
        "rules: [{name: a, table: pii_events, action: delete, age: {column: created_at, days: 90}}]\n\
         erasure: {subject: {table: people, key: key}, tables: [{table: people, action: {anonymise: {email: \"null\"}}, reach: {column: key}}]}",
    );
    let hold = program::run(&mut world.job([
        "hold",
        "add",
        "--table",
        "public.people",
        "--column",
        "key",
        "--value",
        "held'",
        "--reason",
        "'; drop table users; --",
    ]));
    assert_eq!(hold.code, Some(0), "{hold:?}");
    for (subject, code) in [
        ("x'; drop table users; --", 0),
        ("$1", 0),
        ("\\", 0),
        ("NULL", 0),
        ("{a,b}", 0),
        ("held'", 1),
    ] {
        let ended = program::run(
            world
                .job(["erase", "--subject", subject])
                .env("RETENTION_POLICY", &policy),
        );
        assert_eq!(ended.code, Some(code), "{subject}: {ended:?}");
    }
    assert_eq!(
        world.column("SELECT email FROM people WHERE email IS NOT NULL"),
        [Some("f".to_owned())]
    );
    assert_eq!(world.value("SELECT count(*) FROM users"), "6");
}
