//! What PostgreSQL really says, sorted; never with a value of a row.

use crate::support::{self, Server};
use pg_session::{DbError, Kind, Session, Sql};

/// Stands in rows; may not stand in an error.
const VALUE: &str = "alice@example.invalid";

async fn fails(session: &Session, sql: &str) -> DbError {
    let error = session.batch(sql).await.expect_err(sql);
    session.rollback().await.expect("rolled back");
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("alice"), "{sql}: {text}");
    }
    error
}

#[tokio::test]
async fn errors_are_sorted_and_show_no_values() {
    let server = Server::start(&[], support::TRUST);
    server.admin("CREATE ROLE app LOGIN").await;
    let owner = server.socket("postgres").await;
    owner
        .batch(&format!(
            "CREATE TABLE public.t (id int PRIMARY KEY, email text UNIQUE CHECK (email <> 'alice@check.invalid'), short varchar(3)); \
             CREATE TABLE public.child (t_id int REFERENCES public.t); \
             INSERT INTO public.t VALUES (1, '{VALUE}'), (2, NULL); INSERT INTO public.child VALUES (1); \
             CREATE TABLE public.secret (n int)"
        ))
        .await
        .expect("made");
    let app = support::connect(&server.url("app", "postgres")).await.expect("app");
    let mut said = Vec::new();
    for (kind, session, sql) in [
        (
            Kind::Constraint,
            &owner,
            format!("INSERT INTO public.t VALUES (3, '{VALUE}')"),
        ),
        (
            Kind::Constraint,
            &owner,
            "INSERT INTO public.t VALUES (3, 'alice@check.invalid')".to_owned(),
        ),
        (Kind::Constraint, &owner, "DELETE FROM public.t WHERE id = 1".to_owned()),
        (
            Kind::Constraint,
            &owner,
            "INSERT INTO public.t VALUES (NULL, 'alice')".to_owned(),
        ),
        (
            Kind::Value,
            &owner,
            format!("SELECT email::inet FROM public.t WHERE email = '{VALUE}'"),
        ),
        (
            Kind::Value,
            &owner,
            format!("SELECT email::timestamptz FROM public.t WHERE email = '{VALUE}'"),
        ),
        (Kind::Value, &owner, format!("UPDATE public.t SET short = '{VALUE}'")),
        (Kind::Value, &owner, "SELECT '2026-13-45 alice'::date".to_owned()),
        (Kind::Value, &owner, "SELECT 99999999999::text::int".to_owned()),
        (Kind::Value, &owner, "SELECT 1 / 0".to_owned()),
        (Kind::Missing, &owner, "SELECT * FROM public.nowhere".to_owned()),
        (Kind::Missing, &owner, "SELECT nothing FROM public.t".to_owned()),
        (Kind::Missing, &owner, "SELECT 1::public.notype".to_owned()),
        (Kind::Missing, &owner, "SELECT public.nofunction()".to_owned()),
        (Kind::Missing, &owner, "CREATE TABLE noschema.t (n int)".to_owned()),
        (Kind::Other, &owner, "SELEKT 1".to_owned()),
        (Kind::Other, &owner, "CREATE TABLE public.t (n int)".to_owned()),
        (
            Kind::ReadOnly,
            &owner,
            "BEGIN READ ONLY; DELETE FROM public.child".to_owned(),
        ),
        (Kind::Privilege, &app, "SELECT * FROM public.secret".to_owned()),
        (
            Kind::Cancelled,
            &owner,
            "SET LOCAL statement_timeout = 20; SELECT pg_catalog.pg_sleep(60)".to_owned(),
        ),
        (
            Kind::Other,
            &owner,
            "DO $$ BEGIN RAISE EXCEPTION 'a trigger says no'; END $$".to_owned(),
        ),
    ] {
        let error = fails(session, &sql).await;
        assert_eq!(error.kind, kind, "{sql}: {error}");
        said.push(format!("{kind:?}: {error}"));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_lock_that_is_not_had() {
    let server = Server::start(&[], support::TRUST);
    let holder = server.socket("postgres").await;
    holder.batch("CREATE TABLE public.t (n int)").await.expect("made");
    holder.batch("BEGIN; LOCK TABLE public.t").await.expect("locked");
    let other = server.socket("postgres").await;
    other.batch("SET lock_timeout = 30").await.expect("set");
    let error = other.batch("DELETE FROM public.t").await.expect_err("locked");
    assert_eq!(error.kind, Kind::Locked, "{error}");
    holder.batch("COMMIT").await.expect("freed");
    other.batch("DELETE FROM public.t").await.expect("free");
}

#[tokio::test]
async fn a_deadlock_is_a_lock_too() {
    let server = Server::start(&[("deadlock_timeout", "50ms")], support::TRUST);
    let (one, two) = (server.socket("postgres").await, server.socket("postgres").await);
    one.batch("CREATE TABLE public.a (n int); CREATE TABLE public.b (n int)")
        .await
        .expect("made");
    for session in [&one, &two] {
        session.batch("SET lock_timeout = 0").await.expect("set");
    }
    one.batch("BEGIN; LOCK TABLE public.a").await.expect("a");
    two.batch("BEGIN; LOCK TABLE public.b").await.expect("b");
    let (first, second) = tokio::join!(
        async {
            let result = one.batch("LOCK TABLE public.b").await;
            one.rollback().await.expect("rolled back");
            result
        },
        async {
            let result = two.batch("LOCK TABLE public.a").await;
            two.rollback().await.expect("rolled back");
            result
        }
    );
    let error = first.err().or(second.err()).expect("one of them is the victim");
    assert_eq!((error.kind, error.code.as_deref()), (Kind::Locked, Some("40P01")));
}

#[tokio::test]
async fn a_conflict_of_serializable_transactions() {
    let server = Server::start(&[], support::TRUST);
    let (one, two) = (server.socket("postgres").await, server.socket("postgres").await);
    one.batch("CREATE TABLE public.t (n int); INSERT INTO public.t VALUES (1)")
        .await
        .expect("made");
    one.batch("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM public.t")
        .await
        .expect("begun");
    two.batch("UPDATE public.t SET n = 2").await.expect("changed");
    let error = one
        .batch("UPDATE public.t SET n = 3")
        .await
        .expect_err("changed meanwhile");
    assert_eq!(error.kind, Kind::Conflict, "{error}");
    one.rollback().await.expect("rolled back");
}

#[tokio::test]
async fn a_transaction_left_idle_is_lost() {
    let server = Server::start(&[], support::TRUST);
    let session = server.socket("postgres").await;
    session
        .batch("SET idle_in_transaction_session_timeout = 30; BEGIN")
        .await
        .expect("begun");
    let watch = server.socket("postgres").await;
    let gone = Sql::text("SELECT 1 FROM pg_catalog.pg_stat_activity WHERE state = 'idle in transaction'");
    for _ in 0..1000 {
        if watch.maybe(&gone).await.expect("looked").is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let error = session.batch("COMMIT").await.expect_err("ended by the server");
    assert_eq!(error.kind, Kind::Lost, "{error}");
}
