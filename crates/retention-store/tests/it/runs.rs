//! One run at a time, fences, what a killed run leaves, the closing transaction.

use std::time::Duration;

use pg_session::Kind;
use retention_proof::ChainHash;
use retention_store::run::{self, NewRun, RunKind, RunState};
use retention_store::{RunError, gate, receipt};

use crate::support::{Database, PATIENCE, at, begin, write};

#[tokio::test]
async fn the_second_run_is_told_who_is_at_work() {
    let (database, session) = Database::ready().await;
    let first = begin(&session).await;
    assert_eq!((first.number, first.fence), (1, 1));
    assert_eq!(first.as_of, at("2026-01-01T00:00:00Z"));
    assert_eq!(first.run_id.len(), 36);

    let other = database.session("other").await;
    let new = NewRun {
        kind: RunKind::Erase,
        as_of: at("2026-01-02T00:00:00Z"),
        policy_digest: "def",
        tool_version: "1",
    };
    let error = run::begin(&other, &new, PATIENCE).await.unwrap_err();
    let RunError::Busy { holder: Some(holder) } = &error else {
        panic!("{error}");
    };
    assert_eq!(holder.application_name, "retention-job");
    assert!(holder.since.is_some());
    assert!(error.to_string().contains("retention-job"), "{error}");
    // Nothing was written, and nothing is open.
    assert_eq!(run::newest(&other, 10).await.unwrap().len(), 1);
    assert_eq!(gate::peek(&other).await.unwrap().fence, 1);

    run::unlock(&session).await.unwrap();
    let second = run::begin(&other, &new, PATIENCE).await.unwrap();
    assert_eq!((second.number, second.fence), (2, 2));
    assert_eq!(
        run::get(&other, &second.run_id).await.unwrap().unwrap().kind,
        RunKind::Erase
    );
    // The first is fenced off wherever it goes on.
    let error = run::check_fence(first.fence, gate::begin(&session).await.unwrap()).unwrap_err();
    assert!(matches!(error, RunError::Fenced { ours: 1, found: 2 }), "{error}");
    session.rollback().await.unwrap();
    assert!(matches!(
        run::closing(&session, first.fence).await,
        Err(RunError::Fenced { .. })
    ));
    assert!(matches!(
        run::unfinished(&session, &first).await,
        Err(RunError::Fenced { .. })
    ));
    assert!(matches!(
        run::rejoin(&session, &first).await,
        Err(RunError::Busy { .. })
    ));
    drop(other);
    let error = loop {
        match run::rejoin(&session, &first).await.unwrap_err() {
            RunError::Busy { .. } => tokio::time::sleep(Duration::from_millis(10)).await,
            error => break error,
        }
    };
    assert!(matches!(error, RunError::Fenced { .. }), "{error}");
    assert_eq!(run::holder(&session).await.unwrap(), None, "the lock was given back");
}

#[tokio::test]
async fn a_run_begins_only_when_the_batches_before_have_ended() {
    let (database, session) = Database::ready().await;
    let batch = database.session("batch").await;
    gate::begin(&batch).await.unwrap();
    let new = NewRun {
        kind: RunKind::Run,
        as_of: at("2026-01-01T00:00:00Z"),
        policy_digest: "abc",
        tool_version: "1",
    };
    let RunError::Db(error) = run::begin(&session, &new, Duration::from_millis(50)).await.unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(error.kind, Kind::Locked);
    assert_eq!(
        run::holder(&batch).await.unwrap(),
        None,
        "the lock of the run was given back"
    );
    assert_eq!(run::newest(&batch, 10).await.unwrap(), []);
    let beginning = tokio::spawn(async move { begin(&session).await });
    database.until_waiting("retention-job").await;
    batch.batch("COMMIT").await.unwrap();
    assert_eq!(beginning.await.unwrap().fence, 1);
}

#[tokio::test]
async fn a_killed_run_is_found_once_its_receipt_is_written() {
    let (database, killed) = Database::ready().await;
    let first = begin(&killed).await;
    write(&killed, &first, 1, 3, ChainHash::start(&first.run_id)).await;
    drop(killed);

    let session = database.session("next").await;
    loop {
        match run::lock(&session).await {
            Ok(()) => break,
            Err(RunError::Busy { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
    let second = begin(&session).await;
    for _ in 0..2 {
        // Until there is a receipt, it is found again: the next may be killed as well.
        let found = run::unfinished(&session, &second).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].run_id, first.run_id);
        assert_eq!(found[0].state, RunState::Interrupted);
        assert_eq!(found[0].finished_at, Some(at("1970-01-01T00:00:00Z")));
    }
    let closing = run::closing(&session, second.fence).await.unwrap();
    assert_eq!(closing.last, None);
    receipt::append(&session, 1, &first.run_id, "{}").await.unwrap();
    session.batch("COMMIT").await.unwrap();
    assert_eq!(run::unfinished(&session, &second).await.unwrap(), []);
    assert_eq!(
        run::get(&session, &second.run_id).await.unwrap().unwrap().state,
        RunState::Running
    );
}

#[tokio::test]
async fn state_and_receipt_come_together_or_not_at_all() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    // Rolled back: nothing.
    run::closing(&session, run.fence).await.unwrap();
    run::finish(&session, &run.run_id, RunState::Complete).await.unwrap();
    receipt::append(&session, 1, &run.run_id, "one").await.unwrap();
    session.rollback().await.unwrap();
    assert_eq!(
        run::get(&session, &run.run_id).await.unwrap().unwrap().state,
        RunState::Running
    );
    assert_eq!(receipt::last(&session).await.unwrap(), None);
    // A number that is not the next one.
    run::closing(&session, run.fence).await.unwrap();
    assert!(receipt::append(&session, 2, &run.run_id, "two").await.is_err());
    session.rollback().await.unwrap();
    // Committed: both.
    run::closing(&session, run.fence).await.unwrap();
    let finished = run::finish(&session, &run.run_id, RunState::Partial).await.unwrap();
    let sha256 = receipt::append(&session, 1, &run.run_id, "one").await.unwrap();
    session.batch("COMMIT").await.unwrap();
    let stored = run::get(&session, &run.run_id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.finished_at), (RunState::Partial, Some(finished)));
    assert_eq!(sha256, retention_proof::sha256_hex(b"one"));
    let last = run::closing(&session, run.fence).await.unwrap().last.unwrap();
    assert_eq!((last.number, last.sha256), (1, sha256));
    // It ends only once.
    assert!(run::finish(&session, &run.run_id, RunState::Complete).await.is_err());
    session.rollback().await.unwrap();
    let kept = receipt::of_run(&session, &run.run_id).await.unwrap().unwrap();
    assert_eq!(
        receipt::page(&session, 0, 10).await.unwrap(),
        std::slice::from_ref(&kept)
    );
    assert_eq!(receipt::page(&session, 1, 10).await.unwrap(), []);
    assert_eq!(kept.envelope, "one");
}

#[tokio::test]
async fn commits_of_batches_do_not_wait_for_the_disk_and_those_that_close_do() {
    let (_database, session) = Database::ready().await;
    let setting = async || -> String {
        session
            .one(&pg_session::Sql::text("SELECT current_setting('synchronous_commit')"))
            .await
            .unwrap()
            .get(0)
    };
    gate::begin(&session).await.unwrap();
    assert_eq!(setting().await, "off");
    session.batch("COMMIT").await.unwrap();
    gate::begin_durable(&session).await.unwrap();
    assert_eq!(setting().await, "on");
    session.batch("COMMIT").await.unwrap();
    gate::exclusive(&session, PATIENCE).await.unwrap();
    assert_eq!(setting().await, "on");
    session.batch("COMMIT").await.unwrap();
}
