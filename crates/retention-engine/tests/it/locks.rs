use crate::world::{EVENTS, EVENTS_DUE, World, delete};
use retention_engine::{EngineError, Options};
use retention_plan::Strategy;
use std::time::Duration;

#[tokio::test]
async fn a_locked_row_is_left_out_and_taken_later() {
    for strategy in [Strategy::TidRange, Strategy::Keyset, Strategy::Limited] {
        let world = World::new(EVENTS).await;
        let other = world.cluster.connect(&world.database).await.unwrap();
        other
            .batch_execute("BEGIN; UPDATE events SET n = n + 1 WHERE id IN (1, 10000, 19999)")
            .await
            .unwrap();
        let mut running = world.begin(vec![delete("events")], strategy, Options::default()).await;
        let mut progress = running.progress.clone();
        let lets_go = async {
            // Everything but the three is done while they are locked.
            progress
                .wait_for(|progress| progress.rows >= EVENTS_DUE - 3)
                .await
                .unwrap();
            other.batch_execute("COMMIT").await.unwrap();
        };
        let ((), result) = tokio::join!(lets_go, running.apply());
        assert_eq!((result.rows, result.residue), (EVENTS_DUE, Some(0)), "{strategy:?}");
        world.check_audit(&running.run_id, result.rows).await;
    }
}

#[tokio::test]
async fn rows_that_stay_locked_are_residue() {
    let world = World::new(EVENTS).await;
    let other = world.cluster.connect(&world.database).await.unwrap();
    other
        .batch_execute("BEGIN; UPDATE events SET n = n + 1 WHERE id = 10000")
        .await
        .unwrap();
    let options = Options {
        lock_timeout: Duration::from_millis(20),
        ..Options::default()
    };
    let result = world.apply(delete("events"), Strategy::TidRange, options).await;
    assert_eq!((result.rows, result.residue), (EVENTS_DUE - 1, Some(1)));
}

#[tokio::test]
async fn a_locked_table_ends_the_rule_after_the_patience() {
    let world = World::new(EVENTS).await;
    for strategy in [Strategy::Limited, Strategy::Keyset, Strategy::TidRange] {
        let options = Options {
            lock_timeout: Duration::from_millis(20),
            lock_patience: Duration::from_millis(300),
            ..Options::default()
        };
        let mut running = world.begin(vec![delete("events")], strategy, options).await;
        let other = world.cluster.connect(&world.database).await.unwrap();
        other
            .batch_execute("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        let error = running
            .engine
            .apply(&running.tasks[0], &crate::world::some())
            .await
            .unwrap_err();
        assert!(matches!(error, EngineError::Rule { .. }), "{strategy:?}: {error:?}");
        other.batch_execute("ROLLBACK").await.unwrap();
        drop(running);
        world.wait_for_lock().await;
        assert_eq!(world.number("SELECT count(*) FROM events").await, 20_005);
    }
}

#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let settings = pg_cluster::Options::default().set("deadlock_timeout", "50ms");
    let world = World::alone(&settings, EVENTS).await;
    let mut running = world
        .begin(
            vec![delete("events")],
            Strategy::TidRange,
            Options {
                lock_timeout: Duration::from_secs(20),
                ..Options::default()
            },
        )
        .await;
    // We take row 1 first and wait for row 50; the other has row 50 and waits for row 1.
    let other = world.cluster.connect(&world.database).await.unwrap();
    other
        .batch_execute("BEGIN; UPDATE events SET n = n + 1 WHERE id = 50")
        .await
        .unwrap();
    let waits = async {
        world.wait_for_waiter().await;
        let ended = other.batch_execute("UPDATE events SET n = n + 1 WHERE id = 1").await;
        // One of the two is the victim; if it is the other, its transaction is over already.
        other
            .batch_execute(if ended.is_ok() { "COMMIT" } else { "ROLLBACK" })
            .await
            .unwrap();
    };
    let ((), result) = tokio::join!(waits, running.apply());
    assert_eq!((result.rows, result.residue), (EVENTS_DUE, Some(0)));
    world.check_audit(&running.run_id, result.rows).await;
    assert!(world.cluster.log().contains("deadlock detected"));
}
