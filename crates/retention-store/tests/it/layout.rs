//! Is the layout there, may it be made, is it ours.

use retention_store::init::{Ensured, InitError, Layout, TABLES, ensure, grants_for, inspect};
use retention_store::{LAYOUT_SQL, gate, hold, run};

use crate::support::Database;

#[tokio::test]
async fn it_is_made_once_and_every_statement_may_run_again() {
    let database = Database::empty().await;
    let session = database.session("retention-job").await;
    assert_eq!(inspect(&session).await.unwrap(), Layout::Absent { may_create: true });
    assert_eq!(ensure(&session).await.unwrap(), Ensured::Created);
    assert_eq!(ensure(&session).await.unwrap(), Ensured::Existed);
    assert_eq!(inspect(&session).await.unwrap(), Layout::Ready);
    session.batch(LAYOUT_SQL).await.unwrap();
    let gate = gate::peek(&session).await.unwrap();
    assert_eq!((gate.fence, gate.holds_epoch), (0, 0));
    assert!(hold::structure(&session).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_processes_may_make_it_at_once() {
    let database = Database::empty().await;
    let mut sessions = Vec::new();
    for number in 0..6 {
        sessions.push(database.session(&format!("job {number}")).await);
    }
    let tasks: Vec<_> = sessions
        .into_iter()
        .map(|session| tokio::spawn(async move { ensure(&session).await.unwrap() }))
        .collect();
    let mut created = 0;
    for task in tasks {
        created += u32::from(task.await.unwrap() == Ensured::Created);
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_role_that_may_not_is_told_the_grants_and_they_are_enough() {
    let database = Database::empty().await;
    let owner = database.session("owner").await;
    let role = format!("job \"{}\"", database.name);
    let quoted = pg_session::quote_ident(&role);
    owner.batch(&format!("CREATE ROLE {quoted} LOGIN")).await.unwrap();
    let session = database.session_as(&role.replace(' ', "%20").replace('"', "%22")).await;

    assert_eq!(inspect(&session).await.unwrap(), Layout::Absent { may_create: false });
    let error = ensure(&session).await.unwrap_err();
    assert!(matches!(error, InitError::Missing { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("may not create the schema retention"), "{said}");
    assert!(
        said.contains(&format!("CREATE SCHEMA \"retention\" AUTHORIZATION {quoted}")),
        "{said}"
    );

    // An administrator made the schema, but for himself.
    owner.batch("CREATE SCHEMA retention").await.unwrap();
    let said = ensure(&session).await.unwrap_err().to_string();
    assert!(
        said.contains(&format!("GRANT USAGE, CREATE ON SCHEMA \"retention\" TO {quoted}")),
        "{said}"
    );

    // He made the tables too: step by step, what is missing is told, until nothing is.
    ensure(&owner).await.unwrap();
    for step in 0.. {
        assert!(step < 3, "the grants are not enough");
        match inspect(&session).await {
            Ok(layout) => {
                assert_eq!(layout, Layout::Ready);
                break;
            }
            Err(InitError::Missing { statements, .. }) => {
                for statement in &statements {
                    owner.batch(statement).await.unwrap();
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    let run = crate::support::begin(&session).await;
    crate::support::write(&session, &run, 1, 2, retention_proof::ChainHash::start(&run.run_id)).await;
    // The job's role cannot rewrite its past.
    for forbidden in [
        "DELETE FROM retention.audit",
        "UPDATE retention.audit SET rows = 0",
        "UPDATE retention.receipt SET envelope = ''",
        "DELETE FROM retention.run",
    ] {
        let error = session.batch(forbidden).await.unwrap_err();
        assert_eq!(error.kind, pg_session::Kind::Privilege, "{forbidden}: {error}");
    }
    // No administrator needs more than this list.
    assert_eq!(grants_for(&role).len(), TABLES.len() + 1);
}

#[tokio::test]
async fn a_newer_a_damaged_and_a_foreign_layout_are_refused() {
    let (_database, session) = Database::ready().await;
    session.batch("UPDATE retention.meta SET layout = 2").await.unwrap();
    let error = ensure(&session).await.unwrap_err();
    assert!(matches!(error, InitError::Newer { found: 2, known: 1 }), "{error}");
    // Runs would not hear of new holds.
    for deaf in [
        "ALTER TABLE retention.hold DISABLE TRIGGER ALL",
        "DROP TRIGGER hold_changed ON retention.hold",
    ] {
        session
            .batch(&format!("UPDATE retention.meta SET layout = 1; {deaf}"))
            .await
            .unwrap();
        let error = ensure(&session).await.unwrap_err();
        assert!(matches!(error, InitError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains("trigger hold_changed"), "{error}");
    }
    session.batch("DROP TABLE retention.hold").await.unwrap();
    let error = ensure(&session).await.unwrap_err();
    assert!(matches!(error, InitError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("hold are missing"), "{error}");
    session
        .batch("DROP SCHEMA retention CASCADE; CREATE SCHEMA retention; CREATE TABLE retention.run (x int)")
        .await
        .unwrap();
    let error = ensure(&session).await.unwrap_err();
    assert!(error.to_string().contains("belong to something else"), "{error}");
    assert_eq!(run::holder(&session).await.unwrap(), None);
}

#[tokio::test]
async fn a_name_that_something_else_has_is_not_passed_over() {
    let database = Database::empty().await;
    let session = database.session("retention-job").await;
    // CREATE ... IF NOT EXISTS would take any of these for ours.
    for (make, drop) in [
        (
            "CREATE TYPE retention.detaching AS (x int)",
            "DROP TYPE retention.detaching",
        ),
        ("CREATE VIEW retention.run AS SELECT 1 AS x", "DROP VIEW retention.run"),
        (
            "CREATE SEQUENCE retention.erasure_pending",
            "DROP SEQUENCE retention.erasure_pending",
        ),
    ] {
        session
            .batch(&format!("CREATE SCHEMA IF NOT EXISTS retention; {make}"))
            .await
            .unwrap();
        let error = ensure(&session).await.unwrap_err();
        assert!(matches!(error, InitError::Foreign { .. }), "{make}: {error}");
        session.batch(drop).await.unwrap();
    }
    assert_eq!(ensure(&session).await.unwrap(), Ensured::Created);
}

#[tokio::test]
async fn a_failure_half_way_leaves_nothing() {
    let database = Database::empty().await;
    let session = database.session("retention-job").await;
    // Somebody's event trigger refuses our last table.
    session
        .batch(
            "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'detaching') THEN RAISE 'refused'; END IF; END $$; \
             CREATE EVENT TRIGGER refuse ON ddl_command_end EXECUTE FUNCTION public.refuse()",
        )
        .await
        .unwrap();
    let error = ensure(&session).await.unwrap_err();
    assert!(matches!(error, InitError::Db(_)), "{error}");
    let there: bool = session
        .one(&pg_session::Sql::text(
            "SELECT pg_catalog.to_regnamespace('retention') IS NOT NULL",
        ))
        .await
        .unwrap()
        .get(0);
    assert!(!there);
    // The session is not left in a failed transaction.
    session.batch("DROP EVENT TRIGGER refuse").await.unwrap();
    assert_eq!(ensure(&session).await.unwrap(), Ensured::Created);
}
