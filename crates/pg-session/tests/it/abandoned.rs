//! Calls that are dropped half-way, cancelled, or cut.

use crate::support::{self, Server};
use pg_session::{Kind, Sql};
use std::time::Duration;

fn sleep(seconds: u32) -> Sql {
    Sql::text(format!("SELECT pg_catalog.pg_sleep({seconds})"))
}

#[tokio::test]
async fn a_call_dropped_in_a_transaction_is_noticed() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session.batch("CREATE TABLE public.t (n int)").await.expect("made");
    session
        .batch("BEGIN; INSERT INTO public.t VALUES (1)")
        .await
        .expect("begun");
    let slow = sleep(60);
    let dropped = tokio::time::timeout(Duration::from_millis(100), session.query(&slow)).await;
    assert!(dropped.is_err());
    let error = session.batch("COMMIT").await.expect_err("not in this state");
    assert!(error.to_string().contains("roll back first"), "{error}");
    session.cancel().await.expect("cancelled");
    session.rollback().await.expect("rolled back");
    let row = session
        .one(&Sql::text("SELECT count(*) FROM public.t"))
        .await
        .expect("row");
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_call_dropped_outside_is_the_callers_business() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    let slow = sleep(60);
    let dropped = tokio::time::timeout(Duration::from_millis(100), session.query(&slow)).await;
    assert!(dropped.is_err());
    session.cancel().await.expect("cancelled");
    session.one(&Sql::text("SELECT 1")).await.expect("as before");
}

#[tokio::test]
async fn rolling_back_is_safe_always() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session.rollback().await.expect("there was nothing");
    session.batch("BEGIN").await.expect("begun");
    session.batch("SELECT nonsense").await.expect_err("wrong");
    let error = session.batch("SELECT 1").await.expect_err("the transaction is broken");
    assert_eq!(error.code.as_deref(), Some("25P02"));
    session.rollback().await.expect("rolled back");
    session.rollback().await.expect("again");
    session.one(&Sql::text("SELECT 1")).await.expect("good");
    let log = server.cluster.log();
    assert!(!log.contains("no transaction in progress"), "noise: {log}");
    // What cannot be looked into may have begun one.
    session.batch("DO $$ BEGIN END $$; BEGIN").await.expect("begun");
    session.rollback().await.expect("rolled back");
    session.batch("VACUUM pg_catalog.pg_class").await.expect("outside");
}

#[tokio::test]
async fn cancelling_from_elsewhere() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    let canceller = session.canceller();
    let slow = sleep(600);
    let (result, ()) = tokio::join!(session.query(&slow), async {
        // Not before the statement runs: a cancel that comes too early is lost.
        let watch = server.socket("postgres").await;
        loop {
            let row = watch
                .one(&Sql::text(
                    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'",
                ))
                .await
                .expect("row");
            if row.get::<_, i64>(0) > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        canceller.cancel().await.expect("sent");
    });
    assert_eq!(result.expect_err("cancelled").kind, Kind::Cancelled);
    session.one(&Sql::text("SELECT 1")).await.expect("still good");
}

#[tokio::test]
async fn a_session_that_is_ended_says_so() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    let pid: i32 = session
        .one(&Sql::text("SELECT pg_catalog.pg_backend_pid()"))
        .await
        .expect("row")
        .get(0);
    let other = server.socket("postgres").await;
    let slow = sleep(600);
    let end = Sql::text("SELECT pg_catalog.pg_terminate_backend(")
        .param(pid.to_string(), "int")
        .raw(")");
    let (result, ended) = tokio::join!(session.query(&slow), other.one(&end));
    ended.expect("ended");
    assert_eq!(result.expect_err("lost").kind, Kind::Lost);
    let next = session.batch("SELECT 1").await.expect_err("still lost");
    assert_eq!(next.kind, Kind::Lost, "{next}");
    assert!(!session.is_alive());
    assert_eq!(
        session.rollback().await.expect_err("nothing to roll back").kind,
        Kind::Lost
    );
}

#[tokio::test]
async fn a_killed_server_is_lost() {
    let mut server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session.batch("BEGIN").await.expect("begun");
    server.cluster.stop(pg_cluster::Stop::Immediate).expect("stopped");
    let error = session.batch("COMMIT").await.expect_err("gone");
    assert_eq!(error.kind, Kind::Lost, "{error}");
}
