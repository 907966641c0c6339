//! Owns taking a partition out of its table: where it stands, the note, and `DETACH` in its three forms.

use pg_session::{DbError, Kind, Session, Sql, quote_ident};
use retention_plan::Relation;
use retention_store::detaching::{self, Detaching};
use std::time::Duration;

/// How long CONCURRENTLY and FINALIZE wait for old transactions. Nobody waits behind them meanwhile, except holds.
const OLD_TRANSACTIONS: Duration = Duration::from_secs(10);

/// Where a partition stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) relation: Relation,
    /// `None`: it is a table of its own.
    pub(crate) parent: Option<Parent>,
}

/// The table that it is a partition of.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) quoted: String,
    pub(crate) oid: u32,
    /// A detach was begun and not finished.
    pub(crate) pending: bool,
}

/// How a partition is detached.
pub(crate) struct Way<'a> {
    pub(crate) parent: &'a Parent,
    pub(crate) table: &'a str,
    pub(crate) concurrently: bool,
    pub(crate) lock_timeout: Duration,
}

/// The table by its OID, as it is now.
pub(crate) async fn standing(session: &Session, oid: u32) -> Result<Option<Standing>, DbError> {
    let row = session
        .maybe(
            &Sql::text(
                "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, p.oid, pn.nspname::pg_catalog.text, \
                 p.relname::pg_catalog.text, coalesce(i.inhdetachpending, false) FROM pg_catalog.pg_class AS c \
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid \
                 LEFT JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent \
                 LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace WHERE c.oid = ",
            )
            .param(oid.to_string(), "pg_catalog.oid"),
        )
        .await?;
    row.map(|row| {
        let parent: Option<u32> = row.try_get(2)?;
        let parent = match parent {
            Some(oid) => {
                let (schema, table): (String, String) = (row.try_get(3)?, row.try_get(4)?);
                Some(Parent {
                    quoted: format!("{}.{}", quote_ident(&schema), quote_ident(&table)),
                    oid,
                    pending: row.try_get(5)?,
                })
            }
            None => None,
        };
        Ok(Standing {
            relation: Relation {
                oid,
                schema: row.try_get(0)?,
                name: row.try_get(1)?,
            },
            parent,
        })
    })
    .transpose()
}

/// Notes and detaches. The note is there before the table is out: whoever finds it finishes.
pub(crate) async fn detach(session: &Session, way: &Way<'_>, note: &Detaching) -> Result<(), DbError> {
    let Way { parent, table, .. } = way;
    if !parent.pending && !way.concurrently {
        // A short lock on the parent: writers wait for it at most `lock_timeout`.
        session
            .batch(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {}",
                milliseconds(way.lock_timeout)
            ))
            .await?;
        detaching::note(session, note).await?;
        session
            .batch(&format!("ALTER TABLE {} DETACH PARTITION {table}", parent.quoted))
            .await?;
        return session.batch("COMMIT").await;
    }
    detaching::note(session, note).await?;
    let how = if parent.pending { "FINALIZE" } else { "CONCURRENTLY" };
    let before: String = session
        .one(&Sql::text("SELECT pg_catalog.current_setting('lock_timeout')"))
        .await?
        .try_get(0)?;
    session
        .batch(&format!("SET lock_timeout = {}", milliseconds(OLD_TRANSACTIONS)))
        .await?;
    let detached = session
        .batch(&format!("ALTER TABLE {} DETACH PARTITION {table} {how}", parent.quoted))
        .await;
    if !detached.as_ref().is_err_and(|error| error.kind == Kind::Lost) {
        session.batch(&format!("SET lock_timeout = '{before}'")).await?;
    }
    detached
}

/// As settings take it; 0 would mean: wait for ever.
pub(crate) fn milliseconds(time: Duration) -> u128 {
    time.as_millis().clamp(1, 1 << 30)
}
