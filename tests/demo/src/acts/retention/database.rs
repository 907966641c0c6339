//! Owns the database on stage: a temporary PostgreSQL with the users' three tables, and questions to it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pg_cluster::{Cluster, Major, Options};
use tokio_postgres::Client;

use crate::stage::Stage;

/// One event every half hour for 200 days; a transaction a day for three years; a hundred people.
const TABLES: &str = "
CREATE TABLE users (id int PRIMARY KEY, email text, phone text, rtbf_requested boolean NOT NULL DEFAULT false,
  rtbf_completed_at timestamptz);
INSERT INTO users SELECT i, 'user' || i || '@example.com', '+49 30 ' || i FROM generate_series(1, 100) AS i;
CREATE TABLE pii_events (id bigint PRIMARY KEY, user_id int NOT NULL, created_at timestamptz NOT NULL, payload text);
INSERT INTO pii_events SELECT i, i % 100 + 1, now() - i * interval '30 minutes' - interval '10 minutes', repeat('x', 100)
  FROM generate_series(1, 9600) AS i;
CREATE INDEX ON pii_events (created_at);
CREATE INDEX ON pii_events (user_id);
CREATE TABLE transactions (id bigint PRIMARY KEY, user_id int NOT NULL, created_at timestamptz NOT NULL, card_last4 text,
  ip inet);
INSERT INTO transactions SELECT i, i % 100 + 1, now() - i * interval '1 day' - interval '10 minutes', '4711', '192.0.2.7'
  FROM generate_series(1, 1095) AS i;
ANALYZE;";

/// The database.
pub(super) struct Database {
    cluster: Cluster,
    client: Client,
    /// For `--database-url`.
    pub(super) url: String,
    /// Signs receipts; `.pub` beside it.
    pub(super) key: PathBuf,
    /// Gets the receipts.
    pub(super) receipts: PathBuf,
}

impl Database {
    /// Starts a server and fills it.
    pub(super) async fn start(stage: &Stage) -> Result<Self> {
        let start = || Cluster::start(Major::any(), &Options::default());
        let cluster = tokio::task::block_in_place(start).context("starting a temporary PostgreSQL")?;
        cluster.create_database("app").await?;
        let client = cluster.connect("app").await?;
        client.batch_execute(TABLES).await.context("filling the tables")?;
        Ok(Self {
            url: cluster.url("app"),
            key: stage.folder().join("receipts.key"),
            receipts: stage.folder().join("receipts"),
            client,
            cluster,
        })
    }

    /// 14, 15, ...
    pub(super) fn major(&self) -> u32 {
        self.cluster.major()
    }

    /// A count.
    pub(super) async fn count(&self, sql: &str) -> Result<u64> {
        let number: i64 = self.client.query_one(sql, &[]).await.context("counting")?.get(0);
        Ok(u64::try_from(number)?)
    }

    /// A fingerprint of everything in the three tables: any change of any row changes it.
    pub(super) async fn fingerprint(&self) -> Result<String> {
        let sql = "SELECT md5(string_agg(r, '|' ORDER BY r)) FROM (SELECT u::text AS r FROM users u UNION ALL \
                   SELECT e::text FROM pii_events e UNION ALL SELECT t::text FROM transactions t) AS rows";
        Ok(self
            .client
            .query_one(sql, &[])
            .await
            .context("reading everything")?
            .get(0))
    }

    /// Bytes of write-ahead log so far.
    pub(super) async fn wal(&self) -> Result<u64> {
        self.count("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
            .await
    }

    /// Runs statements.
    pub(super) async fn execute(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.context("changing the tables")
    }
}
