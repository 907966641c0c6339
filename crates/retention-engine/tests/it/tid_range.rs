use crate::world::{DUE, EVENTS, EVENTS_DUE, World, delete};
use retention_engine::Options;
use retention_plan::Strategy;

#[tokio::test]
async fn exactly_the_due_rows_are_gone() {
    let world = World::new(EVENTS).await;
    world
        .run(&format!(
            "CREATE TABLE expected AS SELECT * FROM events WHERE NOT coalesce({DUE}, false)"
        ))
        .await;
    let result = world
        .apply(delete("events"), Strategy::TidRange, Options::default())
        .await;
    assert_eq!(result.rows, EVENTS_DUE);
    assert_eq!(result.residue, Some(0));
    assert_eq!(result.strategies, ["tid-range"]);
    assert!(result.batches >= 2, "{} batches", result.batches);
    let differing = world
        .number("SELECT count(*) FROM (SELECT * FROM events EXCEPT SELECT * FROM expected) AS a FULL JOIN (SELECT * FROM expected EXCEPT SELECT * FROM events) AS b ON true")
        .await;
    assert_eq!(differing, 0);
}
