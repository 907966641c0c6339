//! Owns whether old versions of rows can be pruned by now: whether every transaction that could still see them has ended.
//!
//! Writers are through in a millisecond, and there is nothing to wait for. Where their disk is busy they take as long as it does,
//! and whoever goes on without them finds pages full: rows move, which writes several times as much WAL, for which the disk
//! is busy. To wait keeps rows in their places and gives the disk to writers.
//!
//! A report or a forgotten transaction is waited for [`PATIENCE`], once, and all of them together for no more than a part of the time.
//! Standbys are not waited for: their feedback (`hot_standby_feedback`) is ten seconds old before the next one comes.

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
mod tests;
