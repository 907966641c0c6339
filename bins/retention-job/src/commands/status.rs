//! `status`: the last runs, holds, open erasures. Reads only.

use crate::args::StatusArgs;
use crate::{failure, setup};
use anyhow::Context as _;
use jiff::Timestamp;
use pg_session::Session;
use retention_store::run::StoredRun;
use retention_store::{Layout, erasure, hold, receipt, run};
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde::Serialize;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Status {
    initialised: bool,
    /// Who holds the run's lock now.
    at_work: Option<String>,
    runs: Vec<StoredRun>,
    active_holds: bool,
    /// Holds on columns that are not there any more: they stop every run.
    dangling_holds: Vec<String>,
    open_erasures: u64,
    oldest_open_erasure: Option<Timestamp>,
    last_receipt: Option<Receipt>,
}

#[derive(Serialize)]
struct Receipt {
    number: u64,
    sha256: String,
}

/// Shows it.
pub(crate) fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    setup::block_on(&args.log, |_| async {
        let session = setup::session(&args.database, "retention-job status").await?;
        let status = if retention_store::init::inspect(&session).await.map_err(failure::init)? == Layout::Ready {
            read(&session, args.last)
                .await
                .map_err(failure::db("cannot read the status"))?
        } else {
            Status {
                initialised: false,
                at_work: None,
                runs: Vec::new(),
                active_holds: false,
                dangling_holds: Vec::new(),
                open_erasures: 0,
                oldest_open_erasure: None,
                last_receipt: None,
            }
        };
        runtime::output::either(args.output.output.resolve(), &status, describe)
            .context("writing the result")
            .exit(Exit::Dependency)?;
        Ok(Exit::Done)
    })
}

async fn read(session: &Session, last: u32) -> Result<Status, pg_session::DbError> {
    let structure = hold::structure(session).await?;
    let (open_erasures, oldest_open_erasure) = erasure::waiting(session).await?;
    Ok(Status {
        initialised: true,
        at_work: run::holder(session).await?.map(|holder| holder.to_string()),
        runs: run::newest(session, last).await?,
        active_holds: !structure.is_empty(),
        dangling_holds: structure.dangling.iter().map(ToString::to_string).collect(),
        open_erasures,
        oldest_open_erasure,
        last_receipt: receipt::last(session).await?.map(|last| Receipt {
            number: last.number,
            sha256: last.sha256,
        }),
    })
}

fn describe(status: &Status) -> String {
    if !status.initialised {
        return "the schema retention is not there yet: no run, no hold, no receipt".to_owned();
    }
    let mut text = String::new();
    if let Some(holder) = &status.at_work {
        let _ = writeln!(text, "at work now: {holder}");
    }
    for run in &status.runs {
        let end = run
            .finished_at
            .map_or_else(|| "not ended".to_owned(), |at| format!("ended {at}"));
        let _ = writeln!(
            text,
            "{:>4} {:<12} {} began {}, {end}, policy {}",
            run.number,
            run.state.as_str(),
            run.run_id,
            run.started_at,
            run.policy_digest.get(..12).unwrap_or(&run.policy_digest)
        );
    }
    if status.runs.is_empty() {
        text.push_str("no run yet\n");
    }
    let holds = if status.active_holds {
        "there are active holds (hold list)"
    } else {
        "no active holds"
    };
    let _ = writeln!(text, "{holds}; {} erasures are open", status.open_erasures);
    for column in &status.dangling_holds {
        let _ = writeln!(
            text,
            "a hold names {column}, which is not there any more: release it or place it anew"
        );
    }
    if let Some(receipt) = &status.last_receipt {
        let _ = writeln!(text, "newest receipt: {} sha256:{}", receipt.number, receipt.sha256);
    }
    text
}
