use crate::world::{World, anonymise};
use retention_engine::Options;
use retention_plan::Strategy;

const WIDE: &str = "
    CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0);
    INSERT INTO events SELECT i, timestamptz '2026-01-01' + i * interval '1 second', 'somebody@example.org', repeat('x', 60)
      FROM generate_series(1, 60000) AS i;
    CREATE INDEX ON events (at); CREATE INDEX ON events (n); ANALYZE events;";

async fn hot_part(world: &World) -> f64 {
    // Statistics arrive when the session that did the work ends or reports.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let row = world
            .admin
            .query_one(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'events'",
                &[],
            )
            .await
            .unwrap();
        let (all, hot): (i64, i64) = (row.get(0), row.get(1));
        if all >= 60_000 {
            #[allow(clippy::cast_precision_loss)]
            return hot as f64 / all as f64;
        }
        assert!(std::time::Instant::now() < deadline, "only {all} updates were reported");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn most_updates_touch_no_index() {
    // Any long transaction that writes, in whatever database, holds the horizon back.
    let world = World::alone(&pg_cluster::Options::default(), WIDE).await;
    let result = world
        .apply(anonymise("events"), Strategy::HotPasses, Options::default())
        .await;
    assert_eq!((result.rows, result.residue), (60_000, Some(0)));
    assert_eq!(result.strategies, ["hot-passes"]);
    let part = hot_part(&world).await;
    assert!(part > 0.7, "{part}");
}

/// Its writers' transactions take longer than a pass, as on a server whose disk is busy; there is always one.
#[tokio::test]
async fn writers_that_take_their_time_are_waited_for() {
    let world = World::alone(&pg_cluster::Options::default(), WIDE).await;
    world.run("CREATE TABLE busy (n int)").await;
    let writer = world.cluster.connect(&world.database).await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        let mut written = 0_u32;
        while stopped.try_recv().is_err() {
            writer
                .batch_execute("BEGIN; INSERT INTO busy VALUES (1); SELECT pg_sleep(0.03); COMMIT")
                .await
                .unwrap();
            written += 1;
        }
        written
    });
    let result = world
        .apply(anonymise("events"), Strategy::HotPasses, Options::default())
        .await;
    stop.send(()).unwrap();
    let written = writing.await.unwrap();
    assert!(written > 3, "{written} transactions were beside it");
    assert_eq!((result.rows, result.residue), (60_000, Some(0)));
    let part = hot_part(&world).await;
    assert!(part > 0.7, "{part}");
}

#[tokio::test]
async fn under_an_old_snapshot_it_ends_all_the_same() {
    let world = World::new(WIDE).await;
    let mut old = world.cluster.connect(&world.database).await.unwrap();
    let held = old
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .unwrap();
    held.query("SELECT count(*) FROM events", &[]).await.unwrap();
    let result = world
        .apply(anonymise("events"), Strategy::HotPasses, Options::default())
        .await;
    assert_eq!((result.rows, result.residue), (60_000, Some(0)));
    assert!(hot_part(&world).await < 0.5);
    let few = world.number("SELECT count(*) FROM retention.audit").await;
    assert!(few < 200, "{few} batches: passes went on though they did not help");
    held.rollback().await.unwrap();
}
