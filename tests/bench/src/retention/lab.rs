//! Owns the server, the tables that every run gets a copy of, and questions to both.

use anyhow::Context as _;
use pg_cluster::{Cluster, Major, Options};
use tokio_postgres::Client;

/// The moment from which ages count. Half of all rows are older than 60 days then, the oldest 120.
pub(crate) const AS_OF: &str = "2026-06-01T00:00:00Z";
/// Rows before this are due.
pub(crate) const CUTOFF: &str = "timestamptz '2026-04-02 00:00:00+00'";
/// As retention-job is told.
pub(crate) const DAYS: u32 = 60;

/// How rows lie in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As they came: old ones first.
    Correlated,
    /// Old and new ones in every block.
    Scattered,
}

impl Layout {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Correlated => "correlated",
            Self::Scattered => "scattered",
        }
    }

    /// The age of row `i` of `rows`, in SQL.
    fn at(self, rows: u64) -> String {
        let place = match self {
            Self::Correlated => "i".to_owned(),
            // A prime that divides no round number: every place once.
            Self::Scattered => format!("(i * 7919 % {rows})"),
        };
        format!("timestamptz '2026-06-01 00:00:00+00' - interval '120 days' * (1 - {place}::float8 / {rows})")
    }
}

/// A server with templates, and a runtime to talk to it.
pub(crate) struct Lab {
    pub(crate) cluster: Cluster,
    pub(crate) runtime: tokio::runtime::Runtime,
    copies: u32,
}

impl Lab {
    /// A server with the settings that it has by default, but 1 GB of shared memory, and room for the WAL of a run over 3
    /// million rows: where a checkpoint falls into one run and not into another, pages are written twice. With 30 million
    /// rows it has many in each run, as on servers that were set up before the backlog grew. Commits are durable.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let options = Options {
            fsync: true,
            ..Options::default()
        }
        .set("shared_buffers", "1GB")
        .set("max_wal_size", "4GB")
        .set("synchronous_commit", "on")
        .set("full_page_writes", "on");
        Ok(Self {
            cluster: Cluster::start(Major::any(), &options).context("a PostgreSQL is needed")?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            copies: 0,
        })
    }

    /// A database to copy, with `sql` in it, vacuumed. `{at}` stands for a row's age.
    pub(crate) fn template(&self, name: &str, layout: Layout, rows: u64, sql: &str) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            self.cluster.create_database(name).await?;
            let client = self.cluster.connect(name).await?;
            let sql = sql
                .replace("{at}", &layout.at(rows))
                .replace("{rows}", &rows.to_string());
            client.batch_execute(&sql).await?;
            client.batch_execute("VACUUM (ANALYZE, FREEZE)").await?;
            client.batch_execute("CHECKPOINT").await?;
            anyhow::Ok(())
        })
    }

    /// A fresh copy of a template; the one before is dropped.
    pub(crate) fn copy(&mut self, template: &str) -> anyhow::Result<String> {
        let before = format!("copy{}", self.copies);
        self.copies += 1;
        let name = format!("copy{}", self.copies);
        self.runtime.block_on(async {
            let client = self.cluster.connect("postgres").await?;
            client
                .batch_execute(&format!("DROP DATABASE IF EXISTS {before} WITH (FORCE)"))
                .await?;
            let strategy = if self.cluster.major() >= 15 {
                "STRATEGY file_copy"
            } else {
                ""
            };
            client
                .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}"))
                .await?;
            client.batch_execute("CHECKPOINT").await?;
            // What a server that has been up for a while has in memory.
            let client = self.cluster.connect(&name).await?;
            client
                .batch_execute("SET max_parallel_workers_per_gather = 0; SELECT count(*) FROM events")
                .await?;
            anyhow::Ok(())
        })?;
        Ok(name)
    }

    pub(crate) fn figure(&self, database: &str, sql: &str) -> anyhow::Result<f64> {
        self.runtime.block_on(async {
            let client = self.cluster.connect(database).await?;
            ask(&client, sql).await
        })
    }

    pub(crate) fn vacuum(&self, database: &str) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            let client = self.cluster.connect(database).await?;
            client.batch_execute("VACUUM (ANALYZE) events").await?;
            Ok(())
        })
    }

    /// Bytes of WAL since the server was made.
    pub(crate) fn wal(&self) -> anyhow::Result<f64> {
        self.figure(
            "postgres",
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8",
        )
    }
}

async fn ask(client: &Client, sql: &str) -> anyhow::Result<f64> {
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}
