//! Starting, settings, access rules.

use std::thread;

use pg_cluster::{Cluster, Error, Major, Options, Stop};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::{number, run};

pub(crate) async fn starts_answers_and_restarts(major: Major) {
    let mut cluster = Cluster::start(major, &Options::default()).unwrap();
    cluster.create_database("Café \"1\"").await.unwrap();
    let (client, connection) = tokio_postgres::connect(&cluster.url("Café \"1\""), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let row = client
        .query_one("SELECT current_setting('server_version_num'), current_database()", &[])
        .await
        .unwrap();
    let (version, database): (String, String) = (row.get(0), row.get(1));
    assert_eq!(version.parse::<u32>().unwrap() / 10_000, cluster.major());
    assert_eq!(database, "Café \"1\"");
    match major {
        Major::V14 => assert_eq!(version, "140024"),
        Major::V18 => assert_eq!(version, "180006"),
        Major::System => assert!(cluster.major() >= 14),
    }
    cluster.execute("postgres", "CREATE TABLE t AS SELECT 1").await.unwrap();
    let (port, pid) = (cluster.port(), cluster.pid().unwrap());
    cluster.restart().unwrap();
    assert_eq!(cluster.port(), port);
    assert_ne!(cluster.pid(), Some(pid));
    assert_eq!(number(&cluster, "SELECT count(*) FROM t").await, 1);
    // One that runs is left alone.
    let pid = cluster.pid();
    cluster.start_again().unwrap();
    assert_eq!(cluster.pid(), pid);
    cluster.stop(Stop::Fast).unwrap();
    cluster.stop(Stop::Fast).unwrap();
    assert!(cluster.connect("postgres").await.is_err());
}

pub(crate) async fn settings_and_rules_are_obeyed(major: Major) {
    let options = Options::default()
        .set("max_connections", "17")
        .set("application_name", "it's \\ here")
        .password("p@ss:w/o'rd")
        .hba("host all nobody 127.0.0.1/32 reject");
    let cluster = Cluster::start(major, &options).unwrap();
    let client = cluster.connect("postgres").await.unwrap();
    for (name, value) in [
        ("max_connections", "17"),
        ("application_name", "it's \\ here"),
        ("fsync", "off"),
        ("timezone", "UTC"),
    ] {
        let found: String = client
            .query_one("SELECT current_setting($1)", &[&name])
            .await
            .unwrap()
            .get(0);
        assert_eq!(found, value, "{name}");
    }
    let refused = |url: String| async move {
        let Err(error) = tokio_postgres::connect(&url, NoTls).await else {
            panic!("{url} is let in");
        };
        error
    };
    let _let_in = tokio_postgres::connect(&cluster.url("postgres"), NoTls).await.unwrap();
    let without = format!("postgres://postgres:wrong@127.0.0.1:{}/postgres", cluster.port());
    let error = refused(without).await;
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));
    let by_rule = format!("postgres://nobody:x@127.0.0.1:{}/postgres", cluster.port());
    let error = refused(by_rule).await;
    assert_eq!(error.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION));
    assert!(cluster.log().contains("FATAL"), "{}", cluster.log());
}

/// Each with a port and data of its own.
pub(crate) async fn ten_at_once() {
    let starting: Vec<_> = (0..10)
        .map(|_| thread::spawn(|| Cluster::start(Major::any(), &Options::default()).unwrap()))
        .collect();
    let clusters: Vec<Cluster> = starting.into_iter().map(|one| one.join().unwrap()).collect();
    for (index, cluster) in clusters.iter().enumerate() {
        let sql = format!("CREATE TABLE t AS SELECT {index}::bigint AS i");
        cluster.execute("postgres", &sql).await.unwrap();
    }
    for (index, cluster) in clusters.iter().enumerate() {
        assert_eq!(number(cluster, "SELECT i FROM t").await, i64::try_from(index).unwrap());
    }
}

pub(crate) fn a_password_that_cannot_be_is_refused() {
    run(async {
        let error = Cluster::start(Major::any(), &Options::default().password("a\nb")).unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
        let error = Cluster::start(Major::any(), &Options::default().set("no_such_setting", "1")).unwrap_err();
        assert!(error.to_string().contains("no_such_setting"), "{error}");
    });
}
