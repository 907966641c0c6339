//! Owns one connection and the calls on it.

mod progress;
mod statements;

use crate::error::{DbError, Kind};
use crate::sql::Sql;
use progress::{Effect, Progress};
use statements::Statements;
use std::fmt;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, NoTls, Row, Statement};
use tokio_postgres_rustls_improved::MakeRustlsConnect;

/// A request to cancel is one packet; who does not take it in this time will not.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// One connection whose settings are ours (see [`crate::target::Target::connect`]). Dropping it closes it.
///
/// Calls may run at the same time on one session: what they send is pipelined, in the order in which they send it. A
/// statement that is not prepared yet is prepared first and so comes later; see [`Session::prepare`].
pub struct Session {
    /// For what the methods do not cover.
    pub client: Client,
    tls: Option<MakeRustlsConnect>,
    version: u32,
    statements: Statements,
    progress: Progress,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.version)
            .field("alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(client: Client, tls: Option<MakeRustlsConnect>, version: u32) -> Self {
        Self {
            client,
            tls,
            version,
            statements: Statements::default(),
            progress: Progress::default(),
        }
    }

    /// The server's version: `140012` is 14.12, `180000` is 18.0.
    pub fn server_version_num(&self) -> u32 {
        self.version
    }

    /// Whether the connection still stood when something was last sent or heard.
    pub fn is_alive(&self) -> bool {
        !self.client.is_closed()
    }

    /// Runs fixed statements of ours, several separated by `;`. They travel together.
    ///
    /// # Errors
    /// What the server said; or a call was abandoned half-way in a transaction, and [`Session::rollback`] comes first.
    pub async fn batch(&self, text: &str) -> Result<(), DbError> {
        refuse_nul(text, &[])?;
        let call = self.progress.enter(Effect::of_batch(text))?;
        let result = self.client.batch_execute(text).await;
        call.ended(result.is_ok());
        Ok(result?)
    }

    /// Runs a statement; gives the number of rows it touched. Statements are prepared once and kept.
    ///
    /// # Errors
    /// As [`Session::batch`].
    pub async fn execute(&self, sql: &Sql) -> Result<u64, DbError> {
        let (text, params) = sql.render();
        refuse_nul(&text, &params)?;
        let call = self.progress.enter(Effect::of_statement(&text))?;
        let params = by_ref(&params);
        let mut result = match self.statement(&text).await {
            Ok(statement) => self.client.execute(&statement, &params).await,
            Err(error) => Err(error),
        };
        if self.is_stale(&text, result.as_ref().err()) {
            result = self.client.execute(&text, &params).await;
        }
        call.ended(result.is_ok());
        Ok(result?)
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`Session::batch`].
    pub async fn query(&self, sql: &Sql) -> Result<Vec<Row>, DbError> {
        let (text, params) = sql.render();
        refuse_nul(&text, &params)?;
        let call = self.progress.enter(Effect::of_statement(&text))?;
        let params = by_ref(&params);
        let mut result = match self.statement(&text).await {
            Ok(statement) => self.client.query(&statement, &params).await,
            Err(error) => Err(error),
        };
        if self.is_stale(&text, result.as_ref().err()) {
            result = self.client.query(&text, &params).await;
        }
        call.ended(result.is_ok());
        Ok(result?)
    }

    /// The only row.
    ///
    /// # Errors
    /// As [`Session::batch`]; there is no row, or more than one.
    pub async fn one(&self, sql: &Sql) -> Result<Row, DbError> {
        let row = self.maybe(sql).await?;
        row.ok_or_else(|| DbError::new(Kind::Other, "expected one row, found none"))
    }

    /// The only row, if there is one.
    ///
    /// # Errors
    /// As [`Session::batch`]; there is more than one row.
    pub async fn maybe(&self, sql: &Sql) -> Result<Option<Row>, DbError> {
        let mut rows = self.query(sql).await?;
        let row = rows.pop();
        if rows.is_empty() {
            Ok(row)
        } else {
            let found = rows.len() + 1;
            Err(DbError::new(Kind::Other, format!("expected one row, found {found}")))
        }
    }

    /// Prepares a statement now, so that a later call with the same text sends it at once: calls that are awaited
    /// together then reach the server in the order in which they are polled first.
    ///
    /// # Errors
    /// As [`Session::batch`].
    pub async fn prepare(&self, sql: &Sql) -> Result<(), DbError> {
        let (text, params) = sql.render();
        refuse_nul(&text, &params)?;
        let call = self.progress.enter(Effect::None)?;
        let result = self.statement(&text).await;
        call.ended(result.is_ok());
        result?;
        Ok(())
    }

    /// Ends whatever transaction is open. Safe to call always: after an error, after a call that was dropped half-way in
    /// it (it waits for that statement; [`Session::cancel`] shortens it), and when there is no transaction: then nothing is
    /// sent, which the server would answer with a warning in its log.
    ///
    /// # Errors
    /// The connection is gone, and with it the transaction.
    pub async fn rollback(&self) -> Result<(), DbError> {
        if self.is_alive() && !self.progress.may_be_open() {
            return Ok(());
        }
        self.client.batch_execute("ROLLBACK").await?;
        self.progress.rolled_back();
        Ok(())
    }

    /// Asks the server to cancel the statement that is running on this session, if any. The answer to that statement
    /// tells whether it came in time ([`Kind::Cancelled`]).
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn cancel(&self) -> Result<(), DbError> {
        self.canceller().cancel().await
    }

    /// [`Session::cancel`] for another task.
    pub fn canceller(&self) -> Canceller {
        Canceller {
            token: self.client.cancel_token(),
            tls: self.tls.clone(),
        }
    }

    /// tokio-postgres' own token. It needs the TLS of this session to be used; [`Session::canceller`] has it.
    pub fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// The prepared statement.
    async fn statement(&self, text: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(text) {
            return Ok(statement);
        }
        let statement = self.client.prepare(text).await?;
        self.statements.put(text, statement.clone());
        Ok(statement)
    }

    /// Whether the statement failed only because the table was changed, or the statement discarded, since it was
    /// prepared. Nothing was done then; it is forgotten, and outside a transaction it can be run anew.
    fn is_stale(&self, text: &str, error: Option<&tokio_postgres::Error>) -> bool {
        let code = error.and_then(tokio_postgres::Error::code).map(SqlState::code);
        if !matches!(code, Some("0A000" | "26000")) {
            return false;
        }
        self.statements.forget(text) && !self.progress.is_open()
    }
}

/// Cancels what runs on a session, from elsewhere.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}

impl Canceller {
    /// See [`Session::cancel`].
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn cancel(&self) -> Result<(), DbError> {
        let sent = async {
            match &self.tls {
                None => self.token.cancel_query(NoTls).await,
                Some(tls) => self.token.cancel_query(tls.clone()).await,
            }
        };
        match tokio::time::timeout(CANCEL_LIMIT, sent).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(DbError::new(
                Kind::Lost,
                "the server did not take the request to cancel in time",
            )),
        }
    }
}

fn by_ref<'a>(params: &'a [Option<&'a str>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

/// PostgreSQL's text has no NUL; said before anything is sent, and without the value.
fn refuse_nul(text: &str, params: &[Option<&str>]) -> Result<(), DbError> {
    let has_nul = |text: &str| text.contains('\0');
    let what = if has_nul(text) {
        "a name in the statement".to_owned()
    } else if let Some(at) = params.iter().position(|param| param.is_some_and(has_nul)) {
        format!("parameter ${}", at + 1)
    } else {
        return Ok(());
    };
    Err(DbError::new(
        Kind::Value,
        format!("{what} holds a NUL character, which PostgreSQL cannot store"),
    ))
}
