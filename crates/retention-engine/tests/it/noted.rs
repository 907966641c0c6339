//! What earlier runs began and did not finish, and what became of it meanwhile.

use crate::partition::MONTHS;
use crate::world::{Running, World, anonymise, delete};
use retention_engine::{Counted, Options};
use retention_plan::Strategy;
use retention_policy::{Action, Rule, Term};
use retention_proof::RuleResult;
use retention_store::detaching::{self, Detaching};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const DETACHED: &str = "ALTER TABLE events DETACH PARTITION events_jan";

/// A database in which an earlier run noted `events_jan`; then `sql` happened.
async fn noted(drop_it: bool, sql: &str) -> World {
    let world = World::new(MONTHS).await;
    world.run("UPDATE events SET who = 'w' || id").await;
    let earlier = begun(&world, delete("events"), Options::default()).await.run_id;
    world.wait_for_lock().await;
    let oid = |table: &str| {
        let sql = format!("SELECT '{table}'::regclass::oid::bigint");
        let world = &world;
        async move { u32::try_from(world.number(&sql).await).unwrap() }
    };
    let note = Detaching {
        partition_oid: oid("events_jan").await,
        partition_schema: "public".to_owned(),
        partition_name: "events_jan".to_owned(),
        parent_oid: oid("events").await,
        rule: "old".to_owned(),
        drop_it,
        upper_bound: "2026-02-01T00:00:00Z".parse().unwrap(),
        run_id: earlier,
    };
    detaching::note(&world.session().await, &note).await.unwrap();
    world.run(sql).await;
    world
}

async fn begun(world: &World, rule: Rule, options: Options) -> Running {
    world.begin(vec![rule], Strategy::TidRange, options).await
}

/// A run whose survey found nothing to do in the table itself.
async fn run(world: &World, rule: Rule, options: Options) -> RuleResult {
    let mut running = begun(world, rule, options).await;
    let counted = Counted::default();
    let result = running.engine.apply(&running.tasks[0], &counted).await.unwrap();
    world.check_audit(&running.run_id, result.rows).await;
    result
}

async fn notes(world: &World) -> usize {
    detaching::list(&world.session().await).await.unwrap().len()
}

async fn in_january(world: &World) -> i64 {
    world.number("SELECT count(*) FROM events_jan").await
}

async fn is_there(world: &World) -> bool {
    world
        .number("SELECT count(*) FROM pg_class WHERE relname = 'events_jan'")
        .await
        == 1
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A table that must not be dropped, because of this.
const NOT_DUE: &str =
    "ALTER TABLE events DETACH PARTITION events_jan; INSERT INTO events_jan VALUES (7777, '2026-05-30')";

#[tokio::test]
async fn due_rows_of_a_table_that_stays_go_by_rows_and_held_ones_stay() {
    // A hold on the table above, on the detached table by its own name, and none.
    for (held, on) in [(1, "events"), (1, "events_jan"), (0, "pg_catalog")] {
        let world = noted(true, NOT_DUE).await;
        if held > 0 {
            world
                .run(&format!(
                    "INSERT INTO retention.hold (table_schema, table_name, column_name, value, reason, placed_by)
                       VALUES ('public', '{on}', 'who', 'w1000', 'r', 'p')"
                ))
                .await;
        }
        let result = run(&world, delete("events"), Options::default()).await;
        let found = (result.rows, result.held, result.residue);
        assert_eq!(found, (1510 - held, held, Some(0)), "{on}");
        assert_eq!(in_january(&world).await, 1 + i64::try_from(held).unwrap(), "{on}");
        assert_eq!(notes(&world).await, 1);

        // When nothing stands against it any more, a later run drops it.
        world
            .run("UPDATE retention.hold SET released_at = now(), released_by = 'p'; DELETE FROM events_jan WHERE id = 7777")
            .await;
        world.wait_for_lock().await;
        let result = run(&world, delete("events"), Options::default()).await;
        assert_eq!((result.rows, result.residue), (held, Some(0)), "{on}");
        assert!(!is_there(&world).await);
        assert_eq!(notes(&world).await, 0);
    }
}

#[tokio::test]
async fn due_rows_that_cannot_go_are_residue() {
    let kept = format!(
        "{NOT_DUE};
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER keep BEFORE DELETE ON events_jan FOR EACH ROW WHEN (old.id <= 3) EXECUTE FUNCTION keep()"
    );
    let world = noted(true, &kept).await;
    let result = run(&world, delete("events"), Options::default()).await;
    assert_eq!((result.rows, result.residue), (1507, Some(3)));
}

#[tokio::test]
async fn what_could_not_be_finished_now_is_residue() {
    let world = noted(false, DETACHED).await;
    let writer = world.cluster.connect(&world.database).await.unwrap();
    writer
        .batch_execute("BEGIN; UPDATE events_jan SET n = 1 WHERE id = 1")
        .await
        .unwrap();
    let mut rule = delete("events");
    rule.action = Action::DetachPartition;
    let impatient = Options {
        lock_patience: Duration::from_millis(100),
        ..Options::default()
    };
    let mut running = world.begin(vec![rule.clone()], Strategy::Partition, impatient).await;
    running.tasks[0].leaves.clear();
    let counted = Counted::default();
    let result = running.engine.apply(&running.tasks[0], &counted).await.unwrap();
    assert_eq!((result.rows, result.residue), (0, Some(1000)));
    drop(running);
    writer.batch_execute("COMMIT").await.unwrap();
    world.wait_for_lock().await;
    let mut running = world.begin(vec![rule], Strategy::Partition, Options::default()).await;
    running.tasks[0].leaves.clear();
    let result = running.engine.apply(&running.tasks[0], &counted).await.unwrap();
    assert_eq!((result.rows, result.residue), (1000, Some(0)));
    assert_eq!((in_january(&world).await, notes(&world).await), (1000, 0));
}

#[tokio::test]
async fn stopped_before_it_is_finished_the_rule_is_not_done() {
    let world = noted(true, DETACHED).await;
    let options = Options {
        deadline: Some(Instant::now()),
        ..Options::default()
    };
    let result = run(&world, delete("events"), options).await;
    assert_eq!((result.rows, result.residue), (0, None));
    assert_eq!((in_january(&world).await, notes(&world).await), (1000, 1));
}

#[tokio::test]
async fn a_longer_term_drops_nothing_and_blocks_nothing() {
    let mut rule = delete("events");
    // The cutoff is in the middle of the partition.
    rule.age.as_mut().unwrap().term = Term::Days(130);
    for (sql, rows, left) in [
        ("INSERT INTO events VALUES (7777, '2026-01-30')", 0, 0),
        (
            "INSERT INTO events VALUES (7777, '2026-01-30'); ALTER TABLE events DETACH PARTITION events_jan",
            1000,
            1,
        ),
    ] {
        let world = noted(true, sql).await;
        let result = run(&world, rule.clone(), Options::default()).await;
        assert_eq!((result.rows, result.residue), (rows, Some(0)), "{sql}");
        // One day the rest is due, and somebody must know of the table.
        assert_eq!(notes(&world).await, left, "{sql}");
        assert_eq!(in_january(&world).await, if left == 1 { 1 } else { 1001 }, "{sql}");
    }
}

#[tokio::test]
async fn what_was_only_to_be_detached_is_not_touched_by_a_rule_that_changed() {
    for rule in [anonymise("events"), delete("events")] {
        let world = noted(false, DETACHED).await;
        let digest = "SELECT sum(hashtext(t::text)) FROM events_jan AS t";
        let before = world.number(digest).await;
        let mut running = begun(&world, rule, Options::default()).await;
        let counted = Counted::default();
        let result = running.engine.apply(&running.tasks[0], &counted).await.unwrap();
        assert_eq!((result.rows, result.residue), (1000, Some(0)));
        assert_eq!(result.strategies, ["detach-partition"]);
        assert_eq!((in_january(&world).await, world.number(digest).await), (1000, before));
        assert_eq!(notes(&world).await, 0);
        let actions = "SELECT count(*) FROM retention.audit WHERE action = 'detach-partition' AND rows = 1000";
        assert_eq!(world.number(actions).await, 1);
    }
}

#[tokio::test]
async fn what_was_to_be_dropped_is_anonymised_by_a_rule_that_anonymises_now() {
    let world = noted(true, DETACHED).await;
    let result = run(&world, anonymise("events"), Options::default()).await;
    assert_eq!((result.rows, result.residue), (1510, Some(0)));
    let open = "SELECT count(*) FROM events_jan WHERE who IS NOT NULL";
    assert_eq!((in_january(&world).await, world.number(open).await), (1000, 0));
}

#[tokio::test]
async fn a_table_that_is_perhaps_the_noted_one_is_left_and_counted() {
    // Renamed; restored from a dump, with another OID; with other columns.
    for sql in [
        "ALTER TABLE events DETACH PARTITION events_jan; ALTER TABLE events_jan RENAME TO january",
        "ALTER TABLE events DETACH PARTITION events_jan; CREATE TABLE again AS SELECT * FROM events_jan; DROP TABLE events_jan; ALTER TABLE again RENAME TO events_jan",
        "ALTER TABLE events DETACH PARTITION events_jan; ALTER TABLE events_jan RENAME at TO since",
    ] {
        let world = noted(true, sql).await;
        let mut running = begun(&world, delete("events"), Options::default()).await;
        let result = running.apply().await;
        assert_eq!((result.rows, result.residue), (510, Some(1000)), "{sql}");
        assert_eq!(notes(&world).await, 1);
        let rows = "SELECT sum(reltuples)::bigint FROM pg_class WHERE relname IN ('january', 'events_jan')";
        world.run("ANALYZE").await;
        assert_eq!(world.number(rows).await, 1000, "{sql}");
    }
}

#[tokio::test]
async fn a_note_of_another_table_or_rule_is_left_alone() {
    let world = noted(true, DETACHED).await;
    world
        .run("CREATE TABLE others (id bigint, at timestamptz NOT NULL, who text, note text, n int DEFAULT 0)")
        .await;
    let mut other_rule = delete("events");
    other_rule.name = "new".to_owned();
    for (rule, why) in [
        (delete("others"), "the rule is about another table now"),
        (other_rule, "the policy has no such rule any more"),
    ] {
        let mut running = begun(&world, rule, Options::default()).await;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        running.engine.warn_of_notes(&running.tasks).await.unwrap();
        let counted = Counted::default();
        let result = running.engine.apply(&running.tasks[0], &counted).await.unwrap();
        drop(guard);
        assert_eq!((result.rows, result.residue), (0, Some(0)));
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("events_jan")).collect();
        assert_eq!(lines.len(), 1, "{text}");
        for part in ["WARN", why, "rule=\"old\"", "table=\"public.events_jan\""] {
            assert!(lines[0].contains(part), "{part} in {text}");
        }
        drop(running);
        world.wait_for_lock().await;
    }
    assert_eq!((in_january(&world).await, notes(&world).await), (1000, 1));
}
