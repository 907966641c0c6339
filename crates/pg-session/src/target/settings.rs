//! Owns the settings of a session, and the proof that it is one: not a pooler's.

use crate::error::{DbError, Kind};
use std::time::Duration;
use tokio_postgres::{Client, SimpleQueryMessage};

/// What a session is for; it shows in `application_name`.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// `retention-job`, `retention-job monitor`.
    pub application_name: String,
    /// `lock_timeout`.
    pub lock_timeout: Duration,
    /// `statement_timeout`; zero: none.
    pub statement_timeout: Duration,
    /// How long to try again while nobody answers or the server is starting up; zero: once.
    pub connect_retry: Duration,
    /// The server must not write bound values to its log (`log_parameter_max_length = 0`): they hold a key. Needs the right
    /// to set it, also when the connection was lost and is opened again.
    pub silent_parameters: bool,
}

impl SessionOptions {
    /// Two seconds for a lock, no limit for a statement, one attempt to connect.
    pub fn new(application_name: impl Into<String>) -> Self {
        Self {
            application_name: application_name.into(),
            lock_timeout: Duration::from_secs(2),
            statement_timeout: Duration::ZERO,
            connect_retry: Duration::ZERO,
            silent_parameters: false,
        }
    }
}

/// A setting of our own: what it holds tells whose session this is.
const MARK: &str = "pg_session.mark";

/// A transaction that nobody goes on with holds locks: the server ends it.
const IDLE_IN_TRANSACTION: Duration = Duration::from_mins(1);

/// What the server says about the session that was set up.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) version: u32,
    pub(super) in_recovery: bool,
    pub(super) read_only: bool,
    /// Both statements reached the same process, and what the first one set was there in the second.
    pub(super) is_one_session: bool,
}

/// Sets a session up. The two messages are apart on purpose: a pooler may give them to two connections. Nothing is
/// prepared: to forget a prepared statement is one more message, at a time of its own.
pub(super) async fn apply(client: &Client, options: &SessionOptions, mark: &str) -> Result<Facts, DbError> {
    let first = row(client, &text(options, mark)).await?;
    let facts = row(
        client,
        &format!(
            "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('{MARK}', true), \
             pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery(), \
             pg_catalog.current_setting('transaction_read_only') = 'on', \
             pg_catalog.current_setting('session_replication_role') <> 'origin'"
        ),
    )
    .await?;
    let [pid, found, version, in_recovery, read_only, is_replica] = facts.as_slice() else {
        return Err(unexpected());
    };
    let version = version
        .as_deref()
        .and_then(|version| version.parse().ok())
        .ok_or_else(unexpected)?;
    let is_true = |value: &Option<String>| value.as_deref() == Some("t");
    if options.silent_parameters {
        client.batch_execute("SET log_parameter_max_length = 0").await?;
    }
    if version >= 170_000 {
        // A limit for whole transactions that somebody set for the role would end long steps half-way, again and again.
        client.batch_execute("SET transaction_timeout = 0").await?;
    }
    if is_true(is_replica) {
        // With `replica`, foreign keys are not looked at: rows would be left without their parents.
        client.batch_execute("SET session_replication_role = origin").await?;
    }
    Ok(Facts {
        version,
        in_recovery: is_true(in_recovery),
        read_only: is_true(read_only),
        is_one_session: first.first() == Some(pid) && found.as_deref() == Some(mark),
    })
}

/// The last row of statements that travel together.
async fn row(client: &Client, text: &str) -> Result<Vec<Option<String>>, DbError> {
    let messages = client.simple_query(text).await?;
    let row = messages.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or_else(unexpected)?;
    Ok((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
}

fn unexpected() -> DbError {
    DbError::new(
        Kind::Other,
        "the server's answer to the first statements is not PostgreSQL's",
    )
}

fn text(options: &SessionOptions, mark: &str) -> String {
    // No parallel workers: beside a count that takes every processor for itself, writers wait (their p99 went from 1.3 to 5.2 ms,
    // and the count gained 5 % of the whole).
    format!(
        "SET search_path = ''; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'iso_8601'; \
         SET bytea_output = hex; SET row_security = off; SET plan_cache_mode = force_custom_plan; SET jit = off; \
         SET max_parallel_workers_per_gather = 0; \
         SET standard_conforming_strings = on; SET client_min_messages = warning; \
         SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off; \
         SET application_name = {}; SET lock_timeout = {}; SET statement_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; SET {MARK} = {}; SELECT pg_catalog.pg_backend_pid()",
        literal(&options.application_name),
        milliseconds(options.lock_timeout),
        milliseconds(options.statement_timeout),
        IDLE_IN_TRANSACTION.as_millis(),
        literal(mark),
    )
}

/// PostgreSQL keeps timeouts in 32 bits.
fn milliseconds(time: Duration) -> i32 {
    // Less than a millisecond is not "no limit".
    let least = i32::from(!time.is_zero());
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(least)
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What two sessions that are open at the same time tell about a pooler, which a single idle one hides: it gives the
/// connection that was used last to whoever asks next.
///
/// `other` was opened after `session` and has no mark. It takes a connection while `session` rests, and gives it back
/// before `session` goes on: whichever of the two orders the pooler keeps, one of them is seen on the other's connection.
pub(super) async fn shares_connections(session: &Client, mark: &str, other: &Client) -> Result<bool, DbError> {
    let find = format!("SELECT pg_catalog.current_setting('{MARK}', true)");
    let is_ours = async |client: &Client| -> Result<bool, DbError> {
        let found = row(client, &find).await?;
        Ok(found.first().is_some_and(|found| found.as_deref() == Some(mark)))
    };
    match other.batch_execute("BEGIN").await.map_err(DbError::from) {
        Ok(()) => {}
        // A pooler by statement refuses it, with a protocol violation.
        Err(error) if error.code.as_deref() == Some("08P01") => return Ok(true),
        Err(error) => return Err(error),
    }
    if is_ours(other).await? || !is_ours(session).await? {
        return Ok(true);
    }
    other.batch_execute("ROLLBACK").await?;
    Ok(!is_ours(session).await? || !is_ours(session).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_fit() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(milliseconds(Duration::from_secs(2)), 2000);
        assert_eq!(milliseconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn names_are_quoted() {
        let text = text(&SessionOptions::new("it's"), "m");
        assert!(text.contains("application_name = 'it''s';"), "{text}");
    }
}
