//! Batches that are opened with the commit of the one before, and sweeps that end before the table does.

use crate::world::{World, delete};
use retention_engine::Options;
use retention_plan::Strategy;
use std::time::Duration;

/// Due ones first: 20,000 of 30,000.
const IN_ORDER: &str =
    "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0);
     INSERT INTO events SELECT i, CASE WHEN i <= 20000 THEN timestamptz '2026-01-01' ELSE timestamptz '2026-05-20' END, 'who', repeat('x', 100), 0
       FROM generate_series(1, 30000) AS i;
     ANALYZE events;";

fn small_batches() -> Options {
    Options {
        batch_target: Duration::from_millis(1),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_commit_that_fails_takes_back_what_was_opened_with_it() {
    let world = World::new(IN_ORDER).await;
    // Every third audit row is refused once, as by a conflict; a sequence is not rolled back.
    world
        .run(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF nextval('public.tries') % 3 = 0 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF;
               RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON retention.audit FOR EACH ROW EXECUTE FUNCTION refuse();",
        )
        .await;
    let result = world.apply(delete("events"), Strategy::TidRange, small_batches()).await;
    assert_eq!((result.rows, result.residue), (20_000, Some(0)));
    assert_eq!(world.number("SELECT count(*) FROM events").await, 10_000);
    let (tries, kept) = (
        world.number("SELECT last_value FROM tries").await,
        world.number("SELECT count(*) FROM retention.audit").await,
    );
    assert!(tries > kept && kept > 5, "{tries} tries for {kept} audit rows");
}

#[tokio::test]
async fn a_commit_that_fails_for_good_leaves_nothing_of_what_was_opened_with_it() {
    let world = World::new(IN_ORDER).await;
    world
        .run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF NEW.seq = 4 THEN RAISE EXCEPTION 'never'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON retention.audit FOR EACH ROW EXECUTE FUNCTION refuse();",
        )
        .await;
    let mut running = world
        .begin(vec![delete("events")], Strategy::TidRange, small_batches())
        .await;
    let error = running
        .engine
        .apply(&running.tasks[0], &crate::world::some())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("events"), "{error}");
    let gone = 30_000 - world.number("SELECT count(*) FROM events").await;
    let told = world.number("SELECT sum(rows)::bigint FROM retention.audit").await;
    assert_eq!(world.number("SELECT count(*) FROM retention.audit").await, 3);
    assert_eq!(gone, told);
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    world.until(&format!("SELECT ({open}) = 0")).await;
}

#[tokio::test]
async fn a_sweep_that_ends_too_early_or_never_knows_finds_every_row_all_the_same() {
    // As the survey counted them; fewer, because some came later; more, because somebody else deletes too.
    for together in [20_000, 9_000, 1, 25_000] {
        let world = World::new(IN_ORDER).await;
        let mut running = world
            .begin(vec![delete("events")], Strategy::TidRange, small_batches())
            .await;
        running.tasks[0].leaves[0].together = Some(together);
        let result = running.apply().await;
        assert_eq!((result.rows, result.residue), (20_000, Some(0)), "{together}");
        assert_eq!(world.number("SELECT min(id) FROM events").await, 20_001, "{together}");
        world.check_audit(&running.run_id, 20_000).await;
    }
}

/// What writers moved lies at the end; what lies between is looked at too, if that was not all.
#[tokio::test]
async fn rows_beside_those_that_lie_together_are_found() {
    for (moved, together) in [
        ("id IN (5, 7000, 19999)", 20_000),
        // One that is due lies in the midst of those that are not.
        ("false", 20_001),
        ("id = 5", 20_001),
    ] {
        let world = World::new(IN_ORDER).await;
        world
            .run(&format!(
                "UPDATE events SET at = '2026-01-01' WHERE id = 25000 AND {}; UPDATE events SET n = 1 WHERE {moved}; ANALYZE events",
                together > 20_000
            ))
            .await;
        let mut running = world
            .begin(vec![delete("events")], Strategy::TidRange, small_batches())
            .await;
        running.tasks[0].leaves[0].together = Some(together);
        let result = running.apply().await;
        assert_eq!((result.rows, result.residue), (together, Some(0)), "{moved}");
        assert_eq!(
            world.number("SELECT count(*) FROM events").await,
            30_000 - i64::try_from(together).unwrap()
        );
        world.check_audit(&running.run_id, together).await;
    }
}
