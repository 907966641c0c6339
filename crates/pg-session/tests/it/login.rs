//! Who is let in, and what is said when not.

use crate::support::{CANARY, CANARY_DECODED, SCRAM, Server, connect, told};
use pg_session::TargetError;

async fn server() -> Server {
    let server = Server::start(&[], SCRAM);
    server
        .admin(&format!(
            "CREATE ROLE app LOGIN PASSWORD '{CANARY_DECODED}'; CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC; \
             CREATE ROLE nologin PASSWORD '{CANARY_DECODED}'; CREATE ROLE lone LOGIN PASSWORD '{CANARY_DECODED}' CONNECTION LIMIT 1"
        ))
        .await;
    server
}

/// The port differs from run to run.
fn snapshot(server: &Server, error: &TargetError) -> String {
    told(error).replace(&server.port().to_string(), "PORT")
}

#[tokio::test]
async fn a_right_password_gives_a_session() {
    let server = server().await;
    let url = server.url(&format!("app:{CANARY}"), "postgres");
    let session = connect(&url).await.expect("a session");
    assert!(session.is_alive());
    assert!(session.server_version_num() >= 140_000);
    // The password in the environment will do as well.
    let target = pg_session::Target::parse_with(&server.url("app", "postgres"), |name| {
        (name == "PGPASSWORD").then(|| CANARY_DECODED.to_owned())
    })
    .expect("an address");
    assert!(!format!("{target:?}").contains("k4n4ry"));
    target
        .connect(&pg_session::SessionOptions::new("test"))
        .await
        .expect("a session");
}

#[tokio::test]
async fn every_refusal_has_its_type_and_shows_no_password() {
    let server = server().await;
    let wrong = connect(&server.url(&format!("app:{CANARY}x"), "postgres"))
        .await
        .expect_err("wrong password");
    assert!(
        matches!(&wrong, TargetError::WrongLogin { user, .. } if user == "app"),
        "{wrong:?}"
    );
    let none = connect(&server.url("app", "postgres")).await.expect_err("no password");
    assert!(matches!(none, TargetError::WrongLogin { .. }), "{none:?}");
    let unknown = connect(&server.url(&format!("nobody:{CANARY}"), "postgres"))
        .await
        .expect_err("no such user");
    assert!(matches!(unknown, TargetError::WrongLogin { .. }), "{unknown:?}");
    let nologin = connect(&server.url(&format!("nologin:{CANARY}"), "postgres"))
        .await
        .expect_err("may not log in");
    assert!(matches!(nologin, TargetError::WrongLogin { .. }), "{nologin:?}");
    let database = connect(&server.url(&format!("app:{CANARY}"), "nowhere"))
        .await
        .expect_err("no such database");
    assert!(matches!(database, TargetError::NoDatabase { .. }), "{database:?}");
    let closed = connect(&server.url(&format!("app:{CANARY}"), "closed"))
        .await
        .expect_err("not this database");
    assert!(matches!(closed, TargetError::WrongLogin { .. }), "{closed:?}");
    let all = [&wrong, &none, &unknown, &nologin, &database, &closed];
    for error in all {
        assert!(error.is_configuration(), "{error:?}");
    }
    insta::assert_snapshot!(all.map(|error| snapshot(&server, error)).join("\n"));
}

#[tokio::test]
async fn no_rule_for_a_user_is_a_wrong_login() {
    let server = Server::start(&[], "local all all trust\nhost other all 127.0.0.1/32 trust\n");
    let error = connect(&server.url(&format!("postgres:{CANARY}"), "postgres?sslmode=disable"))
        .await
        .expect_err("no rule");
    // There is no TLS here, so the server says "no encryption"; nothing shows that TLS would help.
    assert!(error.is_configuration(), "{error:?}");
    assert!(told(&error).contains("pg_hba.conf"), "{error:?}");
}

#[tokio::test]
async fn a_role_with_one_connection_gets_it() {
    let server = server().await;
    let session = connect(&server.url(&format!("lone:{CANARY}"), "postgres")).await;
    // The look for a pooler needs a second connection, and goes without.
    assert!(session.expect("a session").is_alive());
}

#[tokio::test]
async fn the_role_of_the_server_is_checked() {
    let server = Server::start(&[("default_transaction_read_only", "on")], crate::support::TRUST);
    let url = |attrs: &str| server.url("postgres", &format!("postgres?target_session_attrs={attrs}"));
    for attrs in ["any", "read-only", "primary"] {
        connect(&url(attrs)).await.expect(attrs);
    }
    for attrs in ["read-write", "standby"] {
        let error = connect(&url(attrs)).await.expect_err(attrs);
        assert!(matches!(error, TargetError::WrongRole { .. }), "{error:?}");
        assert!(error.is_configuration());
        assert!(told(&error).contains(attrs), "{error}");
    }
}

#[tokio::test]
async fn the_next_host_is_asked_when_the_first_will_not_do() {
    let read_only = Server::start(&[("default_transaction_read_only", "on")], crate::support::TRUST);
    let writable = Server::start(&[], crate::support::TRUST);
    let closed = crate::unreachable::closed_port();
    let address = format!(
        "postgres://postgres@127.0.0.1:{closed},127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
        read_only.port(),
        writable.port()
    );
    let session = connect(&address).await.expect("the third host");
    let row = session
        .client
        .query_one("SELECT inet_server_port()", &[])
        .await
        .expect("port");
    assert_eq!(row.get::<_, i32>(0), i32::from(writable.port()));
    drop(writable);
    let error = connect(&address).await.expect_err("none will do");
    assert!(
        matches!(error, TargetError::WrongRole { .. }),
        "the telling one is reported: {error:?}"
    );
}
