use crate::world::{DUE, EVENTS, EVENTS_DUE, World, anonymise, delete};
use retention_engine::{EngineError, Options};
use retention_plan::Strategy;
use retention_store::hold::{self, HeldColumn, NewHold};
use std::time::Duration;

async fn hold_on(world: &World, column: &str, value: &str) {
    hold_in(world, "events", column, value).await;
}

async fn hold_in(world: &World, table: &str, column: &str, value: &str) {
    let on = HeldColumn {
        schema: "public".to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
    };
    let new = NewHold {
        on: Some(&on),
        value,
        reason: "case 7",
        placed_by: None,
    };
    hold::add(&world.session().await, &new, Duration::from_secs(10))
        .await
        .unwrap();
}

#[tokio::test]
async fn held_rows_stay_and_are_no_residue() {
    for (rule, strategy) in [
        (delete("events"), Strategy::TidRange),
        (delete("events"), Strategy::Keyset),
        (delete("events"), Strategy::Limited),
        (anonymise("events"), Strategy::HotPasses),
    ] {
        let world = World::new(EVENTS).await;
        hold_on(&world, "who", "w7").await;
        let held = world
            .number(&format!("SELECT count(*) FROM events WHERE {DUE} AND who = 'w7'"))
            .await;
        let result = world.apply(rule, strategy, Options::default()).await;
        assert_eq!(
            (result.residue, result.held),
            (Some(0), held.unsigned_abs()),
            "{strategy:?}"
        );
        let still = world
            .number(&format!(
                "SELECT count(*) FROM events WHERE {DUE} AND who = 'w7' AND note IS NOT NULL"
            ))
            .await;
        assert_eq!(still, held, "{strategy:?}");
    }
}

#[tokio::test]
async fn a_hold_that_comes_in_the_middle_keeps_what_is_still_there() {
    let world = World::new(EVENTS).await;
    let options = Options {
        batch_target: Duration::from_millis(1),
        ..Options::default()
    };
    let mut running = world.begin(vec![delete("events")], Strategy::TidRange, options).await;
    let mut progress = running.progress.clone();
    let placing = async {
        // As soon as the first batch is done.
        progress.wait_for(|progress| progress.rows > 0).await.unwrap();
        hold_on(&world, "who", "w7").await;
        let before = world
            .number(&format!("SELECT count(*) FROM events WHERE {DUE} AND who = 'w7'"))
            .await;
        (
            before,
            world.number(&format!("SELECT count(*) FROM events WHERE {DUE}")).await,
        )
    };
    let ((held, left), result) = tokio::join!(placing, running.apply());
    assert!(left > held, "the run was over before the hold came");
    let still = world
        .number(&format!("SELECT count(*) FROM events WHERE {DUE} AND who = 'w7'"))
        .await;
    assert_eq!(still, held, "held rows went after the hold was placed");
    assert_eq!((result.residue, result.held), (Some(0), held.unsigned_abs()));
    assert_eq!(result.rows, EVENTS_DUE - held.unsigned_abs());
    world.check_audit(&running.run_id, result.rows).await;
}

#[tokio::test]
async fn a_hold_that_comes_in_the_middle_and_matches_nothing_stops_the_run() {
    let world = World::new(EVENTS).await;
    let options = Options {
        batch_target: Duration::from_millis(1),
        ..Options::default()
    };
    let mut rule = delete("events");
    rule.subject_column = Some("id".to_owned());
    let mut running = world.begin(vec![rule], Strategy::TidRange, options).await;
    let mut progress = running.progress.clone();
    let placing = async {
        progress.wait_for(|progress| progress.rows > 0).await.unwrap();
        // Only a policy says where subjects' keys are, so it is stored as it is given.
        let new = NewHold {
            on: None,
            value: "007",
            reason: "case 7",
            placed_by: None,
        };
        hold::add(&world.session().await, &new, Duration::from_secs(10))
            .await
            .unwrap();
        world.number(&format!("SELECT count(*) FROM events WHERE {DUE}")).await
    };
    let counted = crate::world::some();
    let (left, ended) = tokio::join!(placing, running.engine.apply(&running.tasks[0], &counted));
    let error = ended.unwrap_err();
    let text = chain_of(&error);
    assert!(matches!(error, EngineError::Holds(_)), "{text}");
    assert!(
        text.contains("hold 1 has a subject's key that is not as public.events.id") && !text.contains("007"),
        "{text}"
    );
    assert!(left > 0, "the run was over before the hold came");
    let still = world.number(&format!("SELECT count(*) FROM events WHERE {DUE}")).await;
    assert_eq!(still, left, "rows went after the hold was placed");
}

/// The error and its sources.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(source) = at {
        text.push_str(": ");
        text.push_str(&source.to_string());
        at = source.source();
    }
    text
}

#[tokio::test]
async fn a_held_child_that_comes_meanwhile_is_not_taken_along() {
    // Limited batches leave out what is locked.
    for strategy in [Strategy::TidRange, Strategy::Keyset] {
        let world = World::new(
            "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0);
             CREATE TABLE parts (id bigint PRIMARY KEY, event bigint REFERENCES events ON DELETE CASCADE, who text);
             CREATE INDEX ON parts (event);
             CREATE INDEX ON events (at);
             INSERT INTO events SELECT i, timestamptz '2026-01-01' FROM generate_series(1, 1000) AS i;
             INSERT INTO parts SELECT i, i, 'nobody' FROM generate_series(1, 100) AS i;",
        )
        .await;
        hold_in(&world, "parts", "who", "w7").await;
        let mut rule = delete("events");
        rule.on_children = retention_policy::OnChildren::Cascade;
        let options = Options {
            lock_timeout: Duration::from_secs(30),
            ..Options::default()
        };
        let mut running = world.begin(vec![rule], strategy, options).await;
        // Its lock on the parent makes the DELETE wait, whose snapshot is from before.
        let child = world.cluster.connect(&world.database).await.unwrap();
        child
            .batch_execute("BEGIN; INSERT INTO parts VALUES (9999, 500, 'w7')")
            .await
            .unwrap();
        let commits = async {
            world.wait_for_waiter().await;
            child.batch_execute("COMMIT").await.unwrap();
        };
        let ((), result) = tokio::join!(commits, running.apply());
        let there = world.number("SELECT count(*) FROM parts WHERE who = 'w7'").await;
        assert_eq!(there, 1, "{strategy:?}: a held row was taken along");
        assert_eq!(
            (result.rows, result.cascaded, result.held, result.residue),
            (999, 100, 1, Some(0)),
            "{strategy:?}"
        );
    }
}
