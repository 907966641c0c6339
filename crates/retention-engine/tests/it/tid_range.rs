use crate::world::{EVENTS, EVENTS_DUE, World, delete};
use retention_engine::Options;
use retention_plan::Strategy;

#[tokio::test]
async fn a_large_table_takes_several_batches() {
    let world = World::new(EVENTS).await;
    let result = world
        .apply(delete("events"), Strategy::TidRange, Options::default())
        .await;
    assert_eq!((result.rows, result.residue), (EVENTS_DUE, Some(0)));
    assert_eq!(result.strategies, ["tid-range"]);
    assert!(result.batches >= 2, "{} batches", result.batches);
}
