//! Owns whether old versions of rows can be pruned by now: whether every transaction that could still see them has ended.
//!
//! Writers are through in a millisecond, and there is nothing to wait for. Where their disk is busy they take as long as it does,
//! and whoever goes on without them finds pages full: rows move, which writes several times as much WAL, for which the disk
//! is busy. To wait keeps rows in their places and gives the disk to writers. Reports and forgotten transactions are not
//! waited for: not longer than [`PATIENCE`], once each, and not more than a part of the time in all. Nor are standbys, whose
//! feedback (`hot_standby_feedback`) is ten seconds old before the next one comes.

use crate::engine::Engine;
use crate::wire;
use pg_session::{DbError, Kind, Session, Sql};
use std::time::{Duration, Instant};

/// How long one transaction is waited for. An ANALYZE of a large table takes a second or two.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of the time since the sweep began, the part that may be waited in all, besides [`PATIENCE`].
const SHARE: u32 = 4;
/// Between two looks; grows.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What was waited for in one sweep.
#[derive(Debug, Clone)]
pub(crate) struct Horizon {
    begun: Instant,
    waited: Duration,
    /// What was waited for in vain.
    stubborn: Option<String>,
    /// We may not look.
    blind: bool,
}

impl Horizon {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            waited: Duration::ZERO,
            stubborn: None,
            blind: false,
        }
    }

    /// How long may be waited for `holder`, if at all.
    fn patience(&self, holder: &str, now: Instant) -> Duration {
        if self.stubborn.as_deref() == Some(holder) {
            return Duration::ZERO;
        }
        let all = PATIENCE + now.duration_since(self.begun) / SHARE;
        all.saturating_sub(self.waited).min(PATIENCE)
    }
}

impl Engine {
    /// Waits until what was committed so far can be pruned, or that takes too long. Nothing rests on it: where the server
    /// does not answer, the next batch says so.
    pub(crate) async fn until_prunable(&self, horizon: &mut Horizon) {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut mark: Option<String> = None;
        while self.has_time() && !horizon.blind {
            let Look { oldest, now } = match look(&self.work, mark.as_deref()).await {
                Ok(look) => look,
                Err(error) => {
                    horizon.blind = error.kind != Kind::Lost;
                    break;
                }
            };
            let Some(holder) = oldest else {
                horizon.stubborn = None;
                break;
            };
            if begun.elapsed() >= horizon.patience(&holder, begun) {
                horizon.stubborn = Some(holder);
                break;
            }
            mark.get_or_insert(now);
            self.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        horizon.waited += begun.elapsed();
    }
}

struct Look {
    /// A transaction's number; `None`: nobody is as old as the mark.
    oldest: Option<String>,
    now: String,
}

async fn look(session: &Session, mark: Option<&str>) -> Result<Look, DbError> {
    let row = wire::one(session, &oldest(mark)).await?;
    Ok(Look {
        oldest: row.try_get(0)?,
        now: row.try_get(1)?,
    })
}

/// The oldest transaction or snapshot that is older than `mark` (now, where there is none), and now. VACUUM holds nothing back;
/// in other databases only those count that have written.
fn oldest(mark: Option<&str>) -> Sql {
    let now = Sql::text("pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())");
    let mark = match mark {
        Some(mark) => Sql::text("").param(mark, "pg_catalog.xid8"),
        None => now.clone(),
    };
    Sql::text(
        "SELECT (SELECT o.xid::pg_catalog.text FROM pg_catalog.pg_stat_get_activity(NULL) AS a, \
         LATERAL (VALUES (a.backend_xid), (CASE WHEN coalesce(a.datid, 0) IN (0, d.oid) THEN a.backend_xmin END)) AS o (xid) \
         WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type <> 'walsender' \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS v WHERE v.pid = a.pid) \
         AND pg_catalog.age(o.xid) > pg_catalog.age((",
    )
    .append(&mark)
    .raw(")::pg_catalog.xid) ORDER BY pg_catalog.age(o.xid) DESC LIMIT 1), (")
    .append(&now)
    .raw(")::pg_catalog.text FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pg_cluster::{Cluster, Major, Options};
    use pg_session::Target;
    use pg_session::target::SessionOptions;

    async fn until(client: &tokio_postgres::Client, sql: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !client.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(Instant::now() < deadline, "never: {sql}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn writers_are_seen_and_a_standbys_feedback_is_not() {
        // Its own sessions would be seen as well.
        let options = Options::default().set("autovacuum", "off");
        let primary = Cluster::start(Major::any(), &options).unwrap();
        let admin = primary.connect("postgres").await.unwrap();
        admin.batch_execute("CREATE TABLE t (n int)").await.unwrap();
        let feedback = Options::default()
            .set("hot_standby_feedback", "on")
            .set("wal_receiver_status_interval", "1");
        let standby = primary.standby(&feedback).await.unwrap();
        primary.wait_for_standby(&standby).await.unwrap();
        let mut report = standby.connect("postgres").await.unwrap();
        let report = report
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .start()
            .await
            .unwrap();
        report.query("SELECT * FROM t", &[]).await.unwrap();
        admin.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
        admin.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
        until(
            &admin,
            "SELECT coalesce(pg_catalog.max(pg_catalog.age(backend_xmin)), 0) > 1 FROM pg_catalog.pg_stat_replication",
        )
        .await;

        let target = Target::parse(&primary.url("postgres")).unwrap();
        let session = target.connect(&SessionOptions::new("test")).await.unwrap();
        let nobody = look(&session, None).await.unwrap();
        assert_eq!(nobody.oldest, None);

        let writer = primary.connect("postgres").await.unwrap();
        writer.batch_execute("BEGIN; INSERT INTO t VALUES (3)").await.unwrap();
        let number: String = writer
            .query_one("SELECT pg_catalog.pg_current_xact_id()::text", &[])
            .await
            .unwrap()
            .get(0);
        // What was committed before it began, it does not hold back.
        assert_eq!(look(&session, None).await.unwrap().oldest, None);
        admin.batch_execute("INSERT INTO t VALUES (4)").await.unwrap();
        let somebody = look(&session, None).await.unwrap();
        assert_eq!(somebody.oldest, Some(number));
        // Who began behind the mark sees nothing that was replaced before it.
        assert_eq!(look(&session, Some(&nobody.now)).await.unwrap().oldest, None);
        writer.batch_execute("COMMIT").await.unwrap();
        assert_eq!(look(&session, Some(&somebody.now)).await.unwrap().oldest, None);
        report.rollback().await.unwrap();
    }

    #[test]
    fn patience_ends() {
        let begun = Instant::now();
        let mut horizon = Horizon::new(begun);
        assert_eq!(horizon.patience("7", begun), PATIENCE);
        // Nobody is waited for twice in vain.
        horizon.stubborn = Some("7".to_owned());
        assert_eq!(horizon.patience("7", begun), Duration::ZERO);
        assert_eq!(horizon.patience("8", begun), PATIENCE);
        // Ever new ones take a part of the time, and no more.
        horizon.waited = PATIENCE;
        assert_eq!(horizon.patience("8", begun), Duration::ZERO);
        let later = begun + PATIENCE * 2;
        assert_eq!(horizon.patience("8", later), PATIENCE * 2 / SHARE);
        assert_eq!(horizon.patience("8", begun + PATIENCE * 100), PATIENCE);
    }
}
