//! Owns why there is no session, sorted by what users can do about it.

use super::tls;
use crate::error::{DbError, Kind};
use runtime::HttpConfigError;
use std::error::Error as _;

/// Why there is no session. `at` is host, port and database. No variant holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The address cannot be read. Display never shows it: it may hold a password.
    #[error("{name} is no PostgreSQL address: {why}")]
    Address {
        /// What users call it: `DATABASE_URL`.
        name: &'static str,
        /// What is wrong, without the value.
        why: String,
    },
    /// A certificate or key that the address names cannot be used.
    #[error("the TLS files of {name} cannot be used")]
    Files {
        /// What users call the address.
        name: &'static str,
        /// Which file, and why not.
        #[source]
        source: Box<HttpConfigError>,
    },
    /// Nobody answers there, or the connection broke before there was a session.
    #[error("cannot reach PostgreSQL at {at}")]
    Unreachable {
        /// Where.
        at: String,
        /// What happened.
        #[source]
        source: DbError,
    },
    /// The server does not let this user in: wrong password, no such user, no line for it in `pg_hba.conf`.
    #[error("{at} does not let the user {user:?} in")]
    WrongLogin {
        /// Where.
        at: String,
        /// The user.
        user: String,
        /// What the server said.
        #[source]
        source: DbError,
    },
    /// There is no such database.
    #[error("there is no such database at {at}")]
    NoDatabase {
        /// Where.
        at: String,
        /// What the server said.
        #[source]
        source: DbError,
    },
    /// The server takes nobody without TLS, and the address says not to use it.
    #[error("{at} wants TLS; use sslmode=verify-full")]
    TlsRequired {
        /// Where.
        at: String,
        /// What the server said.
        #[source]
        source: DbError,
    },
    /// There is no TLS that is as safe as the address asks for.
    #[error("no safe TLS with {at}: {why}")]
    Tls {
        /// Where.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// The server is starting up, shutting down or recovering.
    #[error("{at} is not ready")]
    NotReady {
        /// Where.
        at: String,
        /// What the server said.
        #[source]
        source: DbError,
    },
    /// The server is there, and is no `target_session_attrs`.
    #[error("{at} is not what target_session_attrs={wanted} asks for: {found}")]
    WrongRole {
        /// Where.
        at: String,
        /// The setting.
        wanted: &'static str,
        /// What the server is instead.
        found: &'static str,
    },
    /// PostgreSQL itself no longer cares for it, and statements of ours need newer ones.
    #[error("{at} is PostgreSQL {}; 14 or newer is needed", .found / 10_000)]
    TooOld {
        /// Where.
        at: String,
        /// `server_version_num`: 130018.
        found: u32,
    },
    /// A pooler hands statements of one session to several connections. Locks and settings of a session mean nothing there.
    #[error(
        "{at} is a pooler that shares connections between sessions (pgbouncer with pool_mode=transaction or statement): \
         {why}; connect directly to PostgreSQL, or to a pool with pool_mode=session"
    )]
    Pooler {
        /// Where.
        at: String,
        /// How it was noticed.
        why: &'static str,
    },
    /// Anything else that the server said.
    #[error("cannot open a session on {at}")]
    Other {
        /// Where.
        at: String,
        /// What the server said.
        #[source]
        source: DbError,
    },
}

impl TargetError {
    /// Whether somebody must change the configuration (exit code 2); otherwise the database, or the way to it, has
    /// failed (exit code 4).
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Address { .. }
            | Self::Files { .. }
            | Self::WrongLogin { .. }
            | Self::NoDatabase { .. }
            | Self::TlsRequired { .. }
            | Self::Tls { .. }
            | Self::WrongRole { .. }
            | Self::TooOld { .. }
            | Self::Pooler { .. } => true,
            Self::Other { source, .. } => source.kind == Kind::Privilege,
            Self::Unreachable { .. } | Self::NotReady { .. } => false,
        }
    }

    /// Whether it may go away by itself soon.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotReady { .. })
    }

    /// Whether another host of the address may do better. A server that refuses the login ends it, as in libpq: trying a
    /// wrong password everywhere locks accounts.
    pub(super) fn next_host_may_do(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::NotReady { .. } | Self::Tls { .. } | Self::WrongRole { .. }
        )
    }

    /// The more telling one is reported when every host fails.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::Unreachable { .. } => 0,
            Self::NotReady { .. } => 1,
            Self::WrongRole { .. } => 2,
            _ => 3,
        }
    }
}

/// Where, who and how: for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) at: &'a str,
    pub(super) user: &'a str,
    /// Whether a password was given.
    pub(super) password: bool,
}

/// Sorts what tokio-postgres said while connecting. It has no public kinds; where it carries no typed cause its texts
/// are compared, which tests against real servers watch over.
pub(super) fn of(place: Place<'_>, error: tokio_postgres::Error) -> TargetError {
    let at = place.at.to_owned();
    let user = place.user.to_owned();
    if let Some(refused) = rustls_error(&error) {
        return TargetError::Tls {
            at,
            why: tls::advice(refused),
        };
    }
    if error.as_db_error().is_some() {
        return said(place, error.into());
    }
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let text = error.to_string();
    if text == "error performing TLS handshake" {
        let why = if cause == "server does not support TLS" {
            "the server has none; sslmode asks for it".to_owned()
        } else {
            cause
        };
        return TargetError::Tls { at, why };
    }
    if text == "authentication error" && cause == "server did not use channel binding" {
        let why = "channel_binding=require, and the server cannot bind the login to the connection".to_owned();
        return TargetError::Tls { at, why };
    }
    if text == "invalid configuration" && cause == "password missing" && !place.password {
        let source = DbError::new(
            Kind::Login,
            "it asks for a password, and neither the address nor PGPASSWORD has one",
        );
        return TargetError::WrongLogin { at, user, source };
    }
    let broken = error.is_closed()
        || text == "error connecting to server"
        || error
            .source()
            .is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    let source = error.into();
    if broken {
        TargetError::Unreachable { at, source }
    } else {
        TargetError::Other { at, source }
    }
}

/// Sorts what the server said, while connecting or in the first statements.
pub(super) fn said(place: Place<'_>, source: DbError) -> TargetError {
    let at = place.at.to_owned();
    match (source.kind, source.code.as_deref().unwrap_or_default()) {
        (_, "3D000") => TargetError::NoDatabase { at, source },
        // The only sign is the text, which is the same in every language of ours: servers speak the one of their own
        // lc_messages. Elsewhere it is a wrong login, with the server's own words.
        (Kind::Login, "28000") if source.to_string().contains("no encryption") => {
            TargetError::TlsRequired { at, source }
        }
        (Kind::Login | Kind::Privilege, _) => TargetError::WrongLogin {
            at,
            user: place.user.to_owned(),
            source,
        },
        (_, "57P01" | "57P02" | "57P03") => TargetError::NotReady { at, source },
        (Kind::Lost, _) => TargetError::Unreachable { at, source },
        _ => TargetError::Other { at, source },
    }
}

/// The TLS library's own error, where there is one.
fn rustls_error(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error's source is the source of what it carries, not what it carries.
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(found) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
