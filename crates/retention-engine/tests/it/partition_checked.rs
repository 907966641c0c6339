//! What an application does to a partition between the detaching and the dropping.

use crate::partition::{MONTHS, tables};
use crate::world::{World, delete};
use retention_engine::Options;
use retention_plan::Strategy;
use retention_proof::RuleResult;
use retention_store::detaching;

/// A run in which `sql` happens right after `events_jan` was detached, and before it is looked at again.
async fn with(world: &World, sql: &str, max_rows: Option<u64>) -> RuleResult {
    world
        .run(&format!(
            "CREATE FUNCTION meanwhile() RETURNS event_trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN
               IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = 'events_jan'::regclass) THEN {sql}; END IF; END $$;
             CREATE EVENT TRIGGER meanwhile ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION meanwhile()"
        ))
        .await;
    let mut rule = delete("events");
    rule.max_rows = max_rows;
    let mut running = world.begin(vec![rule], Strategy::Partition, Options::default()).await;
    let leaves = &mut running.tasks[0].leaves;
    leaves.retain(|leaf| leaf.relation.name == "events_jan");
    leaves[0].detach_concurrently = false;
    let result = running.apply().await;
    world.check_audit(&running.run_id, result.rows).await;
    world.run("DROP EVENT TRIGGER meanwhile").await;
    result
}

#[tokio::test]
async fn a_row_that_is_not_due_is_not_dropped_with_its_table() {
    let world = World::new(MONTHS).await;
    let result = with(&world, "INSERT INTO events_jan VALUES (7777, '2026-05-30')", None).await;
    assert_eq!((result.rows, result.residue), (1000, Some(0)));
    assert_eq!(world.number("SELECT min(id) FROM events_jan").await, 7777);
    assert!(tables(&world).await.contains(&"events_jan".to_owned()));
    // Somebody finishes it once the row is due.
    let notes = detaching::list(&world.session().await).await.unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].partition_name, "events_jan");
}

#[tokio::test]
async fn a_row_without_an_age_is_not_dropped_with_its_table() {
    let world = World::new(MONTHS).await;
    world.run("ALTER TABLE events ALTER at DROP NOT NULL").await;
    let result = with(&world, "INSERT INTO events_jan VALUES (7777, NULL)", None).await;
    assert_eq!((result.rows, result.residue), (1000, Some(0)));
    assert_eq!(world.number("SELECT min(id) FROM events_jan").await, 7777);
}

#[tokio::test]
async fn a_row_that_came_under_a_hold_is_not_dropped_with_its_table() {
    // A hold on the table above, and one that names the partition.
    for (table, rows) in [("events", 999), ("events_jan", 999)] {
        let world = World::new(MONTHS).await;
        let sql = format!(
            "INSERT INTO retention.hold (table_schema, table_name, column_name, value, reason, placed_by)
               VALUES ('public', '{table}', 'who', 'w7', 'r', 'p');
             UPDATE events_jan SET who = 'w7' WHERE id = 5"
        );
        let result = with(&world, &sql, None).await;
        assert_eq!(
            (result.rows, result.held, result.residue),
            (rows, 1, Some(0)),
            "{table}"
        );
        assert_eq!(world.number("SELECT id FROM events_jan").await, 5, "{table}");
    }
}

#[tokio::test]
async fn rows_that_exceed_the_limit_by_now_are_not_dropped_with_their_table() {
    let world = World::new(MONTHS).await;
    let sql = "INSERT INTO events_jan SELECT i, '2026-01-11' FROM generate_series(2001, 2100) AS i";
    let result = with(&world, sql, Some(1050)).await;
    assert_eq!((result.rows, result.residue), (1050, None));
    assert_eq!(world.number("SELECT count(*) FROM events_jan").await, 50);
}

#[tokio::test]
async fn a_partition_that_a_hold_names_is_never_dropped() {
    let world = World::new(MONTHS).await;
    // No row has the value; dropping the table would leave the hold without its table, and stop every later run.
    world
        .run("INSERT INTO retention.hold (table_schema, table_name, column_name, value, reason, placed_by) VALUES ('public', 'events_jan', 'who', 'w7', 'r', 'p')")
        .await;
    let result = with(&world, "NULL", None).await;
    assert_eq!((result.rows, result.residue), (1000, Some(0)));
    assert_eq!(result.strategies, ["tid-range"]);
    assert_eq!(world.number("SELECT count(*) FROM events_jan").await, 0);
}
