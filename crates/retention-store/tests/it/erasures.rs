//! Requests of subjects, the ledger's position, partitions on their way out.

use retention_store::detaching::{self, Detaching};
use retention_store::erasure::{self, LedgerPosition, Source};

use crate::support::{Database, at, begin};

#[tokio::test]
async fn a_request_is_kept_until_it_is_done_and_then_its_subject_is_forgotten() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    let hostile = "x'); DROP TABLE retention.erasure; --";
    let first = erasure::request(&session, "4711", None, Source::Request).await.unwrap();
    assert_eq!(
        erasure::request(&session, "4711", Some("aa"), Source::Table)
            .await
            .unwrap(),
        first,
        "asked twice, erased once"
    );
    let second = erasure::request(&session, hostile, None, Source::Ledger).await.unwrap();
    let pending = erasure::pending(&session, 0, 10).await.unwrap();
    assert_eq!(pending.iter().map(|p| p.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(pending[0].subject_mac.as_deref(), Some("aa"));
    assert_eq!(
        (pending[0].source, pending[1].source),
        (Source::Request, Source::Ledger)
    );
    assert_eq!(pending[1].subject, hostile);
    assert!(!format!("{pending:?}").contains("4711"), "no key in logs");
    assert_eq!(erasure::pending(&session, first, 1).await.unwrap(), pending[1..]);
    assert_eq!(
        erasure::waiting(&session).await.unwrap(),
        (2, Some(pending[0].requested_at))
    );

    assert!(erasure::complete(&session, first, &run.run_id, None).await.unwrap());
    assert!(
        !erasure::complete(&session, first, &run.run_id, Some("bb"))
            .await
            .unwrap()
    );
    assert!(
        erasure::complete(&session, second, &run.run_id, Some("cc"))
            .await
            .unwrap()
    );
    let rows = session
        .query(&pg_session::Sql::text(
            "SELECT subject, subject_mac, run_id, completed_at IS NOT NULL FROM retention.erasure ORDER BY id",
        ))
        .await
        .unwrap();
    for (row, mac) in rows.iter().zip(["aa", "cc"]) {
        assert_eq!(row.get::<_, Option<String>>(0), None);
        assert_eq!(row.get::<_, &str>(1), mac);
        assert_eq!(row.get::<_, &str>(2), run.run_id);
        assert!(row.get::<_, bool>(3));
    }
    // Asked again later: a new request.
    assert!(erasure::request(&session, "4711", None, Source::Table).await.unwrap() > second);
}

#[tokio::test]
async fn the_ledgers_position_is_kept() {
    let (_database, session) = Database::ready().await;
    assert_eq!(erasure::ledger(&session).await.unwrap(), None);
    for seq in [1, 2] {
        let position = LedgerPosition {
            seq,
            link: format!("{seq:064}"),
        };
        erasure::set_ledger(&session, &position).await.unwrap();
        assert_eq!(erasure::ledger(&session).await.unwrap(), Some(position));
    }
}

#[tokio::test]
async fn partitions_on_their_way_out_are_noted_until_they_are_done() {
    let (_database, session) = Database::ready().await;
    let run = begin(&session).await;
    let mut one = Detaching {
        partition_oid: u32::MAX,
        partition_schema: "public".to_owned(),
        partition_name: "log \"2025\"".to_owned(),
        parent_oid: 7,
        rule: "logs".to_owned(),
        drop_it: true,
        upper_bound: at("2025-01-01T00:00:00Z"),
        run_id: run.run_id.clone(),
    };
    detaching::note(&session, &one).await.unwrap();
    one.drop_it = false;
    detaching::note(&session, &one).await.unwrap();
    let two = Detaching {
        partition_oid: 8,
        ..one.clone()
    };
    detaching::note(&session, &two).await.unwrap();
    assert_eq!(detaching::list(&session).await.unwrap(), [one.clone(), two.clone()]);
    detaching::done(&session, one.partition_oid).await.unwrap();
    assert_eq!(detaching::list(&session).await.unwrap(), [two]);
}
