//! Owns requests of single subjects, and how much of the external ledger this database has carried out.

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `erase --subject`.
    Request,
    /// A mark in the subject's own row.
    Table,
    /// The external ledger: it was erased before, and a backup brought it back.
    Ledger,
}

impl Source {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Table => "table",
            Self::Ledger => "ledger",
        }
    }
}

/// A request that is not done.
#[derive(Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub id: i64,
    /// The subject's key. Not for logs or receipts.
    pub subject: String,
    /// HMAC-SHA-256 of the key, hex.
    pub subject_mac: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// By the database's clock.
    pub requested_at: Timestamp,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending")
            .field("id", &self.id)
            .field("subject", &"[redacted]")
            .field("subject_mac", &self.subject_mac)
            .field("source", &self.source)
            .field("requested_at", &self.requested_at)
            .finish()
    }
}

/// Writes a request down, in the caller's transaction if there is one. A subject whose request is pending keeps that
/// one; its number is given.
///
/// # Errors
/// The database.
pub async fn request(
    session: &Session,
    subject: &str,
    subject_mac: Option<&str>,
    source: Source,
) -> Result<i64, DbError> {
    // The update that changes nothing makes RETURNING give the row that is there.
    let row = session
        .one(
            &Sql::text("INSERT INTO retention.erasure AS e (subject, subject_mac, source) VALUES (")
                .secret(subject, "text")
                .raw(", ")
                .maybe(subject_mac.map(str::to_owned), "text")
                .raw(", ")
                .param(source.as_str(), "text")
                .raw(
                    ") ON CONFLICT (subject) WHERE completed_at IS NULL \
                     DO UPDATE SET subject_mac = coalesce(e.subject_mac, excluded.subject_mac) RETURNING e.id",
                ),
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// At most `limit` requests that are not done, with a number above `after`, in order.
///
/// # Errors
/// The database cannot be asked.
pub async fn pending(session: &Session, after: i64, limit: u32) -> Result<Vec<Pending>, DbError> {
    session
        .query(
            &Sql::text(
                "SELECT e.id, e.subject, e.subject_mac, e.source, e.requested_at FROM retention.erasure AS e \
                 WHERE e.completed_at IS NULL AND e.id > ",
            )
            .param(after.to_string(), "bigint")
            .raw(format!(" ORDER BY e.id LIMIT {limit}")),
        )
        .await?
        .iter()
        .map(|row| {
            Ok(Pending {
                id: row.try_get(0)?,
                subject: row.try_get(1)?,
                subject_mac: row.try_get(2)?,
                source: match row.try_get::<_, &str>(3)? {
                    "table" => Source::Table,
                    "ledger" => Source::Ledger,
                    _ => Source::Request,
                },
                requested_at: row.try_get(4)?,
            })
        })
        .collect()
}

/// How many requests are not done, and when the oldest was made.
///
/// # Errors
/// The database cannot be asked.
pub async fn waiting(session: &Session) -> Result<(u64, Option<Timestamp>), DbError> {
    let row = session
        .one(&Sql::text(
            "SELECT pg_catalog.count(*), pg_catalog.min(e.requested_at) FROM retention.erasure AS e \
             WHERE e.completed_at IS NULL",
        ))
        .await?;
    Ok((crate::unsigned(row.try_get(0)?)?, row.try_get(1)?))
}

/// Marks a request as done and forgets the subject's key, in the caller's transaction. `false`: it was done already.
///
/// # Errors
/// The database.
pub async fn complete(session: &Session, id: i64, run_id: &str, subject_mac: Option<&str>) -> Result<bool, DbError> {
    let done = session
        .execute(
            &Sql::text(
                "UPDATE retention.erasure AS e SET subject = NULL, completed_at = pg_catalog.clock_timestamp(), run_id = ",
            )
            .param(run_id, "text")
            .raw(", subject_mac = coalesce(")
            .maybe(subject_mac.map(str::to_owned), "text")
            .raw(", e.subject_mac) WHERE e.completed_at IS NULL AND e.id = ")
            .param(id.to_string(), "bigint"),
        )
        .await?;
    Ok(done == 1)
}

/// How much of the external ledger this database has carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPosition {
    /// The number of the last entry that was carried out.
    pub seq: u64,
    /// Its link, hex: tells whether the ledger is still the same.
    pub link: String,
}

/// The position; `None`: nothing was carried out yet.
///
/// # Errors
/// The database cannot be asked.
pub async fn ledger(session: &Session) -> Result<Option<LedgerPosition>, DbError> {
    session
        .maybe(&Sql::text("SELECT seq, link FROM retention.ledger WHERE id = 1"))
        .await?
        .map(|row| {
            Ok(LedgerPosition {
                seq: crate::unsigned(row.try_get(0)?)?,
                link: row.try_get(1)?,
            })
        })
        .transpose()
}

/// Sets the position, in the caller's transaction if there is one.
///
/// # Errors
/// The database.
pub async fn set_ledger(session: &Session, position: &LedgerPosition) -> Result<(), DbError> {
    session
        .execute(
            &Sql::text("INSERT INTO retention.ledger (id, seq, link) VALUES (1, ")
                .param(position.seq.to_string(), "bigint")
                .raw(", ")
                .param(position.link.as_str(), "text")
                .raw(") ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, link = excluded.link"),
        )
        .await?;
    Ok(())
}
