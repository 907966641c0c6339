//! Owns the watching session: looks about once a second at what [`crate::throttle`] decides by.

use crate::options::Throttle;
use crate::throttle::{Patience, Pause, Room, Seen, decide};
use crate::wire;
use pg_session::target::SessionOptions;
use pg_session::{DbError, Session, Sql, Target};
use retention_plan::Task;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks while something is waited for.
const PAUSE: Duration = Duration::from_millis(250);
/// Part of a batch's time that is left free after it while VACUUM is at work.
const GENTLE: f64 = 0.25;

/// What is looked at.
#[derive(Debug, Clone, Default)]
struct Subject {
    /// The working session's process.
    pid: i32,
    /// The tables at work.
    tables: Vec<u32>,
}

/// Who waits for us.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waits {
    pub(crate) sessions: u32,
    pub(crate) longest: Duration,
}

/// A session of its own that looks, and what it saw last.
#[derive(Debug)]
pub(crate) struct Watcher {
    seen: watch::Receiver<Seen>,
    subject: watch::Sender<Subject>,
    throttle: Throttle,
    task: JoinHandle<()>,
    gentle: bool,
    patience: Patience,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watcher {
    /// Starts to look. A server that allows no second session is not watched; the work goes on.
    pub(crate) fn start(target: &Target, options: &SessionOptions, throttle: &Throttle) -> Self {
        let (seen_to, seen) = watch::channel(Seen::default());
        let (subject, subject_of) = watch::channel(Subject::default());
        let options = SessionOptions {
            application_name: format!("{} monitor", options.application_name),
            lock_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(5),
            ..options.clone()
        };
        Self {
            seen,
            subject,
            throttle: throttle.clone(),
            task: tokio::spawn(look_for_ever(target.clone(), options, subject_of, seen_to)),
            gentle: false,
            patience: Patience::default(),
        }
    }

    /// The work is on these tables from now on.
    pub(crate) fn look_at(&self, task: &Task) {
        self.subject.send_modify(|subject| {
            subject.tables = task.leaves.iter().map(|leaf| leaf.relation.oid).collect();
        });
    }

    /// The working session's process, which others may wait for.
    pub(crate) fn work_is(&self, pid: i32) {
        self.subject.send_modify(|subject| subject.pid = pid);
    }

    /// Whether nothing stands against a batch.
    pub(crate) fn sees_nothing(&self) -> bool {
        decide(&self.seen.borrow(), &self.throttle) == Room::Go
    }

    /// Whether to wait before the next batch, how long, and why; `last` is what the last batch took.
    pub(crate) fn pause(&mut self, last: Duration) -> Pause {
        let room = decide(&self.seen.borrow(), &self.throttle);
        match room {
            Room::Go => {
                self.patience.restore();
                Pause::None
            }
            Room::Wait(why) => self.patience.wait(PAUSE, why, &self.throttle),
            Room::Gentle(why) => {
                self.patience.restore();
                // Asked again after the pause: this time the batch may begin.
                self.gentle = !self.gentle;
                if self.gentle {
                    Pause::For(last.mul_f64(GENTLE), why)
                } else {
                    Pause::None
                }
            }
        }
    }

    /// Who waited for us when we last looked, and the longest wait that was seen.
    pub(crate) fn waits(&self) -> Waits {
        let seen = self.seen.borrow();
        Waits {
            sessions: seen.waiting,
            longest: seen.longest_wait,
        }
    }
}

async fn look_for_ever(
    target: Target,
    options: SessionOptions,
    subject: watch::Receiver<Subject>,
    seen: watch::Sender<Seen>,
) {
    let mut session = None;
    let mut longest = Duration::ZERO;
    loop {
        if session.is_none() {
            session = target.connect(&options).await.ok();
        }
        let mut pause = EVERY;
        if let Some(known) = &session {
            let subject = subject.borrow().clone();
            match look(known, &subject).await {
                Ok(mut now) => {
                    longest = longest.max(now.longest_wait);
                    now.longest_wait = longest;
                    if now.lag_bytes > 0 || now.vacuum {
                        pause = PAUSE;
                    }
                    seen.send_replace(now);
                }
                Err(error) => {
                    tracing::debug!(%error, "the watching session saw nothing");
                    session = None;
                    seen.send_replace(Seen {
                        longest_wait: longest,
                        ..Seen::default()
                    });
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

async fn look(session: &Session, subject: &Subject) -> Result<Seen, DbError> {
    let tables = subject.tables.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let sql = Sql::text(
        "SELECT coalesce((SELECT extract(epoch FROM pg_catalog.max(r.replay_lag)) FROM pg_catalog.pg_stat_replication AS r), 0)\
         ::pg_catalog.float8, \
         coalesce((SELECT pg_catalog.max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn)) \
         FROM pg_catalog.pg_stat_replication AS r), 0)::pg_catalog.float8, \
         (SELECT s.slot_name::pg_catalog.text FROM pg_catalog.pg_replication_slots AS s WHERE s.wal_status = 'unreserved' LIMIT 1), \
         EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS v WHERE v.relid = ANY (('{",
    )
    .raw(tables)
    .raw(
        "}')::pg_catalog.oid[])), \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.state = 'active' \
         AND a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid() AND a.pid <> ",
    )
    .param(subject.pid.to_string(), "pg_catalog.int4")
    .raw(
        "), pg_catalog.count(w.pid), \
         coalesce(extract(epoch FROM pg_catalog.max(pg_catalog.clock_timestamp() - w.waitstart)), 0)::pg_catalog.float8 \
         FROM (SELECT l.pid, l.waitstart FROM pg_catalog.pg_locks AS l WHERE NOT l.granted AND ",
    )
    .param(subject.pid.to_string(), "pg_catalog.int4")
    .raw(" = ANY (pg_catalog.pg_blocking_pids(l.pid))) AS w");
    let row = wire::one(session, &sql).await?;
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let count = |at: usize| -> Result<u32, DbError> { Ok(u32::try_from(row.try_get::<_, i64>(at)?).unwrap_or(0)) };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes; casts saturate"
    )]
    Ok(Seen {
        lag: duration(row.try_get(0)?),
        lag_bytes: row.try_get::<_, f64>(1)? as u64,
        slot_in_danger: row.try_get(2)?,
        vacuum: row.try_get(3)?,
        active: count(4)?,
        waiting: count(5)?,
        longest_wait: duration(row.try_get(6)?),
    })
}
