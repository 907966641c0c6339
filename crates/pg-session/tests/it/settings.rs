//! What every session has, whatever the server, the role or the address say.

use crate::support::{self, Server, connect};
use pg_session::{SessionOptions, Sql, Target};
use std::time::Duration;

async fn setting(session: &pg_session::Session, name: &str) -> String {
    let sql = Sql::text("SELECT pg_catalog.current_setting(")
        .param(name, "text")
        .raw(")");
    session.one(&sql).await.expect(name).get(0)
}

#[tokio::test]
async fn settings_are_ours_even_when_the_role_has_others() {
    let server = Server::start(
        &[
            ("search_path", "public"),
            ("DateStyle", "SQL, DMY"),
            ("statement_timeout", "1h"),
            ("default_transaction_isolation", "serializable"),
        ],
        support::TRUST,
    );
    server
        .admin(
            "CREATE ROLE app LOGIN SUPERUSER; ALTER ROLE app SET search_path = pg_temp, public; \
             ALTER ROLE app SET TimeZone = 'America/New_York'; ALTER ROLE app SET row_security = on; \
             ALTER ROLE app SET session_replication_role = replica; ALTER ROLE app SET bytea_output = 'escape'",
        )
        .await;
    let address = server.url("app", "postgres?application_name=theirs&options=-c%20lock_timeout%3D7s");
    let target = Target::parse_with(&address, support::no_env).expect("an address");
    let session = target
        .connect(&SessionOptions {
            lock_timeout: Duration::from_millis(150),
            silent_parameters: true,
            ..SessionOptions::new("it's ours")
        })
        .await
        .expect("a session");
    for (name, expected) in [
        ("log_parameter_max_length", "0"),
        ("search_path", "\"\""),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "iso_8601"),
        ("bytea_output", "hex"),
        ("row_security", "off"),
        ("plan_cache_mode", "force_custom_plan"),
        ("max_parallel_workers_per_gather", "0"),
        ("standard_conforming_strings", "on"),
        ("client_min_messages", "warning"),
        ("default_transaction_isolation", "read committed"),
        ("transaction_isolation", "read committed"),
        ("application_name", "it's ours"),
        ("lock_timeout", "150ms"),
        ("statement_timeout", "0"),
        ("log_parameter_max_length", "0"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("session_replication_role", "origin"),
    ] {
        assert_eq!(setting(&session, name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn the_kernel_watches_over_the_connection() {
    let server = Server::start(&[], support::TRUST);
    let _session = connect(&server.url("postgres", "postgres")).await.expect("a session");
    // /proc/net/tcp: local, remote, state (01: established), queues, then which timer is pending and when it is due, in
    // hundredths of a second. The kernel's own default is two hours.
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let remote = format!("0100007F:{:04X}", server.port());
    let due: Vec<u64> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(2) == Some(&remote.as_str()) && fields.get(3) == Some(&"01"))
        .map(|fields| {
            let (timer, when) = fields[5].split_once(':').expect("timer");
            assert_eq!(timer, "02", "the keepalive timer");
            u64::from_str_radix(when, 16).expect("when")
        })
        .collect();
    assert!(!due.is_empty(), "{table}");
    assert!(due.iter().all(|when| *when <= 1000), "{due:?}");
}
