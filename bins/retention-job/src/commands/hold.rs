//! `hold add | list | release`.

use crate::args::hold::{HoldAddArgs, HoldCommand, HoldListArgs, HoldReleaseArgs};
use crate::setup::PATIENCE;
use crate::{failure, setup};
use anyhow::Context as _;
use retention_store::hold::{self, HeldColumn, Hold, NewHold};
use runtime::exit::{Exit, Failure, ResultExt as _};
use runtime::{Output, OutputFormat};

/// Holds that are read at once.
const PAGE: u32 = 500;

/// Does it.
pub(crate) fn hold(command: &HoldCommand) -> Result<Exit, Failure> {
    match command {
        HoldCommand::Add(args) => setup::block_on(&args.common.log, |_| add(args)),
        HoldCommand::List(args) => setup::block_on(&args.common.log, |_| list(args)),
        HoldCommand::Release(args) => setup::block_on(&args.common.log, |_| release(args)),
    }
}

async fn add(args: &HoldAddArgs) -> Result<Exit, Failure> {
    // A variable that was not set would otherwise make a hold that holds nobody.
    if args.subject.as_deref() == Some("") {
        return Err(Failure::usage("--subject is empty; expected the key of a subject"));
    }
    refuse_no_reason(&args.reason)?;
    let on = match (&args.table, &args.column) {
        (Some(table), Some(column)) => Some(held_column(table, column)),
        _ => None,
    };
    let value = args
        .subject
        .as_deref()
        .or(args.value.as_deref())
        .ok_or_else(|| Failure::usage("hold add needs --subject KEY, or --table, --column and --value"))?;
    let session = setup::session(&args.common.database, "retention-job hold").await?;
    retention_store::init::ensure(&session).await.map_err(failure::init)?;
    let new = NewHold {
        on: on.as_ref(),
        value,
        reason: &args.reason,
        placed_by: args.by.as_deref(),
    };
    let hold = hold::add(&session, &new, PATIENCE).await.map_err(failure::hold)?;
    say(args.common.output.output, &hold)
}

/// `schema.table`, split at the first dot; `public` without one.
fn held_column(table: &str, column: &str) -> HeldColumn {
    let (schema, table) = table.split_once('.').unwrap_or(("public", table));
    HeldColumn {
        schema: schema.to_owned(),
        table: table.to_owned(),
        column: column.to_owned(),
    }
}

/// Whoever reads a hold years later must find out why.
fn refuse_no_reason(reason: &str) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::usage(
            "--reason is empty; expected why, such as the number of a case",
        ));
    }
    Ok(())
}

async fn release(args: &HoldReleaseArgs) -> Result<Exit, Failure> {
    refuse_no_reason(&args.reason)?;
    let session = setup::session(&args.common.database, "retention-job hold").await?;
    retention_store::init::ensure(&session).await.map_err(failure::init)?;
    let hold = hold::release(&session, args.id, args.by.as_deref(), Some(&args.reason), PATIENCE)
        .await
        .map_err(failure::hold)?;
    say(args.common.output.output, &hold)
}

fn say(format: OutputFormat, hold: &Hold) -> Result<Exit, Failure> {
    runtime::output::either(format.resolve(), hold, describe)
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(Exit::Done)
}

/// One JSON line a hold, or one line of text.
async fn list(args: &HoldListArgs) -> Result<Exit, Failure> {
    let session = setup::session(&args.common.database, "retention-job hold").await?;
    let output = args.common.output.output.resolve();
    if retention_store::init::inspect(&session).await.map_err(failure::init)? != retention_store::Layout::Ready {
        if output == Output::Human {
            runtime::output::human("no holds: the schema retention is not there yet")
                .context("writing the result")
                .exit(Exit::Dependency)?;
        }
        return Ok(Exit::Done);
    }
    let (mut after, mut shown) = (0, 0_u64);
    loop {
        let page = hold::list(&session, args.all, after, PAGE)
            .await
            .map_err(failure::db("cannot read the holds"))?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for hold in &page {
            shown += 1;
            say(args.common.output.output, hold)?;
        }
    }
    if shown == 0 && output == Output::Human {
        runtime::output::human("no holds")
            .context("writing the result")
            .exit(Exit::Dependency)?;
    }
    Ok(Exit::Done)
}

fn describe(hold: &Hold) -> String {
    let on = match &hold.on {
        Some(on) => format!(
            "rows of {}.{} whose {} is {}",
            on.schema, on.table, on.column, hold.value
        ),
        None => format!("everything of subject {}", hold.value),
    };
    let state = match hold.released_at {
        Some(at) => format!("released {at}"),
        None => "active".to_owned(),
    };
    format!(
        "hold {}: {on}, {state}; placed by {} at {}: {}",
        hold.id, hold.placed_by, hold.placed_at, hold.reason
    )
}
