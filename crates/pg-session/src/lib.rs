//! A PostgreSQL session that is set up safely, SQL that is put together safely, and errors by what can be done about
//! them.
//!
//! | module | owns |
//! |---|---|
//! | [`sql`] | [`Sql`]: fragments with bound parameters that can be put together in any order; quoting of names |
//! | [`error`] | [`DbError`]: what PostgreSQL said, sorted by what the caller can do |
//! | [`target`] | [`Target`]: an address (`DATABASE_URL`), TLS, and how a session is opened |
//! | [`session`] | [`Session`]: one connection, its settings, and the calls on it |

pub mod error;
pub mod session;
pub mod sql;
pub mod target;

pub use error::{DbError, Kind};
pub use session::{Canceller, Session};
pub use sql::{Sql, array_literal, quote_ident};
pub use target::{SessionOptions, SslMode, Target, TargetError};
