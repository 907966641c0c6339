//! Patience, and what a real server shows of its transactions: nothing outside of this crate sees either.

use super::*;
use pg_cluster::{Cluster, Major, Options};
use pg_session::Target;
use pg_session::target::SessionOptions;

async fn until(client: &tokio_postgres::Client, sql: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "never: {sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn writers_are_seen_and_a_standbys_feedback_is_not() {
    // Its own sessions would be seen as well.
    let options = Options::default().set("autovacuum", "off");
    let primary = Cluster::start(Major::any(), &options).unwrap();
    let admin = primary.connect("postgres").await.unwrap();
    admin.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    let feedback = Options::default()
        .set("hot_standby_feedback", "on")
        .set("wal_receiver_status_interval", "1");
    let standby = primary.standby(&feedback).await.unwrap();
    primary.wait_for_standby(&standby).await.unwrap();
    let mut report = standby.connect("postgres").await.unwrap();
    let report = report
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .unwrap();
    report.query("SELECT * FROM t", &[]).await.unwrap();
    admin.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    admin.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    until(
        &admin,
        "SELECT coalesce(pg_catalog.max(pg_catalog.age(backend_xmin)), 0) > 1 FROM pg_catalog.pg_stat_replication",
    )
    .await;

    let target = Target::parse(&primary.url("postgres")).unwrap();
    let session = target.connect(&SessionOptions::new("test")).await.unwrap();
    let nobody = look(&session, None).await.unwrap();
    assert_eq!(nobody.oldest, None);

    let writer = primary.connect("postgres").await.unwrap();
    writer.batch_execute("BEGIN; INSERT INTO t VALUES (3)").await.unwrap();
    let number: String = writer
        .query_one("SELECT pg_catalog.pg_current_xact_id()::text", &[])
        .await
        .unwrap()
        .get(0);
    // What was committed before it began, it does not hold back.
    assert_eq!(look(&session, None).await.unwrap().oldest, None);
    admin.batch_execute("INSERT INTO t VALUES (4)").await.unwrap();
    let somebody = look(&session, None).await.unwrap();
    assert_eq!(somebody.oldest, Some(number));
    // Who began behind the mark sees nothing that was replaced before it.
    assert_eq!(look(&session, Some(&nobody.now)).await.unwrap().oldest, None);
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(look(&session, Some(&somebody.now)).await.unwrap().oldest, None);
    report.rollback().await.unwrap();
}

#[test]
fn patience_ends() {
    let begun = Instant::now();
    let mut horizon = Horizon::new(begun);
    assert_eq!(horizon.patience("7", begun), PATIENCE);
    // Nobody is waited for twice in vain.
    horizon.stubborn = Some("7".to_owned());
    assert_eq!(horizon.patience("7", begun), Duration::ZERO);
    assert_eq!(horizon.patience("8", begun), PATIENCE);
    // Ever new ones take a part of the time, and no more.
    horizon.waited = PATIENCE;
    assert_eq!(horizon.patience("8", begun), Duration::ZERO);
    let later = begun + PATIENCE * 2;
    assert_eq!(horizon.patience("8", later), PATIENCE * 2 / SHARE);
    assert_eq!(horizon.patience("8", begun + PATIENCE * 100), PATIENCE);
}
