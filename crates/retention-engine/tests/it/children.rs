use crate::world::{World, delete};
use retention_engine::Options;
use retention_plan::Strategy;
use retention_policy::OnChildren;

fn family(on_delete: &str) -> String {
    format!(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0);
         CREATE TABLE parts (id bigint PRIMARY KEY, event bigint REFERENCES events ON DELETE {on_delete});
         CREATE INDEX ON parts (event);
         INSERT INTO events SELECT i, timestamptz '2026-01-01' FROM generate_series(1, 1000) AS i;
         INSERT INTO parts SELECT i, i % 100 + 1 FROM generate_series(1, 300) AS i;"
    )
}

#[tokio::test]
async fn rows_that_others_refer_to_stay_and_are_told() {
    for on_delete in ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"] {
        for strategy in [Strategy::TidRange, Strategy::Keyset, Strategy::Limited] {
            let world = World::new(&family(on_delete)).await;
            let result = world.apply(delete("events"), strategy, Options::default()).await;
            assert_eq!(
                (result.rows, result.blocked, result.residue),
                (900, 100, Some(0)),
                "{on_delete} {strategy:?}"
            );
            assert_eq!(result.cascaded, 0);
            let parts = world.number("SELECT count(*) FROM parts WHERE event IS NOT NULL").await;
            assert_eq!(parts, 300, "{on_delete}");
        }
    }
}

#[tokio::test]
async fn cascades_are_counted() {
    for on_delete in ["CASCADE", "SET NULL"] {
        let world = World::new(&family(on_delete)).await;
        let mut rule = delete("events");
        rule.on_children = OnChildren::Cascade;
        let result = world.apply(rule, Strategy::TidRange, Options::default()).await;
        assert_eq!(
            (result.rows, result.cascaded, result.residue),
            (1000, 300, Some(0)),
            "{on_delete}"
        );
        let audited = world.number("SELECT sum(cascaded)::bigint FROM retention.audit").await;
        assert_eq!(audited, 300);
    }
}

#[tokio::test]
async fn trees_go_from_their_leaves() {
    let world = World::new(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0,
           parent bigint REFERENCES events);
         CREATE INDEX ON events (parent);
         INSERT INTO events (id, at, parent) SELECT i, '2026-01-01', nullif(i / 3, 0) FROM generate_series(1, 1000) AS i;",
    )
    .await;
    let result = world
        .apply(delete("events"), Strategy::TidRange, Options::default())
        .await;
    assert_eq!((result.rows, result.blocked, result.residue), (1000, 0, Some(0)));
}

#[tokio::test]
async fn a_child_that_comes_meanwhile_is_never_taken_along() {
    for on_delete in ["CASCADE", "SET NULL", "NO ACTION"] {
        let world = World::new(&family(on_delete)).await;
        let mut running = world
            .begin(vec![delete("events")], Strategy::TidRange, Options::default())
            .await;
        // A child whose parent no predicate sees as referred to yet; its lock makes the DELETE wait.
        let child = world.cluster.connect(&world.database).await.unwrap();
        child
            .batch_execute("BEGIN; INSERT INTO parts VALUES (9999, 500)")
            .await
            .unwrap();
        let commits = async {
            world.wait_for_waiter().await;
            child.batch_execute("COMMIT").await.unwrap();
        };
        let ((), result) = tokio::join!(commits, running.apply());
        assert_eq!(
            (result.rows, result.blocked, result.residue),
            (899, 101, Some(0)),
            "{on_delete}"
        );
        let there = world
            .number("SELECT count(*) FROM parts WHERE id = 9999 AND event = 500")
            .await;
        assert_eq!(there, 1, "{on_delete}: the child was taken along");
    }
}

#[tokio::test]
async fn what_lies_beside_a_row_that_only_the_foreign_keys_keep_goes() {
    // 1 <- 2 <- 3 by a cascade, one key three times over, and something refers to 3: further than the predicate looks. All
    // lie in one block.
    let world = World::new(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz, who text, note text, n int DEFAULT 0,
           up bigint REFERENCES events ON DELETE CASCADE, seen bigint REFERENCES events);
         CREATE INDEX ON events (up);
         CREATE INDEX ON events (seen);
         INSERT INTO events (id, at) SELECT i, '2026-01-01' FROM generate_series(1, 40) AS i;
         UPDATE events SET up = id - 1 WHERE id IN (2, 3);
         INSERT INTO events (id, at, seen) VALUES (1000, 'infinity', 3);",
    )
    .await;
    let mut rule = delete("events");
    rule.on_children = OnChildren::Cascade;
    let result = world.apply(rule, Strategy::TidRange, Options::default()).await;
    assert_eq!((result.rows, result.blocked, result.residue), (37, 3, Some(0)));
    assert_eq!(world.number("SELECT count(*) FROM events").await, 4);
    assert_eq!(world.number("SELECT sum(rows)::bigint FROM retention.audit").await, 37);
}
