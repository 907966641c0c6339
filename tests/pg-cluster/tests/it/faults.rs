//! What is done to servers.

use std::time::Duration;

use pg_cluster::{Cluster, Error, Major, Options, Stop};
use tokio_postgres::error::SqlState;

use crate::number;

pub(crate) async fn a_power_cut_keeps_what_was_committed(major: Major) {
    let mut cluster = Cluster::start(major, &Options::default()).unwrap();
    cluster
        .execute("postgres", "CREATE TABLE t AS SELECT generate_series(1, 10) AS i")
        .await
        .unwrap();
    let open = cluster.connect("postgres").await.unwrap();
    open.batch_execute("BEGIN; DELETE FROM t").await.unwrap();
    cluster.stop(Stop::Immediate).unwrap();
    assert!(open.batch_execute("COMMIT").await.is_err());
    cluster.start_again().unwrap();
    assert_eq!(number(&cluster, "SELECT count(*) FROM t").await, 10);
}

pub(crate) async fn sessions_end_and_processes_are_killed(major: Major) {
    let cluster = Cluster::start(major, &Options::default()).unwrap();
    let client = cluster.connect("postgres").await.unwrap();
    let own = "SELECT pg_backend_pid()";
    let pid: i32 = client.query_one(own, &[]).await.unwrap().get(0);
    assert!(cluster.terminate_backend(pid).await.unwrap());
    assert!(client.batch_execute("SELECT 1").await.is_err());

    let client = cluster.connect("postgres").await.unwrap();
    let pid: i32 = client.query_one(own, &[]).await.unwrap().get(0);
    let bystander = cluster.connect("postgres").await.unwrap();
    // Not ours to kill: this very process.
    let us = i32::try_from(std::process::id()).unwrap();
    assert!(matches!(cluster.kill_backend(us), Err(Error::Unsupported(_))));
    assert!(matches!(cluster.kill_backend(-1), Err(Error::Unsupported(_))));
    cluster.kill_backend(pid).unwrap();
    assert!(client.batch_execute("SELECT 1").await.is_err());
    // The server takes everybody else down, too, and comes back by itself.
    until(|| async { bystander.batch_execute("SELECT 1").await.is_err() }).await;
    until(|| async { cluster.execute("postgres", "SELECT 1").await.is_ok() }).await;
}

pub(crate) async fn a_paused_server_hangs_and_goes_on(major: Major) {
    let mut cluster = Cluster::start(major, &Options::default()).unwrap();
    let client = cluster.connect("postgres").await.unwrap();
    cluster.pause().unwrap();
    {
        let asked = client.query_one("SELECT 1", &[]);
        tokio::pin!(asked);
        let early = tokio::time::timeout(Duration::from_millis(300), &mut asked).await;
        assert!(early.is_err(), "it answers while it is paused");
        cluster.resume().unwrap();
        let row = tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap();
        assert_eq!(row.unwrap().get::<_, i32>(0), 1);
    }
    cluster.stop(Stop::Fast).unwrap();
    assert!(matches!(cluster.pause(), Err(Error::Unsupported(_))));
}

pub(crate) async fn a_small_disk_runs_full_and_recovers() {
    let options = Options::default().small_disk(8);
    let mut cluster = Cluster::start(Major::any(), &options).unwrap();
    let place = cluster.small_disk().unwrap().display().to_string();
    let client = cluster.connect("postgres").await.unwrap();
    client
        .batch_execute(&format!("CREATE TABLESPACE small LOCATION '{place}'"))
        .await
        .unwrap();
    client
        .batch_execute("CREATE TABLE t (i int, note text) TABLESPACE small")
        .await
        .unwrap();
    let fill = "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) AS i";
    let error = client.batch_execute(fill).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::DISK_FULL), "{error:?}");
    // Only there.
    client
        .batch_execute("CREATE TABLE u AS SELECT generate_series(1, 20000)")
        .await
        .unwrap();
    // Rows that were rolled back still fill it; without their table there is room again.
    client.batch_execute("DROP TABLE t").await.unwrap();
    client
        .batch_execute("CREATE TABLE t (i int) TABLESPACE small")
        .await
        .unwrap();
    client.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    // What it holds survives a restart.
    cluster.restart().unwrap();
    assert_eq!(number(&cluster, "SELECT count(*) FROM t").await, 1);
    let error = cluster.snapshot().unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
    assert!(
        Cluster::start(Major::any(), &Options::default())
            .unwrap()
            .small_disk()
            .is_none()
    );
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it holds at last");
}
