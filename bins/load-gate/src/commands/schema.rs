//! `load-gate schema`: the JSON Schema of a file that load-gate reads or writes.

use crate::args::{SchemaArgs, SchemaOf};
use anyhow::Context as _;
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Prints it.
pub(crate) fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        SchemaOf::Scenario => load_plan::scenario_schema(),
        SchemaOf::Result => load_report::result_schema(),
    };
    runtime::output::human(&format!("{schema:#}"))
        .context("writing the schema")
        .exit(Exit::Dependency)?;
    Ok(Exit::Done)
}
