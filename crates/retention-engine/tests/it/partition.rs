use crate::world::{World, anonymise, delete};
use retention_engine::Options;
use retention_plan::Strategy;
use retention_policy::{
    Action, Erasure, ErasureAction, ErasureTable, Guards, OnChildren, Policy, Reach, SubjectTable, TableName,
};
use retention_store::detaching;
use std::time::Duration;

pub(crate) const MONTHS: &str = "
    CREATE TABLE events (id bigint, at timestamptz NOT NULL, who text, note text, n int DEFAULT 0) PARTITION BY RANGE (at);
    CREATE TABLE events_jan PARTITION OF events FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
    CREATE TABLE events_feb PARTITION OF events FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');
    CREATE TABLE \"Events \"\"May\" PARTITION OF events FOR VALUES FROM ('2026-05-01 00:00+00') TO ('2026-06-01 00:00+00');
    INSERT INTO events SELECT i, '2026-01-10' FROM generate_series(1, 1000) AS i;
    INSERT INTO events SELECT i, '2026-02-10' FROM generate_series(1, 500) AS i;
    INSERT INTO events SELECT i, '2026-05-01 12:00' FROM generate_series(1, 10) AS i;
    INSERT INTO events SELECT i, '2026-05-30' FROM generate_series(1, 20) AS i;";

pub(crate) async fn tables(world: &World) -> Vec<String> {
    world
        .admin
        .query("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test]
async fn due_partitions_are_dropped_and_the_rest_goes_by_rows() {
    for concurrently in [true, false] {
        let world = World::new(MONTHS).await;
        let mut running = world
            .begin(vec![delete("events")], Strategy::Partition, Options::default())
            .await;
        for leaf in &mut running.tasks[0].leaves {
            leaf.detach_concurrently = concurrently;
        }
        let mut result = running.apply().await;
        assert_eq!((result.rows, result.residue), (1510, Some(0)));
        result.strategies.sort();
        assert_eq!(result.strategies, ["drop-partition", "tid-range"]);
        assert_eq!(tables(&world).await, ["Events \"May"]);
        assert_eq!(world.number("SELECT count(*) FROM events").await, 20);
        world.check_audit(&running.run_id, 1510).await;
        assert_eq!(detaching::list(&world.session().await).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_detached_partition_stays_as_a_table() {
    let world = World::new(MONTHS).await;
    let mut rule = delete("events");
    rule.action = Action::DetachPartition;
    let mut running = world.begin(vec![rule], Strategy::Partition, Options::default()).await;
    let task = &mut running.tasks[0];
    task.leaves.retain(|leaf| leaf.strategy == Strategy::Partition);
    let result = running.apply().await;
    assert_eq!((result.rows, result.residue), (1500, Some(0)));
    assert_eq!(result.strategies, ["detach-partition"]);
    assert_eq!(world.number("SELECT count(*) FROM events").await, 30);
    assert_eq!(world.number("SELECT count(*) FROM events_jan").await, 1000);
}

#[tokio::test]
async fn a_reader_of_the_parent_delays_it_but_nobody_behind() {
    for concurrently in [true, false] {
        let world = World::new(MONTHS).await;
        let mut running = world
            .begin(vec![delete("events")], Strategy::Partition, Options::default())
            .await;
        for leaf in &mut running.tasks[0].leaves {
            leaf.detach_concurrently = concurrently;
        }
        let reader = world.cluster.connect(&world.database).await.unwrap();
        reader
            .batch_execute("BEGIN; SELECT count(*) FROM events")
            .await
            .unwrap();
        let others = async {
            world.wait_for_waiter().await;
            let begun = std::time::Instant::now();
            world.run("INSERT INTO events VALUES (77, '2026-05-30')").await;
            let waited = begun.elapsed();
            tokio::time::sleep(Duration::from_millis(300)).await;
            reader.batch_execute("COMMIT").await.unwrap();
            waited
        };
        let (waited, result) = tokio::join!(others, running.apply());
        assert!(waited < Duration::from_millis(300), "a writer waited {waited:?}");
        assert_eq!(
            (result.rows, result.residue),
            (1510, Some(0)),
            "concurrently: {concurrently}"
        );
    }
}

#[tokio::test]
async fn what_a_killed_run_began_is_finished() {
    // Noted only; detached but not dropped; begun and not finished.
    for (how, pending) in [
        ("SELECT 1", false),
        ("ALTER TABLE events DETACH PARTITION events_jan", false),
        ("ALTER TABLE events DETACH PARTITION events_jan CONCURRENTLY", true),
    ] {
        let world = World::new(MONTHS).await;
        let first = world
            .begin(vec![delete("events")], Strategy::Partition, Options::default())
            .await;
        let leaf = first.tasks[0]
            .leaves
            .iter()
            .find(|leaf| leaf.relation.name == "events_jan")
            .unwrap();
        let note = detaching::Detaching {
            partition_oid: leaf.relation.oid,
            partition_schema: "public".to_owned(),
            partition_name: "events_jan".to_owned(),
            parent_oid: first.tasks[0].table.oid,
            rule: "old".to_owned(),
            drop_it: true,
            upper_bound: leaf.upper_bound.unwrap(),
            run_id: first.run_id.clone(),
        };
        detaching::note(&world.session().await, &note).await.unwrap();
        drop(first);
        world.wait_for_lock().await;
        if pending {
            // A reader makes it wait; it is cancelled there.
            let reader = world.cluster.connect(&world.database).await.unwrap();
            reader
                .batch_execute("BEGIN; SELECT count(*) FROM events")
                .await
                .unwrap();
            let detacher = world.cluster.connect(&world.database).await.unwrap();
            let token = detacher.cancel_token();
            let cancels = async {
                world.wait_for_waiter().await;
                token.cancel_query(tokio_postgres::NoTls).await.unwrap();
            };
            let (ended, ()) = tokio::join!(detacher.batch_execute(how), cancels);
            assert!(ended.is_err());
            reader.batch_execute("COMMIT").await.unwrap();
            let left = world
                .number("SELECT count(*) FROM pg_inherits WHERE inhdetachpending")
                .await;
            assert_eq!(left, 1);
        } else {
            world.run(how).await;
        }
        let mut running = world
            .begin(vec![delete("events")], Strategy::Partition, Options::default())
            .await;
        let result = running.apply().await;
        assert_eq!((result.rows, result.residue), (1510, Some(0)), "{how}");
        assert_eq!(tables(&world).await, ["Events \"May"], "{how}");
        world.check_audit(&running.run_id, 1510).await;
        assert_eq!(detaching::list(&world.session().await).await.unwrap(), [], "{how}");
    }
}

#[tokio::test]
async fn a_note_that_came_with_a_backup_drops_nothing_else() {
    let world = World::new(MONTHS).await;
    world
        .run("CREATE TABLE precious (id int PRIMARY KEY, what text); INSERT INTO precious VALUES (1, 'all we have')")
        .await;
    let first = world
        .begin(vec![delete("events")], Strategy::Partition, Options::default())
        .await;
    let leaf = first.tasks[0]
        .leaves
        .iter()
        .find(|leaf| leaf.relation.name == "events_jan")
        .unwrap();
    // The partition's OID is that of another table now.
    let oid = world.number("SELECT 'precious'::regclass::oid::bigint").await;
    let note = detaching::Detaching {
        partition_oid: u32::try_from(oid).unwrap(),
        partition_schema: "public".to_owned(),
        partition_name: "events_jan".to_owned(),
        parent_oid: first.tasks[0].table.oid,
        rule: "old".to_owned(),
        drop_it: true,
        upper_bound: leaf.upper_bound.unwrap(),
        run_id: first.run_id.clone(),
    };
    detaching::note(&world.session().await, &note).await.unwrap();
    drop(first);
    world.wait_for_lock().await;
    let mut running = world
        .begin(vec![delete("events")], Strategy::Partition, Options::default())
        .await;
    let result = running.apply().await;
    assert_eq!((result.rows, result.residue), (1510, Some(0)));
    assert_eq!(detaching::list(&world.session().await).await.unwrap(), []);
    assert_eq!(world.number("SELECT count(*) FROM precious").await, 1);
}

#[tokio::test]
async fn a_partition_with_a_held_row_goes_by_rows() {
    let world = World::new(MONTHS).await;
    world
        .run("UPDATE events SET who = 'w7' WHERE id = 5 AND at < '2026-02-01'")
        .await;
    let mut running = world
        .begin(vec![delete("events")], Strategy::Partition, Options::default())
        .await;
    world
        .run("INSERT INTO retention.hold (table_schema, table_name, column_name, value, reason, placed_by) VALUES ('public', 'events', 'who', 'w7', 'r', 'p')")
        .await;
    let result = running.apply().await;
    assert_eq!((result.rows, result.held, result.residue), (1509, 1, Some(0)));
    assert_eq!(tables(&world).await, ["Events \"May", "events_jan"]);
}

#[tokio::test]
async fn what_one_rule_dropped_is_done_for_the_next() {
    for strategy in [
        Strategy::HotPasses,
        Strategy::TidRange,
        Strategy::Limited,
        Strategy::Keyset,
    ] {
        let world = World::new(MONTHS).await;
        world.run("UPDATE events SET who = 'w'").await;
        let mut later = anonymise("events");
        later.name = "later".to_owned();
        let mut running = world
            .begin(vec![delete("events"), later], Strategy::Partition, Options::default())
            .await;
        for leaf in &mut running.tasks[1].leaves {
            leaf.strategy = strategy;
        }
        let result = running.apply().await;
        assert_eq!((result.rows, result.residue), (1510, Some(0)));
        let counted = crate::world::some();
        let result = running.engine.apply(&running.tasks[1], &counted).await.unwrap();
        assert_eq!((result.rows, result.residue), (0, Some(0)), "{strategy:?}");
    }
}

#[tokio::test]
async fn what_a_rule_dropped_is_done_for_an_erasure_of_the_same_run() {
    let world = World::new(MONTHS).await;
    world
        .run(
            "CREATE TABLE users (id int PRIMARY KEY, at timestamptz); INSERT INTO users VALUES (1), (2); UPDATE events SET n = id % 10",
        )
        .await;
    // The second rule is only there so that the holds know the table.
    let mut users = delete("users");
    users.name = "users".to_owned();
    let mut running = world
        .begin(vec![delete("events"), users], Strategy::Partition, Options::default())
        .await;
    running.tasks.retain(|task| task.rule == "old");
    let table = |name: &str| TableName {
        schema: "public".to_owned(),
        name: name.to_owned(),
    };
    let policy = Policy {
        revision: None,
        grace_seconds: 0,
        legal_hold_labels: Vec::new(),
        rules: Vec::new(),
        erasure: Some(Erasure {
            max_fraction: None,
            subject: SubjectTable {
                table: table("users"),
                key: "id".to_owned(),
                requested: Vec::new(),
                completed: None,
            },
            tables: vec![ErasureTable {
                table: table("events"),
                action: ErasureAction::Delete,
                reach: Reach::Column("n".to_owned()),
                on_children: OnChildren::Keep,
                allow_no_primary_key: true,
            }],
        }),
        guards: Guards::default(),
    };
    let names = retention_plan::resolve::table_names(&policy);
    let catalog = retention_plan::catalog::read(&world.session().await, &names, world.as_of)
        .await
        .unwrap();
    let keys = retention_plan::resolve::Keys::default();
    let erasure = retention_plan::resolve::resolve(&policy, &catalog, world.as_of, &keys)
        .unwrap()
        .erasure
        .unwrap();
    let result = running.apply().await;
    assert_eq!((result.rows, result.residue), (1510, Some(0)));
    let report = running
        .engine
        .erase_subjects(&erasure, &["1".to_owned()], None)
        .await
        .unwrap();
    // Of the 20 rows that are left, two are the subject's.
    assert_eq!((report.results[0].rows, report.results[0].residue), (2, Some(0)));
    assert_eq!(world.number("SELECT count(*) FROM events").await, 18);
}

#[tokio::test]
async fn what_somebody_else_dropped_is_told() {
    let world = World::new(MONTHS).await;
    let mut running = world
        .begin(vec![anonymise("events")], Strategy::TidRange, Options::default())
        .await;
    world.run("DROP TABLE events_jan").await;
    let counted = crate::world::some();
    let error = running.engine.apply(&running.tasks[0], &counted).await.unwrap_err();
    assert!(
        runtime::exit::chain_of(&error).contains("public.events_jan"),
        "{error:?}"
    );
}
