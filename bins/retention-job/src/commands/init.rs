//! `init`: the tool's own schema.

use crate::args::InitArgs;
use crate::{failure, setup};
use anyhow::Context as _;
use retention_store::init::Ensured;
use runtime::exit::{Exit, Failure, ResultExt as _};
use serde::Serialize;

#[derive(Serialize)]
struct Said {
    schema: &'static str,
    created: bool,
}

/// Makes it, or prints how.
pub(crate) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    if args.print {
        runtime::output::human(retention_store::LAYOUT_SQL)
            .context("writing the SQL")
            .exit(Exit::Dependency)?;
        return Ok(Exit::Done);
    }
    setup::block_on(&args.log, |_| async {
        let session = setup::session(&args.database, "retention-job init").await?;
        let created = retention_store::init::ensure(&session).await.map_err(failure::init)? == Ensured::Created;
        let said = Said {
            schema: "retention",
            created,
        };
        runtime::output::either(args.output.output.resolve(), &said, |said| {
            if said.created {
                "the schema retention is there now".to_owned()
            } else {
                "the schema retention was there already".to_owned()
            }
        })
        .context("writing the result")
        .exit(Exit::Dependency)?;
        Ok(Exit::Done)
    })
}
