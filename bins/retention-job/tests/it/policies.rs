//! Policies that cannot be read, or cannot be meant.

use crate::world::{Refusals, World};

const RULE: &str = "{name: a, table: pii_events, action: delete, age: {column: created_at, days: 90}}";

#[test]
fn files_that_are_no_policies() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    refusals.add("missing", 2, world.job(["run"]).env("RETENTION_POLICY", "missing.yaml"));
    refusals.add("a folder", 2, world.job(["run"]).env("RETENTION_POLICY", "/"));
    refusals.add("endless", 2, world.job(["run"]).env("RETENTION_POLICY", "/dev/zero"));
    refusals.add(
        "no pack",
        2,
        world.job(["run"]).env("RETENTION_POLICY", world.file("p.tar", "x")),
    );
    refusals.policy("empty", "");
    refusals.policy("a list", "[]");
    refusals.policy("half of JSON", "{\"rules\": [");
    refusals.policy("half of YAML", "rules:\n  - name: a\n table: b");
    refusals.policy("no rules at all", "rules: []");
    let bytes = world.file("bytes.yaml", [b'r', 0xff, 0xfe]);
    refusals.add("not UTF-8", 2, world.job(["run"]).env("RETENTION_POLICY", bytes));
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn keys_that_are_unknown_or_given_twice() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    refusals.policy("unknown key at the top", &format!("rule: [{RULE}]\nrules: [{RULE}]"));
    refusals.policy(
        "unknown key in a rule",
        &format!("rules: [{}]", RULE.replace("age:", "aged:")),
    );
    refusals.policy(
        "unknown key in an age",
        &format!("rules: [{}]", RULE.replace("days:", "day:")),
    );
    refusals.policy(
        "raw SQL",
        "rules: [{name: a, table: pii_events, action: delete, where: \"true; drop table users\"}]",
    );
    refusals.policy(
        "unknown operator",
        "rules: [{name: a, table: pii_events, action: delete, where: [{column: id, op: like, value: x}]}]",
    );
    refusals.policy(
        "unknown action",
        &format!("rules: [{}]", RULE.replace("delete", "truncate")),
    );
    refusals.policy(
        "unknown transform",
        "rules: [{name: a, table: users, action: {anonymise: {email: md5}}, where: [{column: id, op: eq, value: 1}]}]",
    );
    refusals.policy(
        "a key given twice",
        &format!("rules: [{}]", RULE.replace("name: a,", "name: a, name: b,")),
    );
    refusals.policy("two rules of one name", &format!("rules: [{RULE}, {RULE}]"));
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn values_that_cannot_be_meant() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    for days in ["0", "-1", "1.5", "\"90\"", "99999999999", "null"] {
        refusals.policy(
            &format!("days: {days}"),
            &format!("rules: [{}]", RULE.replace("90", days)),
        );
    }
    refusals.policy(
        "no age and no condition",
        "rules: [{name: a, table: pii_events, action: delete}]",
    );
    refusals.policy(
        "days and months",
        &format!("rules: [{}]", RULE.replace("days: 90", "days: 90, months: 3")),
    );
    refusals.policy(
        "max_fraction: 0",
        &format!("rules: [{}]", RULE.replace("age:", "max_fraction: 0, age:")),
    );
    refusals.policy(
        "max_fraction: 1.5",
        &format!("rules: [{}]", RULE.replace("age:", "max_fraction: 1.5, age:")),
    );
    refusals.policy(
        "max_rows: 0",
        &format!("rules: [{}]", RULE.replace("age:", "max_rows: 0, age:")),
    );
    refusals.policy("negative grace", &format!("grace_seconds: -1\nrules: [{RULE}]"));
    refusals.policy(
        "no columns to anonymise",
        &format!("rules: [{}]", RULE.replace("delete", "{anonymise: {}}")),
    );
    refusals.policy("another version", &format!("version: 2\nrules: [{RULE}]"));
    refusals.policy(
        "an empty name",
        &format!("rules: [{}]", RULE.replace("name: a", "name: \"\"")),
    );
    refusals.policy(
        "a NUL in a name",
        &format!("rules: [{}]", RULE.replace("pii_events", "\"pii\\0events\"")),
    );
    insta::assert_snapshot!(refusals.text());
}
