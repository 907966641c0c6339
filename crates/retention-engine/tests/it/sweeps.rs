//! What every strategy that goes by rows has in common.

use crate::world::{DUE, EVENTS, EVENTS_DUE, World, anonymise, delete};
use retention_engine::{Counted, Options};
use retention_plan::Strategy;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const BY_ROWS: [Strategy; 3] = [Strategy::TidRange, Strategy::Keyset, Strategy::Limited];

#[tokio::test]
async fn every_strategy_deletes_exactly_the_due_rows() {
    for strategy in BY_ROWS {
        let world = World::new(EVENTS).await;
        world.expect_only_due_to_go().await;
        let result = world.apply(delete("events"), strategy, Options::default()).await;
        assert_eq!(result.rows, EVENTS_DUE, "{strategy:?}");
        assert_eq!(result.residue, Some(0), "{strategy:?}");
        assert_eq!(world.unexpected().await, 0, "{strategy:?}");
    }
}

#[tokio::test]
async fn anonymising_sets_the_columns_of_due_rows_and_nothing_else() {
    for strategy in [
        Strategy::TidRange,
        Strategy::Keyset,
        Strategy::Limited,
        Strategy::HotPasses,
    ] {
        let world = World::new(EVENTS).await;
        let result = world.apply(anonymise("events"), strategy, Options::default()).await;
        assert_eq!(
            result.rows,
            EVENTS_DUE - 2,
            "the two without a value are done already: {strategy:?}"
        );
        assert_eq!(result.residue, Some(0), "{strategy:?}");
        let left = world
            .number(&format!(
                "SELECT count(*) FROM events WHERE {DUE} AND (who IS NOT NULL OR note IS NOT NULL)"
            ))
            .await;
        let lost = world
            .number(&format!(
                "SELECT count(*) FROM events WHERE id < 100000 AND NOT {DUE} AND (who IS NULL OR note IS NULL)"
            ))
            .await;
        assert_eq!((left, lost), (0, 0), "{strategy:?}");
        assert_eq!(world.number("SELECT count(*) FROM events").await, 20_005);
        let again = world.apply(anonymise("events"), strategy, Options::default()).await;
        assert_eq!((again.rows, again.batches), (0, 0), "{strategy:?}");
    }
}

#[tokio::test]
async fn columns_that_are_set_to_what_they_are_stay_so() {
    let world = World::new(EVENTS).await;
    // Kept outside of the row, of an odd name, of a domain, NULL.
    world
        .run(
            "CREATE DOMAIN amount AS numeric(20, 3) CHECK (VALUE >= 0);
             ALTER TABLE events ADD \"Odd \"\"name\"\"\" amount, ADD large text;
             UPDATE events SET \"Odd \"\"name\"\"\" = NULLIF(id, 7), large = (SELECT string_agg(md5(events.id::text || i), '') FROM generate_series(1, 80) AS i) WHERE id <= 1500;
             CREATE INDEX ON events (who); CREATE INDEX ON events (\"Odd \"\"name\"\"\"); CREATE INDEX ON events (n);
             CREATE TABLE before AS SELECT id, at, n, \"Odd \"\"name\"\"\", large FROM events",
        )
        .await;
    world.run("VACUUM ANALYZE events").await;
    let mut running = world
        .begin(vec![anonymise("events")], Strategy::TidRange, Options::default())
        .await;
    running.tasks[0].leaves[0].as_is = ["at", "Odd \"name\"", "n", "large"].map(str::to_owned).into();
    let toast = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'events'";
    let outside = world.number(toast).await;
    let result = running.apply().await;
    assert_eq!((result.rows, result.residue), (EVENTS_DUE - 2, Some(0)));
    let other = "SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT id, at, n, \"Odd \"\"name\"\"\", large FROM events) AS d";
    assert_eq!(world.number(other).await, 0);
    assert!(outside > 1_000_000, "{outside}");
    assert_eq!(
        world.number(toast).await,
        outside,
        "values outside of the row are not written again"
    );
}

#[tokio::test]
async fn what_a_writer_wrote_while_a_batch_waited_for_it_is_what_a_column_is() {
    let world = World::new(EVENTS).await;
    world
        .run("CREATE INDEX ON events (who); CREATE INDEX ON events (n)")
        .await;
    let options = Options {
        // Until the other has committed.
        lock_timeout: Duration::from_mins(1),
        ..Options::default()
    };
    let mut running = world
        .begin(vec![anonymise("events")], Strategy::TidRange, options)
        .await;
    running.tasks[0].leaves[0].as_is = vec!["n".to_owned()];
    let other = world.cluster.connect(&world.database).await.unwrap();
    other
        .batch_execute("BEGIN; UPDATE events SET n = id WHERE id IN (1, 10000, 19999)")
        .await
        .unwrap();
    let lets_go = async {
        world.wait_for_waiter().await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let ((), result) = tokio::join!(lets_go, running.apply());
    assert_eq!((result.rows, result.residue), (EVENTS_DUE - 2, Some(0)));
    let lost = "SELECT count(*) FROM events WHERE n <> CASE WHEN id IN (1, 10000, 19999) THEN id ELSE 0 END";
    assert_eq!(world.number(lost).await, 0);
    assert_eq!(
        world
            .number(&format!("SELECT count(who) FROM events WHERE {DUE}"))
            .await,
        0
    );
}

#[tokio::test]
async fn nothing_counted_means_nothing_run() {
    let world = World::new(EVENTS).await;
    let mut running = world
        .begin(vec![delete("events")], Strategy::TidRange, Options::default())
        .await;
    let counted = Counted {
        todo: 0,
        undated: 1,
        ..Counted::default()
    };
    let result = running.engine.apply(&running.tasks[0], &counted).await.unwrap();
    assert_eq!(
        (result.rows, result.batches, result.residue, result.undated),
        (0, 0, Some(0), 1)
    );
    assert!(result.strategies.is_empty());
    assert_eq!(world.number("SELECT count(*) FROM events").await, 20_005);
}

#[tokio::test]
async fn rows_that_writers_move_meanwhile_are_found() {
    for strategy in BY_ROWS {
        let world = World::new(EVENTS).await;
        world.expect_only_due_to_go().await;
        let stop = Arc::new(AtomicBool::new(false));
        let writer = world.cluster.connect(&world.database).await.unwrap();
        let told = Arc::clone(&stop);
        let writing = tokio::spawn(async move {
            let mut moved = 0;
            while !told.load(Ordering::Relaxed) {
                // Fills pages, so that rows move behind the sweep and before it.
                let id = fastrand::i64(1..=20_000);
                moved += writer
                    .execute("UPDATE events SET n = n + 1 WHERE id = $1", &[&id])
                    .await
                    .unwrap();
            }
            moved
        });
        let options = Options {
            batch_target: Duration::from_millis(2),
            ..Options::default()
        };
        let result = world.apply(delete("events"), strategy, options).await;
        stop.store(true, Ordering::Relaxed);
        assert!(writing.await.unwrap() > 0);
        assert_eq!(result.rows, EVENTS_DUE, "{strategy:?}");
        assert_eq!(result.residue, Some(0), "{strategy:?}");
        assert_eq!(world.unexpected().await, 0, "{strategy:?}");
    }
}

#[tokio::test]
async fn what_a_trigger_keeps_is_residue() {
    let world = World::new(EVENTS).await;
    world
        .run(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id % 1000 = 1 THEN RETURN NULL; END IF; RETURN OLD; END';
             CREATE TRIGGER keep BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION keep();",
        )
        .await;
    let kept = world
        .number(&format!("SELECT count(*) FROM events WHERE {DUE} AND id % 1000 = 1"))
        .await;
    for strategy in BY_ROWS {
        let result = world.apply(delete("events"), strategy, Options::default()).await;
        assert_eq!(result.residue, Some(kept.unsigned_abs()), "{strategy:?}");
    }
}

#[tokio::test]
async fn the_chain_goes_on_over_several_tasks() {
    let world = World::new(&format!(
        "{EVENTS} CREATE TABLE others (LIKE events); INSERT INTO others SELECT * FROM events;"
    ))
    .await;
    let mut first = delete("events");
    first.name = "first".to_owned();
    let mut running = world
        .begin(vec![first, delete("others")], Strategy::TidRange, Options::default())
        .await;
    let mut rows = 0;
    for task in &running.tasks {
        rows += running.engine.apply(task, &crate::world::some()).await.unwrap().rows;
    }
    assert_eq!(rows, 2 * EVENTS_DUE);
    assert_eq!(running.engine.total_rows(), rows);
    world.check_audit(&running.run_id, rows).await;
}
