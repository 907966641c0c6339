//! What the role of the program may not do.

use crate::world::{PASSWORD, Refusals, World};

const DELETE: &str =
    "rules: [{name: the-rule, table: pii_events, action: delete, age: {column: created_at, days: 90}}]";
const ANONYMISE: &str = "rules: [{name: the-rule, table: transactions, action: {anonymise: {ip: \"null\"}}, age: {column: created_at, days: 365}}]";

#[test]
fn rights_that_are_missing_are_named() {
    let world = World::new();
    world.sql(&format!(
        "CREATE ROLE \"weak one\" LOGIN PASSWORD '{PASSWORD}'; CREATE SCHEMA closed; \
         CREATE TABLE closed.t (id int PRIMARY KEY, created_at timestamptz)"
    ));
    let url = world.url_of("weak%20one");
    let mut refusals = Refusals::of(&world);
    let mut weak = |name: &str, policy: &str| {
        refusals.add(name, 2, world.with_policy(policy).env("DATABASE_URL", &url));
    };
    weak("nothing at all", DELETE);
    weak("no schema", &DELETE.replace("pii_events", "closed.t"));
    world.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"weak one\"");
    weak("only SELECT, delete", DELETE);
    weak("only SELECT, anonymise", ANONYMISE);
    world.sql("GRANT UPDATE (card_last4) ON transactions TO \"weak one\"");
    weak("UPDATE of another column", ANONYMISE);
    world.sql("GRANT DELETE ON pii_events TO \"weak one\"; REVOKE CREATE ON DATABASE app FROM \"weak one\"");
    weak("no right to make the schema retention", DELETE);
    insta::assert_snapshot!(refusals.text());

    // Once the owner has made the schema, and given it away, these rights are enough: `init --print` is how.
    let ended = program::run(&mut world.job(["init"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    world.sql(
        "GRANT USAGE ON SCHEMA retention TO \"weak one\"; GRANT ALL ON ALL TABLES IN SCHEMA retention TO \"weak one\"; \
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA retention TO \"weak one\"",
    );
    let ended = program::run(world.with_policy(DELETE).env("DATABASE_URL", &url));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.value("SELECT count(*) FROM pii_events"), "3");
}

#[test]
fn row_security_would_hide_rows() {
    let world = World::new();
    world.own(
        "ALTER TABLE pii_events ENABLE ROW LEVEL SECURITY; ALTER TABLE pii_events FORCE ROW LEVEL SECURITY; \
         CREATE POLICY own ON pii_events USING (user_id = 1)",
    );
    let said = world.refused(&mut world.with_policy(DELETE), 2);
    insta::assert_snapshot!(said);
    // The owner of a table sees everything where it is not forced.
    world.own("ALTER TABLE pii_events NO FORCE ROW LEVEL SECURITY");
    let ended = program::run(&mut world.with_policy(DELETE));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.value("SELECT count(*) FROM pii_events"), "3");
}
