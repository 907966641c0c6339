//! Owns one connection and the calls on it.

use crate::error::DbError;
use crate::sql::Sql;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

/// One connection whose settings are ours (see [`crate::target::Target::connect`]). Dropping it closes it.
#[derive(Debug)]
pub struct Session {
    /// For what the methods do not cover.
    pub client: Client,
}

impl Session {
    /// Runs fixed statements of ours, several separated by `;`.
    pub async fn batch(&self, text: &str) -> Result<(), DbError> {
        Ok(self.client.batch_execute(text).await?)
    }

    /// Runs a statement; gives the number of rows it touched. Statements are prepared once and kept.
    pub async fn execute(&self, sql: &Sql) -> Result<u64, DbError> {
        let (text, params) = sql.render();
        Ok(self.client.execute(&text, &by_ref(&params)).await?)
    }

    /// All rows.
    pub async fn query(&self, sql: &Sql) -> Result<Vec<Row>, DbError> {
        let (text, params) = sql.render();
        Ok(self.client.query(&text, &by_ref(&params)).await?)
    }

    /// The only row.
    pub async fn one(&self, sql: &Sql) -> Result<Row, DbError> {
        let (text, params) = sql.render();
        Ok(self.client.query_one(&text, &by_ref(&params)).await?)
    }

    /// The only row, if there is one.
    pub async fn maybe(&self, sql: &Sql) -> Result<Option<Row>, DbError> {
        let (text, params) = sql.render();
        Ok(self.client.query_opt(&text, &by_ref(&params)).await?)
    }
}

fn by_ref<'a>(params: &'a [Option<&'a str>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}
