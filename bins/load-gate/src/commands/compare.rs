//! `load-gate compare`: how two saved results differ.

use crate::{
    args::CompareArgs,
    exit_code,
    saved::{
        compare::{Compared, Party, compared},
        file::Saved,
    },
};
use anyhow::Context as _;
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Does it.
pub(crate) fn compare(args: &CompareArgs) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let (base, candidate) = (Saved::read(&args.base)?, Saved::read(&args.candidate)?);
    let (base_tally, candidate_tally) = (base.tally()?, candidate.tally()?);
    let result = compared(
        Party {
            saved: &base,
            tally: &base_tally,
        },
        Party {
            saved: &candidate,
            tally: &candidate_tally,
        },
        &args.fail_if,
        args.confidence,
    );
    runtime::output::either(args.output.output.resolve(), &result, Compared::describe)
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(result.verdict.map_or(Exit::Done, exit_code::exit))
}
