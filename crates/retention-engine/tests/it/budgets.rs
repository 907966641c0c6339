use crate::world::{EVENTS, EVENTS_DUE, World, delete};
use retention_engine::{Options, Throttle};
use retention_plan::Strategy;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_budget_of_rows_is_kept_to_the_row() {
    for strategy in [Strategy::TidRange, Strategy::Keyset, Strategy::Limited] {
        let world = World::new(EVENTS).await;
        let mut rule = delete("events");
        rule.max_rows = Some(777);
        let result = world.apply(rule, strategy, Options::default()).await;
        assert_eq!((result.rows, result.residue), (777, None), "{strategy:?}");
        assert_eq!(world.number("SELECT count(*) FROM events").await, 20_005 - 777);
        let options = Options {
            max_rows: Some(1000),
            ..Options::default()
        };
        let result = world.apply(delete("events"), strategy, options).await;
        assert_eq!((result.rows, result.residue), (1000, None), "{strategy:?}");
    }
}

#[tokio::test]
async fn a_budget_that_is_just_enough_ends_complete() {
    let world = World::new(EVENTS).await;
    let mut rule = delete("events");
    rule.max_rows = Some(EVENTS_DUE);
    let result = world.apply(rule, Strategy::Limited, Options::default()).await;
    assert_eq!(result.rows, EVENTS_DUE);
}

#[tokio::test]
async fn after_the_deadline_nothing_begins() {
    let world = World::new(EVENTS).await;
    let options = Options {
        deadline: Some(Instant::now()),
        ..Options::default()
    };
    let result = world.apply(delete("events"), Strategy::TidRange, options).await;
    assert_eq!((result.rows, result.residue), (0, None));
}

#[tokio::test]
async fn told_to_stop_it_stops_between_batches_and_the_next_run_goes_on_there() {
    let world = World::new(EVENTS).await;
    let options = Options {
        batch_target: Duration::from_millis(1),
        ..Options::default()
    };
    let mut running = world
        .begin(vec![delete("events")], Strategy::TidRange, options.clone())
        .await;
    let mut progress = running.progress.clone();
    let trigger = &running.trigger;
    let stop = async {
        progress.wait_for(|progress| progress.rows > 0).await.unwrap();
        trigger.trigger();
    };
    let task = &running.tasks[0];
    let counted = crate::world::some();
    let ((), result) = tokio::join!(stop, running.engine.apply(task, &counted));
    let result = result.unwrap();
    assert_eq!(result.residue, None);
    assert!(result.rows > 0 && result.rows < EVENTS_DUE);
    world.check_audit(&running.run_id, result.rows).await;
    let position: String = world
        .admin
        .query_one("SELECT position FROM retention.audit ORDER BY seq DESC LIMIT 1", &[])
        .await
        .unwrap()
        .get(0);
    drop(running);

    // The lock is given back when the server has noticed.
    world.wait_for_lock().await;
    let mut next = world.begin(vec![delete("events")], Strategy::TidRange, options).await;
    let rest = next.apply().await;
    assert_eq!(rest.rows + result.rows, EVENTS_DUE);
    assert_eq!(rest.residue, Some(0));
    let first: String = world
        .admin
        .query_one(
            "SELECT position FROM retention.audit WHERE run_id = $1 ORDER BY seq LIMIT 1",
            &[&next.run_id],
        )
        .await
        .unwrap()
        .get(0);
    let block = |position: &str| position.strip_prefix("block:").unwrap().parse::<u64>().unwrap();
    assert!(block(&first) > block(&position), "{first} is not behind {position}");
}

#[tokio::test]
async fn a_pause_that_does_not_end_ends_the_run_like_a_budget() {
    let world = World::new(EVENTS).await;
    let busy = world.cluster.connect(&world.database).await.unwrap();
    let sleeper = tokio::spawn(async move { busy.batch_execute("SELECT pg_sleep(600)").await });
    world
        .until("SELECT count(*) = 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND datname = current_database()")
        .await;
    let mut second = delete("events");
    second.name = "second".to_owned();
    // Long enough that a second rule that does not wait is told from one that does, also on a busy machine.
    let patience = Duration::from_secs(3);
    let options = Options {
        throttle: Throttle {
            max_active: Some(0),
            patience,
            ..Throttle::default()
        },
        ..Options::default()
    };
    let mut running = world
        .begin(vec![delete("events"), second], Strategy::TidRange, options)
        .await;
    // When the watching session looks for the second time, what it saw first is known; and once more, because a look may fail.
    let looks = "datname = current_database() AND application_name = 'retention-job monitor' AND query LIKE '%pg_stat_replication%'";
    world.run("CREATE TABLE looked (at timestamptz)").await;
    for _ in 0..3 {
        let new = format!("{looks} AND query_start > ALL (SELECT at FROM looked)");
        world
            .until(&format!("SELECT count(*) = 1 FROM pg_stat_activity WHERE {new}"))
            .await;
        world
            .run(&format!(
                "INSERT INTO looked SELECT query_start FROM pg_stat_activity WHERE {new}"
            ))
            .await;
    }
    let begun = Instant::now();
    let result = running.apply().await;
    assert_eq!((result.rows, result.residue), (0, None));
    assert!(begun.elapsed() >= patience, "{:?}", begun.elapsed());
    // The next rule does not wait as long once more.
    let begun = Instant::now();
    let counted = crate::world::some();
    let result = running.engine.apply(&running.tasks[1], &counted).await.unwrap();
    assert_eq!((result.rows, result.residue), (0, None));
    assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
    sleeper.abort();
}

#[tokio::test]
async fn a_run_that_is_to_be_nice_rests_after_each_batch_and_holds_nothing_meanwhile() {
    let options = |nice_ratio| Options {
        batch_target: Duration::from_millis(2),
        throttle: Throttle {
            nice_ratio,
            ..Throttle::default()
        },
        ..Options::default()
    };
    for strategy in [Strategy::TidRange, Strategy::Keyset, Strategy::Limited] {
        let world = World::new(EVENTS).await;
        let result = world.apply(delete("events"), strategy, options(2.0)).await;
        assert_eq!((result.rows, result.residue), (EVENTS_DUE, Some(0)), "{strategy:?}");
        // Nothing of a batch is begun before the rest is over.
        let hasty = "SELECT count(*) FROM (SELECT started_at - lag(finished_at) OVER w AS rest, lag(finished_at - started_at) OVER w AS took \
                     FROM retention.audit WINDOW w AS (ORDER BY seq)) AS batches WHERE rest < took * 2";
        assert_eq!(world.number(hasty).await, 0, "{strategy:?}");
        assert!(
            world.number("SELECT count(*) FROM retention.audit").await > 3,
            "{strategy:?}"
        );
    }

    // A rest of seconds ends when the run is told to stop.
    let world = World::new(EVENTS).await;
    world
        .run(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.1); RETURN NULL; END $$; \
             CREATE TRIGGER wait AFTER DELETE ON events FOR EACH STATEMENT EXECUTE FUNCTION wait()",
        )
        .await;
    let mut running = world
        .begin(vec![delete("events")], Strategy::TidRange, options(1000.0))
        .await;
    let mut progress = running.progress.clone();
    let trigger = &running.trigger;
    let stop = async {
        progress.wait_for(|progress| progress.rows > 0).await.unwrap();
        trigger.trigger();
    };
    let counted = crate::world::some();
    let whole = async { tokio::join!(stop, running.engine.apply(&running.tasks[0], &counted)) };
    // It would be a hundred.
    let ((), result) = tokio::time::timeout(Duration::from_secs(50), whole)
        .await
        .expect("the rest ends");
    assert_eq!(result.unwrap().residue, None);
}
