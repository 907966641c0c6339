//! What depends on the server's release, on each: the machine's own, the oldest and the newest that are supported. A
//! missing one is counted as a skip, and is a failure under `CI=true`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a broken expectation is a panic"
)]

use libtest_mimic::{Arguments, Completion, Trial};
use pg_cluster::{Cluster, Keys, Major, Options, Tls, or_skip};
use pg_session::{Kind, Session, SessionOptions, Sql, Target, TargetError, array_literal};
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

const PASSWORD: &str = "geheim";

async fn connect(address: &str) -> Result<Session, TargetError> {
    Target::parse_with(address, |_| None)?
        .connect(&SessionOptions::new("test"))
        .await
}

async fn text(session: &Session, sql: &str) -> String {
    session.one(&Sql::text(sql)).await.expect(sql).get(0)
}

/// Limits that a role has are not ours; `transaction_timeout` is new in 17.
async fn no_limit_of_the_role_ends_a_transaction(major: Major) {
    let cluster = Cluster::start(major, &Options::default()).expect("a server");
    let mut setup =
        "ALTER ROLE postgres SET statement_timeout = '1s'; ALTER ROLE postgres SET lock_timeout = '1ms'".to_owned();
    if cluster.major() >= 17 {
        setup.push_str("; ALTER ROLE postgres SET transaction_timeout = '1s'");
    }
    cluster.execute("postgres", &setup).await.expect("set");
    let session = connect(&cluster.url("postgres")).await.expect("a session");
    assert_eq!(session.server_version_num() / 10_000, cluster.major());
    assert_eq!(text(&session, "SELECT current_setting('statement_timeout')").await, "0");
    assert_eq!(text(&session, "SELECT current_setting('lock_timeout')").await, "2s");
    if cluster.major() >= 17 {
        assert_eq!(
            text(&session, "SELECT current_setting('transaction_timeout')").await,
            "0"
        );
    }
}

/// TLS, SCRAM with channel binding, and a request to cancel on the same way.
async fn channel_binding_and_cancelling(major: Major) {
    for keys in [Keys::P256, Keys::P384, Keys::RsaSha512] {
        bound(major, keys).await;
    }
}

async fn bound(major: Major, keys: Keys) {
    let options = Options::default()
        .password(PASSWORD)
        .tls(Tls::new(keys))
        .hba("hostnossl all all all reject");
    let cluster = Cluster::start(major, &options).expect("a server");
    let plain = cluster.url("postgres");
    let error = connect(&format!("{plain}?sslmode=disable"))
        .await
        .expect_err("TLS only");
    assert!(error.is_configuration(), "{error:?}");
    let ca = cluster.ca().expect("an authority");
    let mut addresses = vec![format!(
        "{plain}?sslmode=verify-full&channel_binding=require&sslrootcert={}",
        ca.display()
    )];
    if cluster.major() >= 17 {
        addresses.push(format!("{}&sslnegotiation=direct", addresses[0]));
    }
    for address in addresses {
        let session = connect(&address).await.expect(&address);
        let encrypted = "SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";
        assert!(text(&session, encrypted).await.starts_with("TLSv1."));
        let slow = Sql::text("SELECT pg_catalog.pg_sleep(600)");
        let watch = cluster.connect("postgres").await.expect("a second session");
        let (result, ()) = tokio::join!(session.query(&slow), async {
            let sleeping = "SELECT 1 FROM pg_catalog.pg_stat_activity WHERE wait_event = 'PgSleep'";
            while watch.query(sleeping, &[]).await.expect("looked").is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            session.cancel().await.expect("sent");
        });
        assert_eq!(result.expect_err("cancelled").kind, Kind::Cancelled);
    }
    let wrong = plain.replace(PASSWORD, "falsch");
    let error = connect(&wrong).await.expect_err("wrong password");
    assert!(matches!(error, TargetError::WrongLogin { .. }), "{error:?}");
}

async fn errors_and_arrays(major: Major) {
    let cluster = Cluster::start(major, &Options::default()).expect("a server");
    let session = connect(&cluster.url("postgres")).await.expect("a session");
    let setup = "CREATE TABLE public.t (id int PRIMARY KEY); INSERT INTO public.t VALUES (1)";
    session.batch(setup).await.expect("made");
    for (kind, sql) in [
        (Kind::Constraint, "INSERT INTO public.t VALUES (1)"),
        (Kind::Value, "SELECT 'x'::inet"),
        (Kind::Missing, "SELECT * FROM public.nowhere"),
        (Kind::ReadOnly, "BEGIN READ ONLY; DELETE FROM public.t"),
        (
            Kind::Cancelled,
            "SET LOCAL statement_timeout = 20; SELECT pg_catalog.pg_sleep(60)",
        ),
    ] {
        let error = session.batch(sql).await.expect_err(sql);
        assert_eq!(error.kind, kind, "{sql}: {error}");
        session.rollback().await.expect("rolled back");
    }
    let values = ["", "NULL", "a\"b", "c\\d", "{e,f}", " g "];
    let sql = Sql::text("SELECT ").param(array_literal(values), "pg_catalog.text[]");
    let back: Vec<String> = session.one(&sql).await.expect("row").get(0);
    assert_eq!(back, values);
}

fn on_each<F: Future<Output = ()> + 'static>(name: &str, test: fn(Major) -> F) -> Vec<Trial> {
    let trial = |major: Major| {
        Trial::ignorable_test(format!("{name}::{}", major.name()), move || {
            if or_skip(major.ensure()).is_none() {
                return Ok(Completion::ignored_with(format!("no PostgreSQL {}", major.name())));
            }
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(test(major));
            Ok(Completion::Completed)
        })
    };
    Major::ALL.into_iter().map(trial).collect()
}

fn main() -> ExitCode {
    let trials = [
        on_each(
            "no_limit_of_the_role_ends_a_transaction",
            no_limit_of_the_role_ends_a_transaction,
        ),
        on_each("channel_binding_and_cancelling", channel_binding_and_cancelling),
        on_each("errors_and_arrays", errors_and_arrays),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit_code()
}
