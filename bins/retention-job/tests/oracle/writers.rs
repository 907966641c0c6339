//! Others write while the job runs: whoever only moves rows about keeps no due row alive, and loses none that is not due.

use crate::job;
use pg_cluster::{Cluster, Major, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const TABLES: &str = "
CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL, touched int NOT NULL DEFAULT 0, pad text);
INSERT INTO events SELECT i, timestamptz '2026-03-29 01:30+00' - (i % 100) * interval '1 day' - interval '1 hour', 0, repeat('x', 50)
  FROM generate_series(1, 60000) AS i;
CREATE TABLE people (id int PRIMARY KEY, at timestamptz NOT NULL, email text, touched int NOT NULL DEFAULT 0);
INSERT INTO people SELECT i, timestamptz '2026-03-29 01:30+00' - (i % 100) * interval '1 day' - interval '1 hour', 'e' || i
  FROM generate_series(1, 60000) AS i;
ANALYZE;";

const POLICY: &str = r#"{"rules": [
  {"name": "events", "table": "public.events", "action": "delete", "age": {"column": "at", "days": 50}},
  {"name": "people", "table": "public.people", "action": {"anonymise": {"email": "null"}}, "age": {"column": "at", "days": 50}}
]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_lose_nothing_and_hide_nothing() {
    let cluster = Cluster::start(Major::any(), &Options::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.json"), POLICY).unwrap();
    cluster.create_database("app").await.unwrap();
    cluster.execute("app", TABLES).await.unwrap();
    let (done, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for seed in 0..2 {
        let client = cluster.connect("app").await.unwrap();
        let (done, writes) = (Arc::clone(&done), Arc::clone(&writes));
        tasks.push(tokio::spawn(async move {
            let mut rng = fastrand::Rng::with_seed(seed).fork();
            let mut new = 0;
            while !done.load(Ordering::Relaxed) {
                let (id, table) = (rng.i32(1..60_001), ["events", "people"][rng.usize(0..2)]);
                // An update moves the row to another page, behind or before the sweep.
                client
                    .execute(
                        &format!("UPDATE {table} SET touched = touched + 1 WHERE id = $1"),
                        &[&id],
                    )
                    .await
                    .unwrap();
                if rng.u32(0..20) == 0 {
                    new += 1;
                    let id = 1_000_000 * (i32::try_from(seed).unwrap() + 1) + new;
                    client
                        .execute(
                            "INSERT INTO events VALUES ($1, '2026-03-28 00:00+00', 0, 'new')",
                            &[&id],
                        )
                        .await
                        .unwrap();
                }
                writes.fetch_add(1, Ordering::Relaxed);
            }
            new
        }));
    }
    // Not before they are at work.
    while writes.load(Ordering::Relaxed) < 100 {
        tokio::task::yield_now().await;
    }
    let url = cluster.url("app");
    let path = folder.path().to_owned();
    let ended = tokio::task::spawn_blocking(move || job(&url, &path, &["run"]))
        .await
        .unwrap();
    done.store(true, Ordering::Relaxed);
    let mut inserted = 0;
    for task in tasks {
        inserted += i64::from(task.await.unwrap());
    }
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let client = cluster.connect("app").await.unwrap();
    let count = async |sql: &str| -> i64 { client.query_one(sql, &[]).await.unwrap().get(0) };
    let due = "at < timestamptz '2026-03-29 01:30+00' - interval '50 days'";
    assert_eq!(count(&format!("SELECT count(*) FROM events WHERE {due}")).await, 0);
    assert_eq!(
        count(&format!(
            "SELECT count(*) FROM people WHERE {due} AND email IS NOT NULL"
        ))
        .await,
        0
    );
    // Half of the days were due; all others are there, with what the writers added.
    assert_eq!(count("SELECT count(*) FROM events WHERE id <= 60000").await, 30_000);
    assert_eq!(count("SELECT count(*) FROM events WHERE id > 60000").await, inserted);
    assert_eq!(count("SELECT count(*) FROM people").await, 60_000);
    assert_eq!(
        count("SELECT count(*) FROM people WHERE email IS NOT NULL").await,
        30_000
    );
    let audited = "SELECT coalesce(sum(rows), 0)::bigint FROM retention.audit WHERE rule = 'events'";
    assert_eq!(count(audited).await, 30_000);
}
