//! `load-gate merge`: several results, one verdict.

use crate::{
    args::MergeArgs,
    exit_code,
    saved::{
        file,
        file::Saved,
        merge::{MergeRules, Part, merge as merge_parts},
        rejudge,
    },
};
use runtime::exit::{Exit, Failure, ResultExt as _};
use std::path::Path;

/// Does it.
pub(crate) fn merge(args: &MergeArgs) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let rules = MergeRules {
        expect: args.expect,
        allow_apart: args.allow_apart,
        confidence: args.confidence,
        thresholds: rejudge::thresholds(&args.thresholds)?,
    };
    let part = |path: &Path| {
        let saved = Saved::read(path)?;
        let tally = saved.tally()?;
        Ok(Part { saved, tally })
    };
    let parts = args
        .results
        .iter()
        .map(|path| part(path))
        .collect::<Result<Vec<_>, Failure>>()?;
    let doc = merge_parts(&parts, &rules)?;
    file::deliver(&doc, args.result.as_deref(), &args.render, args.output.output.resolve())?;
    Ok(exit_code::exit(doc.judgement.verdict))
}
