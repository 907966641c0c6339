use crate::world::{World, delete};
use retention_engine::Options;
use retention_plan::Strategy;
use std::time::Duration;

#[tokio::test]
async fn many_equal_times_are_taken_in_parts() {
    let world = World::new(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0);
         INSERT INTO events SELECT i, CASE WHEN i <= 30000 THEN timestamptz '2026-01-01' ELSE timestamptz '2026-01-01' + i * interval '1 second' END
           FROM generate_series(1, 40000) AS i;
         INSERT INTO events SELECT i, '2026-05-20' FROM generate_series(50001, 50100) AS i;
         CREATE INDEX ON events (at);",
    )
    .await;
    let options = Options {
        batch_target: Duration::from_millis(5),
        ..Options::default()
    };
    let result = world.apply(delete("events"), Strategy::Keyset, options).await;
    assert_eq!(result.rows, 40_000);
    assert_eq!(result.residue, Some(0));
    assert_eq!(world.number("SELECT count(*) FROM events").await, 100);
    let largest = world.number("SELECT max(rows) FROM retention.audit").await;
    assert!(largest < 30_000, "one batch took {largest} rows");
}

#[tokio::test]
async fn dates_and_plain_timestamps_keep_their_bounds() {
    for (kind, kept) in [("date", "2026-05-02"), ("timestamp", "2026-05-02 00:00:00")] {
        let world = World::new(&format!(
            "CREATE TABLE events (id bigint PRIMARY KEY, at {kind}, who text, note text, n int DEFAULT 0);
             INSERT INTO events SELECT i, date '2026-05-01' - (i % 50) FROM generate_series(1, 5000) AS i;
             INSERT INTO events VALUES (9001, '{kept}'), (9002, NULL), (9003, 'infinity'), (9004, '-infinity'), (9005, '0044-03-15 BC');
             CREATE INDEX ON events (at);"
        ))
        .await;
        let result = world
            .apply(delete("events"), Strategy::Keyset, Options::default())
            .await;
        assert_eq!(result.rows, 5002, "{kind}");
        let left = world.number("SELECT sum(id)::bigint FROM events").await;
        assert_eq!(left, 9001 + 9002 + 9003, "{kind}");
    }
}
