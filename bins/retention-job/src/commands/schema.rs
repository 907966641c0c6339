//! `schema`: the JSON Schema of the policy.

use anyhow::Context as _;
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Prints it.
pub(crate) fn schema() -> Result<Exit, Failure> {
    let text = serde_json::to_string_pretty(&retention_policy::schema())
        .context("writing the schema")
        .exit(Exit::Dependency)?;
    runtime::output::human(&text)
        .context("writing the schema")
        .exit(Exit::Dependency)?;
    Ok(Exit::Done)
}
