//! A server starts, answers, and is gone afterwards.
#![allow(clippy::unwrap_used, missing_docs)]

use pg_cluster::{Cluster, Major, Options, Stop};

#[tokio::test]
async fn a_server_starts_answers_restarts_and_leaves_nothing() {
    let mut cluster = Cluster::start(Major::any(), &Options::default()).unwrap();
    cluster.create_database("app").await.unwrap();
    cluster.execute("app", "CREATE TABLE t (id int)").await.unwrap();
    let version: String = cluster
        .connect("app")
        .await
        .unwrap()
        .query_one("SHOW server_version_num", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(version.parse::<u32>().unwrap() / 10_000, cluster.major());
    cluster.stop(Stop::Immediate).unwrap();
    cluster.start_again().unwrap();
    cluster.execute("app", "INSERT INTO t VALUES (1)").await.unwrap();
    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(!folder.exists());
}
