//! The disk of a tablespace is full.

use libtest_mimic::{Arguments, Trial};
use pg_cluster::Options;
use retention_faults::World;

pub(crate) fn trials(arguments: &Arguments) -> Vec<Trial> {
    // Listing must not mount anything.
    let possible = arguments.list || pg_cluster::or_skip(pg_cluster::small_disk_possible()).is_some();
    let trial = Trial::test("disk::full_and_after_room_is_made", || {
        full();
        Ok(())
    });
    vec![trial.with_ignored_flag(!possible)]
}

/// The anonymous value is longer than what was there, so it needs room.
const POLICY: &str =
    "rules: [{name: old-tx, table: public.tx, action: {anonymise: {card: hmac}}, age: {column: at, days: 90}}]";
const DUE: i64 = 12_000;
const DONE: &str = "SELECT count(*) FROM tx WHERE card ~ '^hmac:[0-9a-f]{64}$'";

fn full() {
    let world = World::with(&Options::default().small_disk(4));
    let place = world.cluster.small_disk().expect("asked for").display().to_string();
    world.sql(&format!("CREATE TABLESPACE small LOCATION '{place}'"));
    world.sql(&format!(
        "CREATE TABLE tx (id int PRIMARY KEY, at timestamptz NOT NULL, card text) TABLESPACE small; \
         CREATE TABLE filler (id int, body text) TABLESPACE small; ALTER TABLE filler ALTER body SET STORAGE PLAIN; \
         INSERT INTO tx SELECT n, '2001-01-01', '4242' FROM generate_series(1, {DUE}) AS n; \
         INSERT INTO tx SELECT n, now(), '4242' FROM generate_series(100001, 100300) AS n; ANALYZE tx; CHECKPOINT"
    ));
    let filler = world.open();
    let mut rows = 0;
    while filler
        .try_sql("INSERT INTO filler SELECT n, repeat('x', 4000) FROM generate_series(1, 20) AS n")
        .is_ok()
    {
        rows += 1;
        assert!(rows < 1000, "the small disk is not full");
    }
    let command = || {
        let mut command = world.night(POLICY);
        command.env("RETENTION_HMAC_KEY", "a key that is long enough to be one");
        command
    };
    let mut codes = Vec::new();
    // Pages that were full have no room; what a run did before stays done.
    for _ in 0..2 {
        let ended = world.ends(&mut command(), 4);
        assert!(ended.stderr.contains("no room left"), "{ended:?}");
        assert!(
            ended.stderr.contains("could not extend file") || ended.stderr.contains("No space left"),
            "{ended:?}"
        );
        world.at_rest();
        assert_eq!(
            world.number("SELECT coalesce(sum(rows), 0) FROM retention.audit"),
            world.number(DONE)
        );
        codes.push(ended.code);
    }
    assert!(world.number(DONE) < DUE);
    world.sql("DROP TABLE filler");
    world.sql("CHECKPOINT");
    let ended = world.ends(&mut command(), 0);
    assert_eq!(ended.json()["outcome"], "complete", "{ended:?}");
    assert_eq!(world.number(DONE), DUE);
    assert_eq!(world.number("SELECT sum(rows) FROM retention.audit"), DUE);
    let receipts = world.verified("receipts");
    let outcomes: Vec<_> = receipts
        .iter()
        .map(|receipt| receipt["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["interrupted", "interrupted", "complete"]);
}
