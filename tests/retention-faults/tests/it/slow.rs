//! A table whose rows take a millisecond each to delete, so that a run lasts as long as a test needs it.

use retention_faults::World;

pub(crate) const POLICY: &str =
    "rules: [{name: slow, table: public.slow, action: delete, age: {column: at, days: 90}}]";

/// Due rows, besides 300 that are not.
pub(crate) const DUE: i64 = 2500;

pub(crate) fn fill(world: &World) {
    world.sql(&format!(
        "CREATE TABLE slow (id int PRIMARY KEY, at timestamptz NOT NULL, filler text); \
         INSERT INTO slow SELECT n, '2001-01-01', repeat('x', 700) FROM generate_series(1, {DUE}) AS n; \
         INSERT INTO slow SELECT n, now() FROM generate_series(1000001, 1000300) AS n; ANALYZE slow; \
         CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN OLD; END $$; \
         CREATE TRIGGER wait BEFORE DELETE ON slow FOR EACH ROW EXECUTE FUNCTION wait()"
    ));
}

/// The rest goes at full speed.
pub(crate) fn hurry(world: &World) {
    world.sql("ALTER TABLE slow DISABLE TRIGGER wait");
}

/// What is gone is what the audit says; gives how many.
#[track_caller]
pub(crate) fn exact(world: &World) -> i64 {
    world.at_rest();
    let gone = DUE - world.number("SELECT count(*) FROM slow WHERE at < '2020-01-01'");
    let audited = world.number("SELECT coalesce(sum(rows), 0) FROM retention.audit");
    assert_eq!(gone, audited, "rows that are gone, rows in the audit");
    assert_eq!(world.number("SELECT count(*) FROM slow WHERE at > '2020-01-01'"), 300);
    gone
}

/// The next run does the rest, and the proof of everything is sound. Gives the receipts.
#[track_caller]
pub(crate) fn finish(world: &World) -> Vec<serde_json::Value> {
    world.at_rest();
    hurry(world);
    let ended = world.ends(&mut world.night(POLICY), 0);
    assert_eq!(ended.json()["rules"][0]["residue"], 0, "{ended:?}");
    assert_eq!(exact(world), DUE);
    let receipts = world.verified("receipts");
    // What receipts say is what the audit says, for every run.
    let told: i64 = receipts
        .iter()
        .flat_map(|receipt| receipt["rules"].as_array().unwrap())
        .map(|rule| rule["rows"].as_i64().unwrap())
        .sum();
    assert_eq!(told, DUE, "{receipts:#?}");
    receipts
}
