//! Owns the lock that a run holds for its session: there is one run at a time.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};

use crate::gate::RUN;
use crate::run::RunError;

/// Who holds the lock of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The server's process.
    pub pid: i32,
    /// What the session calls itself.
    pub application_name: String,
    /// When the session was opened; `None`: this role may not see it.
    pub since: Option<Timestamp>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "server process {} ({:?}", self.pid, self.application_name)?;
        match self.since {
            Some(since) => write!(f, ", connected since {since})"),
            None => write!(f, ")"),
        }
    }
}

/// Takes the lock of the run for this session, without waiting. It is had until the session ends.
///
/// # Errors
/// Another session has it.
pub async fn lock(session: &Session) -> Result<(), RunError> {
    let had: bool = session
        .one(&Sql::text(format!("SELECT pg_catalog.pg_try_advisory_lock({RUN})")))
        .await?
        .try_get(0)
        .map_err(DbError::from)?;
    if had {
        return Ok(());
    }
    Err(RunError::Busy {
        holder: holder(session).await?,
    })
}

/// Gives the lock back before the session ends.
///
/// # Errors
/// The database cannot be asked.
pub async fn unlock(session: &Session) -> Result<(), DbError> {
    session
        .batch(&format!("SELECT pg_catalog.pg_advisory_unlock({RUN})"))
        .await
}

/// Who is at work now.
///
/// # Errors
/// The database cannot be asked.
pub async fn holder(session: &Session) -> Result<Option<Holder>, DbError> {
    // An advisory lock of one bigint is shown as two halves and objsubid 1.
    let row = session
        .maybe(&Sql::text(format!(
            "SELECT l.pid, coalesce(a.application_name, ''), a.backend_start FROM pg_catalog.pg_locks AS l \
             LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = {} AND l.objid = {} \
             AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d \
               WHERE d.datname = pg_catalog.current_database()) LIMIT 1",
            RUN >> 32,
            RUN & 0xffff_ffff
        )))
        .await?;
    row.map(|row| {
        Ok(Holder {
            pid: row.try_get(0)?,
            application_name: row.try_get(1)?,
            since: row.try_get(2)?,
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_shown_with_what_is_known() {
        let mut holder = Holder {
            pid: 7,
            application_name: "retention-job".to_owned(),
            since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        };
        assert_eq!(
            holder.to_string(),
            "server process 7 (\"retention-job\", connected since 2026-01-01T00:00:00Z)"
        );
        holder.since = None;
        assert_eq!(holder.to_string(), "server process 7 (\"retention-job\")");
    }
}
