//! Others hold locks: the job works around them, finishes when they are let go, and lets writers pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use program::Running;
use retention_faults::{Session, World};

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("locks::rows_are_worked_around", rows),
        plain("locks::a_table_is_waited_for", table),
        plain("locks::readers_of_a_partition_do_not_stop_writers", partition),
    ]
}

const POLICY: &str = "rules: [{name: old-events, table: public.events, action: delete, age: {column: at, days: 90}}]";
const DUE: i64 = 20_000;

fn filled() -> World {
    let world = World::new();
    world.sql(&format!(
        "CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL, body text); \
         INSERT INTO events SELECT n, '2001-01-01', repeat('x', 100) FROM generate_series(1, {DUE}) AS n; \
         INSERT INTO events SELECT n, now(), '' FROM generate_series(100001, 101000) AS n; ANALYZE events"
    ));
    world
}

/// Writes rows that are not due, all the time, until told to stop. Gives the longest wait and how many there were.
fn writer(
    session: Session,
    statement: &'static str,
    stop: &Arc<AtomicBool>,
) -> std::thread::JoinHandle<(Duration, u32)> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let (mut longest, mut count) = (Duration::ZERO, 0);
        while !stop.load(Ordering::SeqCst) {
            let begun = Instant::now();
            session.sql(statement);
            longest = longest.max(begun.elapsed());
            count += 1;
        }
        (longest, count)
    })
}

#[track_caller]
fn done(world: &World, running: Running) {
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = ended.json();
    assert_eq!(
        (&told["rules"][0]["rows"], &told["rules"][0]["residue"]),
        (&DUE.into(), &0.into()),
        "{told}"
    );
    assert_eq!(world.number("SELECT count(*) FROM events WHERE at < '2020-01-01'"), 0);
    assert_eq!(world.number("SELECT sum(rows) FROM retention.audit"), DUE);
    world.verified("receipts");
}

fn rows() {
    let world = filled();
    let holder = world.open();
    // Some of every place of the table.
    holder.sql(
        "BEGIN; SELECT count(*) FROM (SELECT FROM events WHERE id % 50 = 0 AND at < '2020-01-01' FOR UPDATE) AS held",
    );
    let stop = Arc::new(AtomicBool::new(false));
    let writing = writer(
        world.open(),
        "UPDATE events SET body = body || 'y' WHERE id = 100001 + floor(random() * 999)::int",
        &stop,
    );
    let mut running = Running::start(&mut world.night(POLICY));
    world
        .open()
        .until("SELECT count(*) = 400 FROM events WHERE at < '2020-01-01'");
    assert!(!running.has_ended(), "it waits for the rest");
    holder.sql("ROLLBACK");
    done(&world, running);
    stop.store(true, Ordering::SeqCst);
    let (longest, count) = writing.join().unwrap();
    eprintln!("locks::rows: the longest of {count} writers' waits was {longest:.0?}");
    assert!(
        count > 10 && longest < Duration::from_secs(1),
        "{count} writes, the longest {longest:?}"
    );
}

fn table() {
    let world = filled();
    world.ends(&mut world.job(["init"]), 0);
    // The plan is made by then: the lock comes when the batches do.
    let running = Running::start(world.night(POLICY).env("RETENTION_BATCH_TARGET", "1ms"));
    world.batches(1);
    let holder = world.open();
    holder.sql("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE");
    let left = holder.number("SELECT count(*) FROM events WHERE at < '2020-01-01'");
    let begun = Instant::now();
    // Longer than several lock timeouts; nothing can be waited for here, since nothing may happen.
    while begun.elapsed() < Duration::from_millis(1200) {
        assert_eq!(
            holder.number("SELECT count(*) FROM events WHERE at < '2020-01-01'"),
            left
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    holder.sql("COMMIT");
    done(&world, running);
}

/// DROP and DETACH want locks that a reader stands against; whoever comes behind the job must not wait for that reader.
fn partition() {
    let world = World::new();
    world.sql(
        "CREATE TABLE log (id bigserial, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE log_old PARTITION OF log FOR VALUES FROM ('2001-01-01') TO ('2002-01-01'); \
         CREATE TABLE log_now PARTITION OF log FOR VALUES FROM ('2002-01-01') TO ('2999-01-01'); \
         INSERT INTO log (at) SELECT '2001-06-01' FROM generate_series(1, 500) AS n; \
         INSERT INTO log (at) SELECT now() FROM generate_series(1, 500) AS n; ANALYZE log",
    );
    let policy = "rules: [{name: old-log, table: public.log, action: delete, age: {column: at, days: 90}}]";
    let reader = world.open();
    reader.sql("BEGIN; SELECT count(*) FROM log");
    let stop = Arc::new(AtomicBool::new(false));
    let writing = writer(world.open(), "INSERT INTO log (at) VALUES (now())", &stop);
    let mut running = Running::start(&mut world.night(policy));
    // The job stands before the lock.
    world
        .open()
        .until("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(!running.has_ended(), "it waits for the reader");
        std::thread::sleep(Duration::from_millis(20));
    }
    reader.sql("COMMIT");
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stop.store(true, Ordering::SeqCst);
    let (longest, count) = writing.join().unwrap();
    eprintln!("locks::partition: the longest of {count} writers' waits was {longest:.0?}");
    assert!(
        count > 10 && longest < Duration::from_secs(1),
        "{count} writes, the longest {longest:?}"
    );
    assert_eq!(world.value("SELECT to_regclass('log_old')::text"), None, "{ended:?}");
    assert_eq!(world.number("SELECT sum(rows) FROM retention.audit"), 500);
    world.verified("receipts");
}
