//! Where the result of a run goes besides stdout.

use crate::{args::run::RunArgs, saved::file};
use anyhow::Context;
use load_report::{ResultDoc, render};
use runtime::exit::{Exit, Failure, ResultExt};
use std::{fs::OpenOptions, io::Write, path::Path};

/// Writes everything that is asked for. One that cannot be written does not keep the others from being written.
pub(crate) fn write(args: &RunArgs, doc: &ResultDoc) -> Vec<Failure> {
    let result = args.report.result.as_deref().map(|path| {
        let text = doc.to_json().exit(Exit::Dependency)?;
        file::write(path, "--result", text.as_bytes())
    });
    let rendered = file::render_files(doc, &args.render);
    let step = step_summary(args).map(|path| append(Path::new(&path), &render::markdown(doc)));
    [result, Some(rendered), step]
        .into_iter()
        .flatten()
        .filter_map(Result::err)
        .collect()
}

/// GitHub shows what is appended to this file on the page of the job.
fn step_summary(args: &RunArgs) -> Option<std::ffi::OsString> {
    std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty() && !args.report.no_step_summary)
}

fn append(path: &Path, text: &str) -> Result<(), Failure> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| {
            format!(
                "cannot append to the step summary {} (--no-step-summary leaves it out)",
                path.display()
            )
        })
        .exit(Exit::Dependency)
}
