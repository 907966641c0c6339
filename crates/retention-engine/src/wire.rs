//! Owns statements that travel in one message: parsed, bound and run at once, so that several can be sent before the
//! first is answered, in the order in which they are polled first. (`Session`'s own calls may prepare first, which is a
//! round trip of its own: a `COMMIT` behind them could overtake them.)

use pg_session::{DbError, Session, Sql};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// Runs a statement; gives the number of rows it touched.
pub(crate) async fn execute(session: &Session, sql: &Sql) -> Result<u64, DbError> {
    let (text, params) = sql.render();
    let params = params.into_iter().map(|param| (param, Type::TEXT));
    Ok(session
        .client
        .execute_typed(&text, &by_ref(&params.collect::<Vec<_>>()))
        .await?)
}

/// The only row. Its columns are of built-in types.
pub(crate) async fn one(session: &Session, sql: &Sql) -> Result<Row, DbError> {
    let (text, params) = sql.render();
    let params = params.into_iter().map(|param| (param, Type::TEXT));
    let rows = session
        .client
        .query_typed(&text, &by_ref(&params.collect::<Vec<_>>()))
        .await?;
    rows.into_iter()
        .next()
        .ok_or_else(|| DbError::new(pg_session::Kind::Other, "expected one row, found none"))
}

fn by_ref<'a>(params: &'a [(Option<&'a str>, Type)]) -> Vec<(&'a (dyn tokio_postgres::types::ToSql + Sync), Type)> {
    params
        .iter()
        .map(|(value, kind)| (value as &(dyn tokio_postgres::types::ToSql + Sync), kind.clone()))
        .collect()
}

/// The server's process of a session.
pub(crate) async fn pid(session: &Session) -> Result<i32, DbError> {
    let row = one(session, &Sql::text("SELECT pg_catalog.pg_backend_pid()")).await?;
    Ok(row.try_get(0)?)
}
