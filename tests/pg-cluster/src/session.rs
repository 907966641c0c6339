//! Owns what tests ask of a server as its superuser: by socket, where access rules and TLS do not matter.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

use crate::cluster::Cluster;
use crate::error::Error;

/// Replicas of tests are not further behind than that.
const PATIENCE: Duration = Duration::from_mins(1);

impl Cluster {
    /// A connection as `postgres`, driven by a task of its own.
    ///
    /// # Errors
    /// The server said no.
    pub async fn connect(&self, database: &str) -> Result<Client, Error> {
        let (client, connection) = Config::new()
            .host_path(self.folder())
            .port(self.port())
            .user("postgres")
            .dbname(database)
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Makes a database; any name will do.
    ///
    /// # Errors
    /// The server said no.
    pub async fn create_database(&self, name: &str) -> Result<(), Error> {
        let quoted = name.replace('"', "\"\"");
        self.execute("postgres", &format!("CREATE DATABASE \"{quoted}\"")).await
    }

    /// Runs statements in a session of their own.
    ///
    /// # Errors
    /// The server said no.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<(), Error> {
        Ok(self.connect(database).await?.batch_execute(sql).await?)
    }

    /// Ends a session as an administrator would (`pg_terminate_backend`). Tells whether there was one.
    ///
    /// # Errors
    /// The server said no.
    pub async fn terminate_backend(&self, pid: i32) -> Result<bool, Error> {
        let client = self.connect("postgres").await?;
        let row = client.query_one("SELECT pg_terminate_backend($1)", &[&pid]).await?;
        Ok(row.get(0))
    }

    /// Waits until `standby` has replayed all that this server has written until now.
    ///
    /// # Errors
    /// It does not, within a minute; or a server said no.
    pub async fn wait_for_standby(&self, standby: &Self) -> Result<(), Error> {
        let primary = self.connect("postgres").await?;
        let position: String = primary
            .query_one("SELECT pg_current_wal_flush_lsn()::text", &[])
            .await?
            .get(0);
        let replica = standby.connect("postgres").await?;
        let end = Instant::now() + PATIENCE;
        loop {
            let there: Option<bool> = replica
                .query_one("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", &[&position])
                .await?
                .get(0);
            if there == Some(true) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(Error::Failed {
                    program: "the standby",
                    said: format!("not at {position} within {} s\n{}", PATIENCE.as_secs(), standby.log()),
                });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
