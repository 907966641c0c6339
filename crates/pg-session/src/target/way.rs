//! Owns the way to one host: its addresses, the time they get, and what is checked before anybody gets a session.

use super::SslMode;
use super::address::{Address, Host, Place, Role};
use super::failure::{self, TargetError};
use super::settings::{self, SessionOptions};
use crate::error::{DbError, Kind};
use crate::session::Session;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_postgres::{Client, Config, Connection, NoTls};
use tokio_postgres_rustls_improved::MakeRustlsConnect;

/// The oldest release that works: TID range scans came with it.
const OLDEST: u32 = 140_000;

/// A dead network is noticed after about half a minute: 10 s of silence, then four probes 5 s apart; and what was sent
/// is acknowledged in 30 s or never.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 4;
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// The end of the first of `parts` equal parts of the time until `deadline`.
pub(super) fn share(deadline: Instant, parts: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
    now + deadline.saturating_duration_since(now) / parts
}

/// The way to one host.
pub(super) struct Way<'a> {
    pub(super) address: &'a Address,
    pub(super) host: &'a Host,
    pub(super) tls: Option<&'a MakeRustlsConnect>,
    /// For messages.
    pub(super) at: String,
}

impl Way<'_> {
    /// Opens a session. Every address of the host gets an equal part of the time that is left.
    pub(super) async fn connect(
        &self,
        options: &SessionOptions,
        until: Instant,
        is_direct: &AtomicBool,
    ) -> Result<Session, TargetError> {
        let ips = match &self.host.place {
            Place::Socket(_) => vec![None],
            Place::Tcp { ip: Some(ip), .. } => vec![Some(*ip)],
            Place::Tcp { name, ip: None } => self.in_time(until, self.resolve(name)).await?,
        };
        let mut last = None;
        let count = ips.len();
        for (index, ip) in ips.into_iter().enumerate() {
            let until = share(until, count - index);
            match self.in_time(until, self.open(ip, options, is_direct)).await {
                Err(error @ TargetError::Unreachable { .. }) => last = Some(error),
                result => return result,
            }
        }
        Err(last.unwrap_or_else(|| self.unreachable("the name has no address")))
    }

    async fn resolve(&self, name: &str) -> Result<Vec<Option<IpAddr>>, TargetError> {
        let found = tokio::net::lookup_host((name, self.host.port)).await;
        let mut ips: Vec<_> = found
            .map_err(|error| self.unreachable(format!("the name cannot be resolved ({error})")))?
            .map(|address| Some(address.ip()))
            .collect();
        ips.dedup();
        Ok(ips)
    }

    async fn in_time<T>(
        &self,
        until: Instant,
        work: impl Future<Output = Result<T, TargetError>>,
    ) -> Result<T, TargetError> {
        tokio::time::timeout_at(until, work)
            .await
            .unwrap_or_else(|_| Err(self.unreachable("no answer in time (connect_timeout)")))
    }

    fn unreachable(&self, why: impl Into<String>) -> TargetError {
        TargetError::Unreachable {
            at: self.at.clone(),
            source: DbError::new(Kind::Lost, why),
        }
    }

    fn place(&self) -> failure::Place<'_> {
        failure::Place {
            at: &self.at,
            user: &self.address.user,
            password: self.address.password.is_some(),
        }
    }

    async fn open(
        &self,
        ip: Option<IpAddr>,
        options: &SessionOptions,
        is_direct: &AtomicBool,
    ) -> Result<Session, TargetError> {
        let client = self.client(ip, options).await?;
        let mark = mark();
        let facts = settings::apply(&client, options, &mark)
            .await
            .map_err(|source| self.said(source))?;
        if !facts.is_one_session {
            return Err(self.pooler("two statements of one session reached two connections"));
        }
        if facts.version < OLDEST {
            return Err(TargetError::TooOld {
                at: self.at.clone(),
                found: facts.version,
            });
        }
        self.check_role(&facts)?;
        let session = Session::new(client, self.tls.cloned(), facts.version);
        if !is_direct.load(Ordering::Relaxed) {
            self.check_direct(&session, &mark, ip, options).await?;
            is_direct.store(true, Ordering::Relaxed);
        }
        Ok(session)
    }

    fn check_role(&self, facts: &settings::Facts) -> Result<(), TargetError> {
        let wanted = self.address.role;
        let found = match wanted {
            Role::ReadWrite | Role::Primary if facts.in_recovery => "it is a standby",
            Role::ReadWrite if facts.read_only => "it is read-only",
            Role::ReadOnly if !facts.read_only => "it can be written to",
            Role::Standby if !facts.in_recovery => "it is a primary",
            _ => return Ok(()),
        };
        Err(TargetError::WrongRole {
            at: self.at.clone(),
            wanted: wanted.name(),
            found,
        })
    }

    /// A second session, for as long as this takes.
    async fn check_direct(
        &self,
        session: &Session,
        mark: &str,
        ip: Option<IpAddr>,
        options: &SessionOptions,
    ) -> Result<(), TargetError> {
        let other = match self.client(ip, options).await {
            Ok(other) => other,
            Err(TargetError::Other { source, .. }) if source.code.as_deref() == Some("53300") => {
                tracing::warn!(
                    at = self.at,
                    "no second connection is free: whether this is a pooler was not checked"
                );
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match settings::shares_connections(&session.client, mark, &other).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(self.pooler("settings of one session were seen in another, or were lost")),
            Err(source) => Err(self.said(source)),
        }
    }

    /// What the server said to the first statements of a session.
    fn said(&self, source: DbError) -> TargetError {
        match source.code.as_deref() {
            // It was prepared a moment ago, or never by us.
            Some("26000" | "42P05") => self.pooler("a prepared statement was lost"),
            _ => failure::said(self.place(), source),
        }
    }

    fn pooler(&self, why: &'static str) -> TargetError {
        TargetError::Pooler {
            at: self.at.clone(),
            why,
        }
    }

    /// A connection, without any settings yet.
    async fn client(&self, ip: Option<IpAddr>, options: &SessionOptions) -> Result<Client, TargetError> {
        let config = self.config(ip, options);
        let client = match self.tls {
            None => config.connect(NoTls).await.map(drive),
            Some(tls) => config.connect(tls.clone()).await.map(drive),
        };
        client.map_err(|error| failure::of(self.place(), error))
    }

    fn config(&self, ip: Option<IpAddr>, options: &SessionOptions) -> Config {
        let mut config = Config::new();
        config
            .user(&self.address.user)
            .dbname(&self.address.database)
            .port(self.host.port)
            .application_name(&options.application_name)
            .channel_binding(self.address.channel_binding)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_PROBES)
            .tcp_user_timeout(UNACKNOWLEDGED)
            // For requests to cancel, which nobody else limits in time.
            .connect_timeout(self.address.timeout)
            .ssl_mode(match self.host.mode {
                SslMode::Disable => tokio_postgres::config::SslMode::Disable,
                SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
                SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
            });
        if self.host.mode > SslMode::Prefer {
            config.ssl_negotiation(self.address.negotiation);
        }
        if let Some(password) = &self.address.password {
            config.password(password.expose());
        }
        if let Some(options) = &self.address.options {
            config.options(options);
        }
        match &self.host.place {
            Place::Socket(directory) => config.host_path(directory),
            Place::Tcp { name, .. } => config.host(name),
        };
        if let Some(ip) = ip {
            config.hostaddr(ip);
        }
        config
    }
}

/// Lets the connection work in the background, until its client is dropped.
fn drive<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %DbError::from(error), "the connection ended");
        }
    });
    client
}

/// Different for every session.
fn mark() -> String {
    format!("{:016x}", fastrand::u64(..))
}
