//! Owns the address of a database (`DATABASE_URL`), TLS, and how a session is opened.

use crate::error::DbError;
use crate::session::Session;
use std::time::Duration;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The address cannot be read. Display never shows it: it may hold a password.
    #[error("DATABASE_URL is no PostgreSQL address: {why}")]
    Address {
        /// What is wrong, without the value.
        why: String,
    },
    /// No connection.
    #[error("cannot open a session on {at}")]
    Connect {
        /// Host, port and database, without user and password.
        at: String,
        /// What happened.
        #[source]
        source: DbError,
    },
}

/// A database and how to reach it.
#[derive(Debug, Clone)]
pub struct Target {
    config: tokio_postgres::Config,
}

/// What a session is for; it shows in `application_name`.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// `retention-job`, `retention-job monitor`.
    pub application_name: String,
    /// `lock_timeout`.
    pub lock_timeout: Duration,
    /// `statement_timeout`; zero: none.
    pub statement_timeout: Duration,
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?sslmode=...`.
    ///
    /// # Errors
    /// It is no such address.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| TargetError::Address {
                why: runtime::exit::chain_of(&error),
            })?;
        Ok(Self { config })
    }

    /// Opens a session with safe settings: `search_path = ''`, UTC, `row_security = off`, timeouts, custom plans.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let us in.
    pub async fn connect(&self, options: &SessionOptions) -> Result<Session, TargetError> {
        let failed = |source| TargetError::Connect {
            at: "the database".to_owned(),
            source,
        };
        let (client, connection) = self
            .config
            .connect(tokio_postgres::NoTls)
            .await
            .map_err(|error| failed(error.into()))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %runtime::exit::chain_of(&error), "the connection ended");
            }
        });
        let session = Session { client };
        session
            .batch(&format!(
                "SET search_path = ''; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'iso_8601'; \
                 SET row_security = off; SET plan_cache_mode = force_custom_plan; SET standard_conforming_strings = on; \
                 SET client_min_messages = warning; SET application_name = {}; SET lock_timeout = {}; \
                 SET statement_timeout = {}; SET idle_in_transaction_session_timeout = 60000",
                quote_literal(&options.application_name),
                options.lock_timeout.as_millis(),
                options.statement_timeout.as_millis(),
            ))
            .await
            .map_err(failed)?;
        Ok(session)
    }
}

fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
