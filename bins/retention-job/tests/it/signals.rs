//! SIGTERM: the batch ends, the counts are exact, the next run goes on.

use crate::world::World;
use program::Running;
use std::time::Duration;

const POLICY: &str = "rules: [{name: slow, table: slow, action: delete, age: {column: at, days: 90}}]";

/// A table whose rows take a millisecond each to delete.
fn slow() -> World {
    let world = World::new();
    world.own(
        "CREATE TABLE slow (id int PRIMARY KEY, at timestamptz, filler text); ALTER TABLE slow ALTER filler SET STORAGE PLAIN; \
         INSERT INTO slow SELECT n, '2001-01-01', repeat('x', 1900) FROM generate_series(1, 6000) AS n; \
         INSERT INTO slow SELECT n, now() FROM generate_series(6001, 7000) AS n; ANALYZE slow; \
         CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN OLD; END $$; \
         CREATE TRIGGER wait BEFORE DELETE ON slow FOR EACH ROW EXECUTE FUNCTION wait()",
    );
    world
}

/// Waits until something was committed.
fn committed(world: &World) {
    for _ in 0..2000 {
        let rows = world.value("SELECT CASE WHEN to_regclass('retention.audit') IS NULL THEN 0 ELSE 1 END");
        if rows == "1" && world.value("SELECT count(*) > 2 FROM retention.audit") == "t" {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no batch was committed");
}

/// Rows that are gone, and rows that the audit says are gone.
fn counts(world: &World) -> (String, String) {
    (
        world.value("SELECT 7000 - count(*) FROM slow"),
        world.value("SELECT coalesce(sum(rows), 0) FROM retention.audit"),
    )
}

#[test]
fn a_run_that_is_told_to_stop_keeps_the_rest_for_the_next() {
    let world = slow();
    let running = Running::start(&mut world.with_policy(POLICY));
    committed(&world);
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let result = ended.json();
    assert_eq!(result["exit_code"], 5, "{result}");
    let (gone, audited) = counts(&world);
    assert_eq!(gone, audited);
    let gone: u32 = gone.parse().unwrap();
    assert!(gone > 0 && gone < 6000, "{gone}");
    world.said(&ended);

    world.own("ALTER TABLE slow DISABLE TRIGGER wait");
    let ended = program::run(&mut world.with_policy(POLICY));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(counts(&world), ("6000".to_owned(), "6000".to_owned()));
}

#[test]
fn a_killed_run_leaves_exact_counts() {
    let world = slow();
    let running = Running::start(&mut world.with_policy(POLICY));
    committed(&world);
    assert_eq!(running.kill().code, None);
    // The server ends what the dead program had begun, sooner or later.
    let session = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'retention-job%'";
    for _ in 0..1000 {
        if world.value(session) == "0" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let (gone, audited) = counts(&world);
    assert_eq!(gone, audited);
    world.own("ALTER TABLE slow DISABLE TRIGGER wait");
    let ended = program::run(&mut world.with_policy(POLICY));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(counts(&world), ("6000".to_owned(), "6000".to_owned()));
}

#[test]
fn a_run_that_waits_for_a_lock_can_be_told_to_stop() {
    let world = slow();
    let first = program::run(world.with_policy(POLICY).env("RETENTION_MAX_ROWS", "1"));
    assert_eq!(first.code, Some(5), "{first:?}");
    let holder = world.hold("BEGIN; LOCK TABLE slow IN SHARE ROW EXCLUSIVE MODE");
    let running = Running::start(&mut world.with_policy(POLICY));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'retention-job%'";
    for _ in 0..1000 {
        if world.value(waits) != "0" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let (gone, audited) = counts(&world);
    assert_eq!(gone, audited);
    drop(holder);
}
