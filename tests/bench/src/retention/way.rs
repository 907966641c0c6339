//! Owns the ways to delete or anonymise: the statements that people write, and retention-job.

use super::lab::{AS_OF, CUTOFF, DAYS, Lab};
use crate::load_gate::child;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Rows a step of a loop.
const STEP: u32 = 10_000;
/// The longest that any way takes.
const PATIENCE: Duration = Duration::from_mins(20);

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// One statement in one transaction.
    Naive,
    /// `WHERE id IN (SELECT id ... LIMIT n)`, until nothing is left.
    IdIn,
    /// `WHERE ctid = ANY (ARRAY (SELECT ctid ... LIMIT n FOR UPDATE SKIP LOCKED))`, until nothing is left.
    SkipLocked,
    /// From one value of the age's index to the next.
    Keyset,
    /// retention-job.
    Job,
    /// The same, resting as long after each batch as it took.
    Nice,
}

/// What the bench does with due rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Delete,
    Anonymise,
}

/// What a way said of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    /// Most resident memory, MiB; of retention-job only.
    pub(crate) peak_mib: Option<f64>,
    /// Its last line, of retention-job only.
    pub(crate) summary: Value,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "one transaction",
            Self::IdIn => "id IN (... LIMIT)",
            Self::SkipLocked => "ctid SKIP LOCKED",
            Self::Keyset => "keyset",
            Self::Job => "retention-job",
            Self::Nice => "with --nice-ratio 1",
        }
    }

    /// Whether it is retention-job in some way.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Job | Self::Nice)
    }

    /// Does it, from beginning to end.
    pub(crate) fn run(self, lab: &Lab, database: &str, doing: Doing, job: &Path) -> anyhow::Result<Said> {
        if self.is_ours() {
            return run_job(lab, database, doing, job, self == Self::Nice);
        }
        lab.runtime.block_on(async {
            let client = lab.cluster.connect(database).await?;
            let verb = match doing {
                Doing::Delete => "DELETE FROM events WHERE",
                Doing::Anonymise => "UPDATE events SET email = NULL, ip = NULL WHERE",
            };
            let due = match doing {
                Doing::Delete => format!("created_at < {CUTOFF}"),
                Doing::Anonymise => format!("created_at < {CUTOFF} AND (email IS NOT NULL OR ip IS NOT NULL)"),
            };
            let step = match self {
                // As it is written: every matching row, every night.
                Self::Naive | Self::Job | Self::Nice => format!("{verb} created_at < {CUTOFF}"),
                Self::IdIn => format!("{verb} id IN (SELECT id FROM events WHERE {due} LIMIT {STEP})"),
                Self::SkipLocked => format!(
                    "{verb} ctid = ANY (ARRAY (SELECT ctid FROM events WHERE {due} LIMIT {STEP} FOR UPDATE SKIP LOCKED))"
                ),
                Self::Keyset => return keyset(&client, verb, &due).await,
            };
            while client.execute(&step, &[]).await? > 0 && self != Self::Naive {}
            anyhow::Ok(())
        })?;
        Ok(Said::default())
    }
}

async fn keyset(client: &tokio_postgres::Client, verb: &str, due: &str) -> anyhow::Result<()> {
    let mut from = "'-infinity'".to_owned();
    loop {
        let bound = client
            .query_opt(
                &format!(
                    "SELECT created_at::text FROM events WHERE created_at >= {from} AND created_at < {CUTOFF} \
                     ORDER BY events.created_at OFFSET {STEP} LIMIT 1"
                ),
                &[],
            )
            .await?;
        let bound: Option<String> = bound.map(|row| row.try_get(0)).transpose()?;
        let before = bound
            .as_ref()
            .map_or_else(|| CUTOFF.to_owned(), |bound| format!("'{bound}'"));
        client
            .execute(
                &format!("{verb} created_at >= {from} AND created_at < {before} AND {due}"),
                &[],
            )
            .await?;
        match bound {
            Some(bound) => from = format!("'{bound}'"),
            None => return Ok(()),
        }
    }
}

/// retention-job, as a CronJob runs it: plan, apply, verify, receipt.
fn run_job(lab: &Lab, database: &str, doing: Doing, job: &Path, nice: bool) -> anyhow::Result<Said> {
    let folder = tempfile::tempdir()?;
    let policy = folder.path().join("policy.json");
    let action = match doing {
        Doing::Delete => json!("delete"),
        Doing::Anonymise => json!({"anonymise": {"email": null, "ip": null}}),
    };
    let document = json!({"rules": [{
        "name": "events", "table": "public.events", "action": action, "age": {"column": "created_at", "days": DAYS}
    }]});
    std::fs::write(&policy, document.to_string())?;
    let url = lab.cluster.url(database);
    let mut command = Command::new(job);
    command
        .args(["run", "--output", "json", "--as-of", AS_OF])
        .args(["--nice-ratio", if nice { "1" } else { "0" }, "--policy"])
        .arg(&policy)
        .args(["--database-url", &url]);
    let (usage, said) = child::run(&mut command, folder.path(), PATIENCE, &[0])?;
    let last = said.lines().last().context("retention-job printed nothing")?;
    Ok(Said {
        peak_mib: Some(usage.peak_mib),
        summary: serde_json::from_str(last).context("reading retention-job's summary")?,
    })
}
