//! Results in files and on stdin, and files that are rendered from them.

use crate::args::report::RenderArgs;
use anyhow::Context as _;
use load_report::{ResultDoc, render};
use load_verdict::tally::{Tally, TallyDump};
use runtime::{
    Output, Palette,
    exit::{Exit, Failure, ResultExt as _},
};
use std::{
    fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

/// A result with all its histograms is well below one MiB.
const LARGEST: u64 = 256 << 20;

/// A result that was read.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The file as the user named it.
    pub(crate) name: String,
    /// The document.
    pub(crate) doc: ResultDoc,
}

impl Saved {
    /// Reads a file, or stdin for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let (name, bytes) = if path == Path::new("-") {
            ("stdin".to_owned(), bytes(io::stdin().lock()))
        } else {
            (path.display().to_string(), fs::File::open(path).and_then(bytes))
        };
        let bytes = bytes.with_context(|| format!("cannot read {name}")).exit(Exit::Usage)?;
        let doc = ResultDoc::parse(&name, &bytes).exit(Exit::Usage)?;
        Ok(Self { name, doc })
    }

    /// The histograms and counts.
    pub(crate) fn tally(&self) -> Result<Tally, Failure> {
        let cannot = || format!("the figures in {} cannot be used", self.name);
        let dump: TallyDump = serde_json::from_value(self.doc.tally.clone())
            .with_context(cannot)
            .exit(Exit::Usage)?;
        Tally::from_dump(&dump).with_context(cannot).exit(Exit::Usage)
    }
}

fn bytes(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}

/// Writes the document and everything that is asked for, and prints the outcome.
pub(crate) fn deliver(
    doc: &ResultDoc,
    result: Option<&Path>,
    render: &RenderArgs,
    output: Output,
) -> Result<(), Failure> {
    if let Some(path) = result {
        let text = doc.to_json().exit(Exit::NoVerdict)?;
        write(path, "--result", text.as_bytes())?;
    }
    render_files(doc, render)?;
    let printed = match output {
        Output::Json => runtime::output::final_line(&load_report::Brief::of(doc)),
        Output::Human => runtime::output::human(&render::table(doc, Palette::stdout().is_on(), crate::show::width())),
    };
    printed.context("writing the result").exit(Exit::Dependency)
}

/// Writes each rendering that has a file. One that cannot be written does not keep the others from being written.
pub(crate) fn render_files(doc: &ResultDoc, files: &RenderArgs) -> Result<(), Failure> {
    let put = |path: &Option<PathBuf>, option: &str, text: &dyn Fn() -> String| match path {
        Some(path) => write(path, option, text().as_bytes()),
        None => Ok(()),
    };
    let written = [
        put(&files.html, "--html", &|| render::html(doc)),
        put(&files.junit, "--junit", &|| render::junit(doc)),
        put(&files.markdown, "--markdown", &|| render::markdown(doc)),
        put(&files.summary_export, "--summary-export", &|| {
            format!("{:#}\n", render::k6_summary(doc))
        }),
    ];
    written.into_iter().collect()
}

/// Writes a file so that nobody ever reads half of it: beside its place first, then moved there.
pub(crate) fn write(path: &Path, option: &str, content: &[u8]) -> Result<(), Failure> {
    let attempt = || -> io::Result<()> {
        // A device or a pipe (`/dev/stderr`) is written to, not replaced.
        if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
            return fs::OpenOptions::new().write(true).open(path)?.write_all(content);
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        fs::write(&beside, content)?;
        fs::rename(&beside, path)
    };
    attempt()
        .with_context(|| format!("cannot write {} ({option})", path.display()))
        .exit(Exit::Usage)
}
