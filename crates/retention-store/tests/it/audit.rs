//! Audit rows go in and come out as they were; what one run tells the next.

use jiff::Timestamp;
use retention_proof::{AuditLine, AuditSummary, ChainHash, verify_chain};
use retention_store::progress::{self, LastCutoff, Resume};
use retention_store::run::{self, RunState};
use retention_store::{audit, receipt};

use crate::support::{Database, at, begin, row, write};

#[tokio::test]
async fn rows_are_read_back_in_order_and_their_chain_holds() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    assert_eq!(audit::tail(&session, &run.run_id).await.unwrap(), None);
    assert_eq!(
        audit::summary(&session, &run.run_id).await.unwrap(),
        AuditSummary::empty(&run.run_id)
    );
    let chain = write(&session, &run, 1, 12, ChainHash::start(&run.run_id)).await;
    assert_eq!(audit::tail(&session, &run.run_id).await.unwrap(), Some((12, chain[11])));

    let mut out = Vec::new();
    assert_eq!(audit::export(&session, &run.run_id, &mut out).await.unwrap(), 12);
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<AuditLine> = text.lines().map(|line| AuditLine::parse(line).unwrap()).collect();
    let summary = audit::summary(&session, &run.run_id).await.unwrap();
    assert_eq!(
        (summary.rows, summary.first_seq, summary.last_seq),
        (12, Some(1), Some(12))
    );
    // The times had nanoseconds, some before 1970: what comes back still has the link that was computed before.
    verify_chain(&run.run_id, &lines, &summary).unwrap();
    assert_eq!(lines[0].row.rule, row(&run, 1).rule);
    assert_eq!(lines[0].row.cutoff, Some(at("2025-12-31T23:59:59.999999Z")));
    assert_eq!(lines[1].row.cutoff, None);
    assert_eq!(lines[0].row.position, None);

    assert_eq!(audit::page(&session, &run.run_id, 3, 2).await.unwrap(), lines[3..5]);
    assert_eq!(audit::page(&session, "other", 0, 2).await.unwrap(), []);

    let totals = audit::totals(&session, &run.run_id).await.unwrap();
    assert_eq!(totals.len(), 2, "by cutoff");
    assert_eq!(totals.iter().map(|total| total.rows).sum::<u64>(), 780);
    assert_eq!(totals.iter().map(|total| total.cascaded).sum::<u64>(), 78);
    assert_eq!(
        (totals[0].batches, totals[0].strategies.as_slice()),
        (6, ["keyset".to_owned()].as_slice())
    );
}

#[tokio::test]
async fn a_changed_row_in_the_database_is_found() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    write(&session, &run, 1, 5, ChainHash::start(&run.run_id)).await;
    let before = audit::summary(&session, &run.run_id).await.unwrap();
    for (change, seq) in [
        ("UPDATE retention.audit SET rows = rows - 1 WHERE seq = 3", 3),
        (
            "UPDATE retention.audit SET finished_at = finished_at + interval '1 microsecond' WHERE seq = 2",
            2,
        ),
        ("UPDATE retention.audit SET position = '' WHERE seq = 1", 1),
        ("DELETE FROM retention.audit WHERE seq = 4", 4),
        ("DELETE FROM retention.audit WHERE seq = 5", 5),
        ("UPDATE retention.audit SET seq = 9 - seq WHERE seq IN (4, 5)", 4),
    ] {
        session.batch("BEGIN").await.unwrap();
        // Both ends of a swap are there for a moment.
        session
            .batch("ALTER TABLE retention.audit DROP CONSTRAINT audit_pkey")
            .await
            .unwrap();
        session.batch(change).await.unwrap();
        let lines = audit::page(&session, &run.run_id, 0, 100).await.unwrap();
        session.rollback().await.unwrap();
        assert_eq!(
            verify_chain(&run.run_id, &lines, &before).unwrap_err().seq(),
            seq,
            "{change}"
        );
    }
}

#[tokio::test]
async fn many_rows_are_read_page_by_page() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    session
        .batch(&format!(
            "INSERT INTO retention.audit (run_id, seq, rule, table_name, action, rows, cascaded, started_at, finished_at, \
             policy_digest, strategy, link) SELECT '{}', n, 'r', 't', 'delete', 1, 0, now(), now(), 'd', 's', \
             sha256(n::text::bytea) FROM generate_series(1, 2500) AS n",
            run.run_id
        ))
        .await
        .unwrap();
    let mut seen = Vec::new();
    audit::for_each(&session, &run.run_id, |line| {
        seen.push(line.row.seq);
        Ok::<(), pg_session::DbError>(())
    })
    .await
    .unwrap();
    assert_eq!(seen, (1..=2500).collect::<Vec<u64>>());
}

async fn end(session: &pg_session::Session, run: &retention_store::Run, state: RunState) {
    let closing = run::closing(session, run.fence).await.unwrap();
    run::finish(session, &run.run_id, state).await.unwrap();
    let number = closing.last.map_or(1, |last| last.number + 1);
    receipt::append(session, number, &run.run_id, &number.to_string())
        .await
        .unwrap();
    session.batch("COMMIT").await.unwrap();
}

#[tokio::test]
async fn a_sweep_goes_on_where_unfinished_runs_stopped_and_not_after_a_finished_one() {
    let (_database, session) = Database::ready().await;
    let first = begin(&session).await;
    assert_eq!(progress::resume(&session).await.unwrap(), []);
    write(&session, &first, 1, 4, ChainHash::start(&first.run_id)).await;
    end(&session, &first, RunState::Partial).await;
    let expected = |position: &str| Resume {
        rule: row(&first, 1).rule,
        table_name: row(&first, 1).table_name,
        strategy: "keyset".to_owned(),
        position: position.to_owned(),
    };
    // The second does not come to this leaf; the third still knows.
    let second = begin(&session).await;
    assert_eq!(progress::resume(&session).await.unwrap(), [expected("(4,1)")]);
    end(&session, &second, RunState::Partial).await;
    let third = begin(&session).await;
    assert_eq!(progress::resume(&session).await.unwrap(), [expected("(4,1)")]);
    // The newest row says; it has no position: from the beginning.
    write(&session, &third, 1, 1, ChainHash::start(&third.run_id)).await;
    assert_eq!(progress::resume(&session).await.unwrap(), []);
    write(
        &session,
        &third,
        2,
        3,
        row(&third, 1).link(ChainHash::start(&third.run_id)),
    )
    .await;
    assert_eq!(progress::resume(&session).await.unwrap(), [expected("(3,1)")]);
    end(&session, &third, RunState::Complete).await;
    begin(&session).await;
    assert_eq!(progress::resume(&session).await.unwrap(), []);
}

#[tokio::test]
async fn cutoffs_are_remembered() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    let cutoff = |text: &str| LastCutoff {
        rule: "a".to_owned(),
        table_name: "public.t".to_owned(),
        cutoff: at(text),
        as_of: at("2026-01-01T00:00:00Z"),
    };
    assert_eq!(progress::cutoffs(&session).await.unwrap(), []);
    for text in [
        "2025-01-01T00:00:00Z",
        "2025-02-01T00:00:00Z",
        "2024-01-01T00:00:00.000001Z",
    ] {
        progress::set_cutoff(&session, &run.run_id, &cutoff(text))
            .await
            .unwrap();
        assert_eq!(progress::cutoffs(&session).await.unwrap(), [cutoff(text)]);
    }
    let now: Timestamp = retention_store::gate::peek(&session).await.unwrap().now;
    assert!(now >= run.started_at);
}
