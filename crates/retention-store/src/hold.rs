//! Owns holds: what must not be touched, whatever a rule says.
//!
//! A hold is kept by names, not by OIDs, so that it is still there after a dump was restored; a name that has ceased to
//! exist is told ([`Structure::dangling`]) instead of protecting nothing.
//!
//! That running batches hear of a change is the business of a trigger in the layout: rows of `retention.hold` are also
//! written by hand, and by other programs.

mod form;

use std::time::Duration;

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};
use tokio_postgres::Row;

use crate::gate::{self, commit, undo};

use form::as_printed;
pub use form::{Misprinted, misprinted};

/// A column of a table, by names as the catalog has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct HeldColumn {
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Column.
    pub column: String,
}

impl std::fmt::Display for HeldColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.schema, self.table, self.column)
    }
}

/// A hold. A held row is neither changed nor deleted, nor is a row that refers to a held row, nor one whose deletion would
/// take a held row along.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// Rows whose column has the value; `None`: every row of the subject `value`.
    pub on: Option<HeldColumn>,
    /// The value, as PostgreSQL prints it.
    pub value: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// When it was released.
    pub released_at: Option<Timestamp>,
}

/// A hold to be placed.
#[derive(Debug, Clone, Copy)]
pub struct NewHold<'a> {
    /// See [`Hold::on`].
    pub on: Option<&'a HeldColumn>,
    /// The value, in any form that the column's type reads; it is stored as PostgreSQL prints it. A subject's key is
    /// stored as it is given, since only a policy says where keys are: [`misprinted`] tells of one that can match nothing.
    pub value: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who; `None`: the database's user.
    pub placed_by: Option<&'a str>,
}

/// Which columns have active holds: all that statements need to know, since values are compared live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Structure {
    /// The columns, in order.
    pub columns: Vec<HeldColumn>,
    /// Whether there are holds on subjects.
    pub subjects: bool,
    /// Columns of active holds that are not there (any more): what they were to protect is not known, so nothing may be
    /// touched until they are released or placed anew.
    pub dangling: Vec<HeldColumn>,
}

impl Structure {
    /// Whether no hold is active.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() && !self.subjects && self.dangling.is_empty()
    }
}

/// Why a hold cannot be placed or released.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// The table is not there.
    #[error("cannot hold rows of {schema}.{table}: there is no such table")]
    NoTable {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
    },
    /// The column is not there.
    #[error("cannot hold rows by {on}: the table has no such column")]
    NoColumn {
        /// The column.
        on: HeldColumn,
    },
    /// The value is none of the column's type, so it could never match a row.
    #[error("cannot hold rows by {on}: the value is no {type_name}")]
    Value {
        /// The column.
        on: HeldColumn,
        /// Its type.
        type_name: String,
        /// What PostgreSQL said.
        #[source]
        source: DbError,
    },
    /// There is no such hold.
    #[error("there is no hold {id}")]
    NoHold {
        /// The number that was asked for.
        id: i64,
    },
    /// It is released already.
    #[error("the hold {id} was released at {at}")]
    Released {
        /// Its number.
        id: i64,
        /// When.
        at: Timestamp,
    },
    /// The database.
    #[error("the holds cannot be changed")]
    Db(#[from] DbError),
}

/// Places a hold, in a transaction of its own. When it returns, every batch that did not know of it has committed, and
/// none that begins later can miss it.
///
/// # Errors
/// See [`HoldError`]; batches that did not end within `patience` are [`Kind::Locked`](pg_session::Kind::Locked).
pub async fn add(session: &Session, new: &NewHold<'_>, patience: Duration) -> Result<Hold, HoldError> {
    // Before the gate is shut: batches need not wait for this.
    let value = match new.on {
        Some(on) => as_printed(session, on, new.value).await?,
        None => new.value.to_owned(),
    };
    match insert(session, new, &value, patience).await {
        Ok(hold) => Ok(hold),
        Err(error) => Err(undo(session, error).await.into()),
    }
}

async fn insert(session: &Session, new: &NewHold<'_>, value: &str, patience: Duration) -> Result<Hold, DbError> {
    gate::exclusive(session, patience).await?;
    let part = |pick: fn(&HeldColumn) -> &String| new.on.map(|on| pick(on).clone());
    let row = session
        .one(
            &Sql::text(
                "INSERT INTO retention.hold AS h (table_schema, table_name, column_name, value, reason, placed_by) VALUES (",
            )
            .maybe(part(|on| &on.schema), "text")
            .raw(", ")
            .maybe(part(|on| &on.table), "text")
            .raw(", ")
            .maybe(part(|on| &on.column), "text")
            .raw(", ")
            .param(value, "text")
            .raw(", ")
            .param(new.reason, "text")
            .raw(", coalesce(")
            .maybe(new.placed_by.map(str::to_owned), "text")
            .raw(format!(", session_user::pg_catalog.text)) RETURNING {COLUMNS}")),
        )
        .await?;
    let hold = read(&row)?;
    commit(session).await?;
    Ok(hold)
}

/// Releases a hold, in a transaction of its own.
///
/// # Errors
/// There is no such hold, it is released already, or the database.
pub async fn release(
    session: &Session,
    id: i64,
    by: Option<&str>,
    reason: Option<&str>,
    patience: Duration,
) -> Result<Hold, HoldError> {
    match set_released(session, id, by, reason, patience).await {
        Ok(hold) => Ok(hold),
        Err(error) => Err(undo(session, error).await),
    }
}

async fn set_released(
    session: &Session,
    id: i64,
    by: Option<&str>,
    reason: Option<&str>,
    patience: Duration,
) -> Result<Hold, HoldError> {
    gate::exclusive(session, patience).await?;
    let found = session
        .maybe(
            &Sql::text(format!("SELECT {COLUMNS} FROM retention.hold AS h WHERE h.id = "))
                .param(id.to_string(), "bigint"),
        )
        .await?
        .ok_or(HoldError::NoHold { id })?;
    if let Some(at) = read(&found)?.released_at {
        return Err(HoldError::Released { id, at });
    }
    let row = session
        .one(
            &Sql::text(
                "UPDATE retention.hold AS h SET released_at = pg_catalog.clock_timestamp(), released_by = coalesce(",
            )
            .maybe(by.map(str::to_owned), "text")
            .raw(", session_user::pg_catalog.text), release_reason = ")
            .maybe(reason.map(str::to_owned), "text")
            .raw(" WHERE h.id = ")
            .param(id.to_string(), "bigint")
            .raw(format!(" RETURNING {COLUMNS}")),
        )
        .await?;
    let hold = read(&row)?;
    commit(session).await?;
    Ok(hold)
}

/// At most `limit` holds with a number above `after`, in order; `released`: those too.
///
/// # Errors
/// The database cannot be asked.
pub async fn list(session: &Session, released: bool, after: i64, limit: u32) -> Result<Vec<Hold>, DbError> {
    session
        .query(
            &Sql::text(format!(
                "SELECT {COLUMNS} FROM retention.hold AS h WHERE (h.released_at IS NULL OR {released}) AND h.id > "
            ))
            .param(after.to_string(), "bigint")
            .raw(format!(" ORDER BY h.id LIMIT {limit}")),
        )
        .await?
        .iter()
        .map(read)
        .collect()
}

/// How many holds are active.
///
/// # Errors
/// The database cannot be asked.
pub async fn active(session: &Session) -> Result<u64, DbError> {
    let row = session
        .one(&Sql::text(
            "SELECT pg_catalog.count(*) FROM retention.hold AS h WHERE h.released_at IS NULL",
        ))
        .await?;
    crate::unsigned(row.try_get(0)?)
}

/// Which columns have active holds.
///
/// # Errors
/// The database cannot be asked.
pub async fn structure(session: &Session) -> Result<Structure, DbError> {
    let rows = session
        .query(&Sql::text(
            "SELECT h.table_schema, h.table_name, h.column_name, EXISTS (SELECT FROM pg_catalog.pg_attribute AS a \
             JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n \
             ON n.oid = c.relnamespace WHERE n.nspname = h.table_schema AND c.relname = h.table_name \
             AND c.relkind IN ('r', 'p') AND a.attname = h.column_name AND a.attnum > 0 AND NOT a.attisdropped) \
             FROM (SELECT DISTINCT table_schema, table_name, column_name FROM retention.hold \
             WHERE released_at IS NULL) AS h ORDER BY 1, 2, 3",
        ))
        .await?;
    let mut structure = Structure::default();
    for row in &rows {
        match on(row, 0)? {
            None => structure.subjects = true,
            Some(column) if row.try_get(3)? => structure.columns.push(column),
            Some(column) => structure.dangling.push(column),
        }
    }
    Ok(structure)
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "h.table_schema, h.table_name, h.column_name, h.id, h.value, h.reason, h.placed_by, h.placed_at, \
                       h.released_at";

fn read(row: &Row) -> Result<Hold, DbError> {
    Ok(Hold {
        on: on(row, 0)?,
        id: row.try_get(3)?,
        value: row.try_get(4)?,
        reason: row.try_get(5)?,
        placed_by: row.try_get(6)?,
        placed_at: row.try_get(7)?,
        released_at: row.try_get(8)?,
    })
}

fn on(row: &Row, first: usize) -> Result<Option<HeldColumn>, DbError> {
    let names: (Option<String>, Option<String>, Option<String>) =
        (row.try_get(first)?, row.try_get(first + 1)?, row.try_get(first + 2)?);
    Ok(match names {
        (Some(schema), Some(table), Some(column)) => Some(HeldColumn { schema, table, column }),
        _ => None,
    })
}
