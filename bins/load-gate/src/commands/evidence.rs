//! `load-gate evidence`: asks MC, and exits by its verdict.

use anyhow::Context as _;
use runtime::exit::{Exit, Failure, ResultExt as _};
use runtime::shutdown::Shutdown;
use std::time::Duration;

use crate::args::EvidenceArgs;
use crate::evidence::{EvidenceResult, Options, Subject, check};
use crate::termination;

/// A question that is under way is dropped at once, so there is nothing to wait for.
const DRAIN: Duration = Duration::from_secs(5);

/// Asks until the deadline, prints the result, and leaves it for Kubernetes.
pub(crate) fn evidence(args: &EvidenceArgs) -> Result<Exit, Failure> {
    let result = ask(args);
    let words = match &result {
        Ok(result) => format!("load-gate evidence: {}", result.describe()),
        Err(failure) => format!("load-gate evidence: error: {}", runtime::exit::chain(&failure.error)),
    };
    termination::write(&args.termination_log, &words);
    let result = result?;
    runtime::output::either(args.output.output.resolve(), &result, EvidenceResult::describe)
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(result.exit())
}

fn ask(args: &EvidenceArgs) -> Result<EvidenceResult, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let (service, release_id) = (args.service.as_deref(), args.release_id.as_deref());
    let subject = Subject::new(service.unwrap_or_default(), release_id.unwrap_or_default())
        .context("cannot ask MC (--service or SERVICE, --release-id or RELEASE_ID)")
        .exit(Exit::Usage)?;
    let options = Options::from_args(&args.mc, &args.http)?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")
        .exit(Exit::Dependency)?;
    executor.block_on(async {
        let shutdown = Shutdown::listen(DRAIN).exit(Exit::Dependency)?;
        options.try_token().await?;
        Ok(check(&options, &subject, &shutdown).await)
    })
}
