//! Owns how a session is opened: an address (`DATABASE_URL`), TLS, limits in time, and what is checked before anybody gets
//! the session.
//!
//! **The address** is a URL (`postgres://user:password@host:port/database?sslmode=...`) or words (`host=... user=...`),
//! as libpq's manual describes them. It may name several hosts, which are tried in turn. Read are `host`, `hostaddr`,
//! `port`, `user` (must be there), `password`, `dbname`, `options`, `sslmode`, `sslrootcert` (a file, or `system`),
//! `sslcert`, `sslkey`, `sslnegotiation`, `channel_binding`, `connect_timeout` (in seconds, for everything together;
//! default 10) and `target_session_attrs`; `PGPASSWORD` and `PGSSLROOTCERT` stand in for what it does not say. Anything
//! else is refused by name, apart from a few settings that every session of ours makes itself.
//!
//! **TLS.** `sslmode` has libpq's meaning. Without it, a server on another machine must prove who it is (`verify-full`);
//! a server on this one need not (`prefer`). `prefer` and `require` verify nobody, and are warned of.

mod address;
mod failure;
mod pairs;
mod settings;
mod tls;
mod way;

pub use address::SslMode;
pub use failure::TargetError;
pub use settings::SessionOptions;

use crate::error::{DbError, Kind};
use crate::session::Session;
use address::{Address, Host};
use runtime::{Retry, RetryPolicy};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres_rustls_improved::MakeRustlsConnect;
use way::{Way, share};

/// A database and how to reach it. Cheap to clone.
#[derive(Clone)]
pub struct Target {
    address: Arc<Address>,
    /// One for each host.
    tls: Arc<[Option<MakeRustlsConnect>]>,
    /// Whether it is known already that no pooler shares connections there.
    is_direct: Arc<AtomicBool>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("at", &self.at()).finish_non_exhaustive()
    }
}

impl Target {
    /// Reads an address, and the certificate files that it names. `PGPASSWORD` and `PGSSLROOTCERT` are read too.
    ///
    /// # Errors
    /// It is no such address, or a file cannot be used; it is called `DATABASE_URL` then.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        Self::parse_as("DATABASE_URL", text)
    }

    /// As [`Target::parse`], for an address that users know by another name.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn parse_as(name: &'static str, text: &str) -> Result<Self, TargetError> {
        Self::read(name, text, |variable| std::env::var(variable).ok())
    }

    /// As [`Target::parse`], with the environment given.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn parse_with(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, TargetError> {
        Self::read("DATABASE_URL", text, env)
    }

    fn read(name: &'static str, text: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, TargetError> {
        let address = address::read(text, &env).map_err(|why| TargetError::Address { name, why })?;
        let mut tls: Vec<Option<MakeRustlsConnect>> = Vec::new();
        for (at, host) in address.hosts.iter().enumerate() {
            if !host.is_local() && matches!(host.mode, SslMode::Disable | SslMode::Prefer | SslMode::Require) {
                tracing::warn!(
                    host = host.shown(),
                    sslmode = host.mode.name(),
                    "this sslmode does not verify the server: whoever stands in between can read the password and the data; \
                     use verify-full"
                );
            }
            // The machine's roots are read once, not for every host.
            let same = address.hosts.iter().take(at).position(|other| other.mode == host.mode);
            let connector = match same.and_then(|same| tls.get(same)) {
                Some(connector) => connector.clone(),
                None => tls::connector(host.mode, &address).map_err(|source| TargetError::Files {
                    name,
                    source: Box::new(source),
                })?,
            };
            tls.push(connector);
        }
        Ok(Self {
            address: Arc::new(address),
            tls: tls.into(),
            is_direct: Arc::default(),
        })
    }

    /// Hosts, ports and database, for people: `db.example:5432/app`.
    pub fn at(&self) -> String {
        let hosts: Vec<_> = self.address.hosts.iter().map(Host::shown).collect();
        format!("{}/{}", hosts.join(","), self.address.database)
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.address.user
    }

    /// The TLS mode of each host.
    pub fn modes(&self) -> Vec<SslMode> {
        self.address.hosts.iter().map(|host| host.mode).collect()
    }

    /// Opens a session with safe settings: `search_path = ''`, UTC, `row_security = off`, timeouts, custom plans. Everything
    /// together, all hosts included, takes `connect_timeout` at most (and again for each retry).
    ///
    /// # Errors
    /// The server cannot be reached, does not let us in, or is a pooler that shares connections.
    pub async fn connect(&self, options: &SessionOptions) -> Result<Session, TargetError> {
        let policy = if options.connect_retry.is_zero() {
            RetryPolicy::once()
        } else {
            RetryPolicy {
                max_attempts: u32::MAX,
                base: Duration::from_millis(250),
                cap: Duration::from_secs(5),
                total_deadline: options.connect_retry,
            }
        };
        let may_pass = |error: &TargetError| {
            if error.is_passing() {
                tracing::debug!(error = %runtime::exit::chain_of(error), "no session yet");
                Retry::Backoff
            } else {
                Retry::Never
            }
        };
        let session = runtime::retry::retry(policy, may_pass, || self.connect_once(options)).await;
        session.map_err(|failed| failed.source)
    }

    /// One round over all hosts. Each gets an equal part of the time that is left, so that one that swallows packets does
    /// not use up the others' time.
    async fn connect_once(&self, options: &SessionOptions) -> Result<Session, TargetError> {
        let deadline = Instant::now() + self.address.timeout;
        let mut worst: Option<TargetError> = None;
        let count = self.address.hosts.len();
        for (index, (host, tls)) in self.address.hosts.iter().zip(self.tls.iter()).enumerate() {
            let until = share(deadline, count - index);
            let way = Way {
                address: &self.address,
                host,
                tls: tls.as_ref(),
                at: format!("{}/{}", host.shown(), self.address.database),
            };
            // In a box: the states of a TLS handshake are large, and callers carry them along.
            match Box::pin(way.connect(options, until, &self.is_direct)).await {
                Ok(session) => return Ok(session),
                Err(error) if !error.next_host_may_do() => return Err(error),
                Err(error) => {
                    if count > 1 {
                        tracing::info!(error = %runtime::exit::chain_of(&error), "this host will not do");
                    }
                    if worst.as_ref().is_none_or(|worst| worst.weight() <= error.weight()) {
                        worst = Some(error);
                    }
                }
            }
        }
        Err(worst.unwrap_or_else(|| TargetError::Unreachable {
            at: self.at(),
            source: DbError::new(Kind::Lost, "no host is named"),
        }))
    }
}
