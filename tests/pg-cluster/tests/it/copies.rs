//! Replicas and snapshots.

use pg_cluster::{Cluster, Major, Options};
use tokio_postgres::error::SqlState;

use crate::number;

pub(crate) async fn a_standby_catches_up_and_only_reads(major: Major) {
    let primary = Cluster::start(major, &Options::default().password("x")).unwrap();
    primary
        .execute("postgres", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
        .await
        .unwrap();
    let standby = primary.standby(&Options::default()).await.unwrap();
    primary.execute("postgres", "DELETE FROM t WHERE i > 10").await.unwrap();
    primary.wait_for_standby(&standby).await.unwrap();
    assert_eq!(number(&standby, "SELECT count(*) FROM t").await, 10);
    assert_eq!(number(&standby, "SELECT pg_is_in_recovery()::int::bigint").await, 1);
    let client = standby.connect("postgres").await.unwrap();
    let error = client.batch_execute("DELETE FROM t").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::READ_ONLY_SQL_TRANSACTION));
    assert_eq!(number(&primary, "SELECT count(*) FROM pg_stat_replication").await, 1);
    // Another is fine, and this one as well once the first is gone.
    drop(standby);
    let second = primary.standby(&Options::default()).await.unwrap();
    primary.wait_for_standby(&second).await.unwrap();
}

pub(crate) async fn a_standby_follows_a_busy_server(major: Major) {
    let primary = Cluster::start(major, &Options::default()).unwrap();
    primary
        .execute("postgres", "CREATE TABLE t (id bigint PRIMARY KEY, note text)")
        .await
        .unwrap();
    let writer = primary.connect("postgres").await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    // Every page changes while it is copied.
    let writing = tokio::spawn(async move {
        let mut rounds = 0_i64;
        while stopped.try_recv().is_err() {
            let sql = format!(
                "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series({}, {}) AS i;
                 UPDATE t SET note = 'y' WHERE id % 10 = {};",
                rounds * 1000,
                rounds * 1000 + 999,
                rounds % 10
            );
            writer.batch_execute(&sql).await.unwrap();
            rounds += 1;
        }
        rounds
    });
    let standby = primary.standby(&Options::default()).await.unwrap();
    stop.send(()).unwrap();
    let rounds = writing.await.unwrap();
    assert!(rounds > 0);
    primary.wait_for_standby(&standby).await.unwrap();
    let sums = "SELECT (sum(id) + sum(length(note)) + count(*))::bigint FROM t";
    assert_eq!(number(&standby, sums).await, number(&primary, sums).await);
    assert_eq!(number(&standby, "SELECT count(*) FROM t").await, rounds * 1000);
}

pub(crate) async fn a_snapshot_goes_back_in_time(major: Major) {
    let options = Options::default().password("secret").set("max_connections", "19");
    let mut cluster = Cluster::start(major, &options).unwrap();
    cluster
        .execute("postgres", "CREATE TABLE t AS SELECT generate_series(1, 10) AS i")
        .await
        .unwrap();
    let before = cluster.snapshot().unwrap();
    cluster.execute("postgres", "DELETE FROM t WHERE i <= 9").await.unwrap();

    let first = Cluster::from_snapshot(&before, &Options::default()).unwrap();
    first.execute("postgres", "DROP TABLE t").await.unwrap();
    let second = Cluster::from_snapshot(&before, &Options::default().set("work_mem", "1MB")).unwrap();
    drop(before);
    assert_eq!(number(&second, "SELECT count(*) FROM t").await, 10);
    assert_eq!(number(&cluster, "SELECT count(*) FROM t").await, 1);
    // Settings and password are the old server's, the address is its own.
    let settings = "SELECT current_setting('max_connections')::bigint";
    assert_eq!(number(&second, settings).await, 19);
    let _let_in = tokio_postgres::connect(&second.url("postgres"), tokio_postgres::NoTls)
        .await
        .unwrap();
    assert_ne!(second.port(), cluster.port());
    assert!(second.url("postgres").contains(":secret@"));
}
