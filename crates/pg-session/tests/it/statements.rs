//! Statements are prepared once a session, and again when the table has changed.

use crate::support::{self, Server};
use pg_session::{Kind, Session, Sql};

async fn prepared(session: &Session) -> i64 {
    let row = session.client.query_one(
        "SELECT count(*) FROM pg_catalog.pg_prepared_statements WHERE statement NOT LIKE '%pg_prepared_statements%'",
        &[],
    );
    row.await.expect("count").get(0)
}

#[tokio::test]
async fn the_same_text_is_prepared_once() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    let before = prepared(&session).await;
    for n in 0..20 {
        let sql = Sql::text("SELECT ").param(n.to_string(), "int4");
        let row = session.one(&sql).await.expect("row");
        assert_eq!(row.get::<_, i32>(0), n);
        session.execute(&sql).await.expect("executed");
    }
    assert_eq!(prepared(&session).await, before + 1);
    // Many texts do not fill the server's memory.
    for n in 0..400 {
        session.query(&Sql::text(format!("SELECT {n}"))).await.expect("rows");
    }
    let now = prepared(&session).await;
    assert!(now <= 256 + before + 1, "{now}");
}

#[tokio::test]
async fn a_changed_table_does_not_end_a_statement_for_ever() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session
        .batch("CREATE TABLE public.t (a int); INSERT INTO public.t VALUES (1)")
        .await
        .expect("made");
    let sql = Sql::text("SELECT * FROM public.t");
    assert_eq!(session.one(&sql).await.expect("row").len(), 1);
    session.batch("ALTER TABLE public.t ADD b text").await.expect("changed");
    assert_eq!(session.one(&sql).await.expect("the new row type").len(), 2);

    // In a transaction it cannot be tried again: the transaction is over. The next one works.
    session.batch("ALTER TABLE public.t ADD c text").await.expect("changed");
    assert_eq!(session.one(&sql).await.expect("row").len(), 3);
    session.batch("ALTER TABLE public.t ADD d text").await.expect("changed");
    session.batch("BEGIN").await.expect("begun");
    let error = session.one(&sql).await.expect_err("stale");
    assert_eq!(error.code.as_deref(), Some("0A000"));
    session.rollback().await.expect("rolled back");
    assert_eq!(session.one(&sql).await.expect("row").len(), 4);

    session.batch("DEALLOCATE ALL").await.expect("forgotten");
    assert_eq!(session.one(&sql).await.expect("row").len(), 4);
}

#[tokio::test]
async fn rows_are_counted() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    let two = Sql::text("SELECT * FROM pg_catalog.generate_series(1, 2)");
    let none = Sql::text("SELECT 1 WHERE false");
    assert_eq!(session.execute(&two).await.expect("rows"), 2);
    assert_eq!(session.query(&two).await.expect("rows").len(), 2);
    assert_eq!(session.maybe(&none).await.expect("none").map(|row| row.len()), None);
    for error in [
        session.one(&two).await.expect_err("two"),
        session.maybe(&two).await.expect_err("two"),
        session.one(&none).await.expect_err("none"),
    ] {
        assert_eq!(error.kind, Kind::Other, "{error}");
        assert!(error.to_string().starts_with("expected one row, found"), "{error}");
    }
}

#[tokio::test]
async fn prepared_calls_reach_the_server_in_order() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session
        .batch("CREATE TABLE public.t (id int GENERATED ALWAYS AS IDENTITY, n int)")
        .await
        .expect("made");
    let insert = |n: i32| {
        Sql::text("INSERT INTO public.t (n) VALUES (")
            .param(n.to_string(), "int")
            .raw(")")
    };
    session.prepare(&insert(0)).await.expect("prepared");
    let (sql1, sql2, sql3) = (insert(1), insert(2), insert(3));
    let (a, b, c) = tokio::join!(
        biased;
        session.execute(&sql1),
        session.execute(&sql2),
        session.execute(&sql3)
    );
    assert_eq!((a.expect("1"), b.expect("2"), c.expect("3")), (1, 1, 1));
    let rows = session
        .query(&Sql::text("SELECT n FROM public.t ORDER BY id"))
        .await
        .expect("rows");
    let order: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[tokio::test]
async fn a_nul_is_refused_before_anything_is_sent() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session.batch("BEGIN").await.expect("begun");
    let value = Sql::text("SELECT ").param("canary\0", "text");
    let name = Sql::text("SELECT 1 AS ").ident("canary\0");
    for (sql, what) in [(value, "parameter $1"), (name, "a name in the statement")] {
        let error = session.query(&sql).await.expect_err("refused");
        assert_eq!(error.kind, Kind::Value);
        assert_eq!(
            error.to_string(),
            format!("{what} holds a NUL character, which PostgreSQL cannot store")
        );
    }
    // The transaction is still good.
    session.execute(&Sql::text("SELECT 1")).await.expect("good");
    session.batch("COMMIT").await.expect("committed");
}
