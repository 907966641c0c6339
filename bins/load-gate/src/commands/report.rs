//! `load-gate report`: a saved result again, rendered or judged by other thresholds.

use crate::{
    args::ReportArgs,
    exit_code,
    saved::{file, file::Saved, rejudge},
};
use runtime::exit::{Exit, Failure, ResultExt as _};

/// Does it.
pub(crate) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    runtime::log::init(&args.log).exit(Exit::Usage)?;
    let thresholds = rejudge::thresholds(&args.thresholds)?;
    if thresholds.is_empty() && args.confidence.is_some() {
        return Err(Failure::usage(
            "--confidence is for judging again: name the thresholds with --threshold",
        ));
    }
    let saved = Saved::read(&args.result_file)?;
    let doc = if thresholds.is_empty() {
        saved.doc
    } else {
        let confidence = args.confidence.unwrap_or_else(|| rejudge::confidence(&saved.doc));
        rejudge::rejudge(&saved.doc, &saved.tally()?, &thresholds, confidence)?
    };
    file::deliver(&doc, args.result.as_deref(), &args.render, args.output.output.resolve())?;
    Ok(exit_code::exit(doc.judgement.verdict))
}
