//! Owns what every act needs: the narrator, the ledger of promises, a folder, the programs, an HTTP client.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error};
use runtime::exit::{Exit, Failure, ResultExt as _};
use runtime::http::HttpOptions;
use tempfile::TempDir;

use crate::child;
use crate::ledger::{Ledger, Outcome, Promise, Report, table};
use crate::narrator::Narrator;
use crate::text::{WIDTH, shorten};

/// Lines of each log that are shown after a failure.
const TAIL: usize = 6;

/// A promise that was kept, with what there is to say about it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How long it took.
    pub(crate) took: Option<Duration>,
    /// For the table; short.
    pub(crate) note: String,
}

impl Kept {
    /// With the time that was measured.
    pub(crate) fn after(took: Duration, note: impl Into<String>) -> Self {
        Self {
            took: Some(took),
            note: note.into(),
        }
    }

    /// Where time says nothing.
    pub(crate) fn noting(note: impl Into<String>) -> Self {
        Self {
            took: None,
            note: note.into(),
        }
    }
}

/// The stage.
pub(crate) struct Stage {
    /// Tells the story.
    pub(crate) tell: Narrator,
    /// For questions to everything that is running; knows no proxy.
    pub(crate) http: reqwest::Client,
    ledger: Ledger,
    folder: TempDir,
    reloader: PathBuf,
    load_gate: PathBuf,
    retention_job: PathBuf,
    /// How often retention-job was run; numbers its files.
    pub(crate) jobs: usize,
    /// How often load-gate was run; numbers its files.
    pub(crate) gates: usize,
    acts: usize,
    began: Instant,
}

impl Stage {
    /// Looks for what is needed before anything is told.
    pub(crate) fn set(tell: Narrator) -> Result<Self, Failure> {
        let options = HttpOptions {
            no_proxy: true,
            ..HttpOptions::new(runtime::build_info!().user_agent())
        };
        Ok(Self {
            tell,
            http: runtime::http::client(&options).exit(Exit::Usage)?,
            ledger: Ledger::default(),
            folder: tempfile::Builder::new()
                .prefix("demo-")
                .tempdir()
                .context("making a temporary folder")
                .exit(Exit::Dependency)?,
            reloader: beside_us("policy-reloader", "POLICY_RELOADER")?,
            load_gate: beside_us("load-gate", "LOAD_GATE")?,
            retention_job: beside_us("retention-job", "RETENTION_JOB")?,
            jobs: 0,
            gates: 0,
            acts: 0,
            began: Instant::now(),
        })
    }

    /// Where keys, states and logs are; gone at the end, unless something failed.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The real policy-reloader.
    pub(crate) fn reloader(&self) -> &Path {
        &self.reloader
    }

    /// The real load-gate.
    pub(crate) fn load_gate(&self) -> &Path {
        &self.load_gate
    }

    /// The real retention-job.
    pub(crate) fn retention_job(&self) -> &Path {
        &self.retention_job
    }

    /// Starts an act: heading, what it is about, what is promised.
    pub(crate) fn act(&mut self, title: &str, about: &str, promises: &[Promise]) {
        self.acts += 1;
        self.ledger.promise(self.acts, promises);
        self.tell.act(self.acts, title, about);
    }

    /// A promise was kept: said, and written down.
    pub(crate) fn kept(&mut self, promise: Promise, kept: Kept) {
        let Kept { took, note } = kept;
        self.tell.kept(promise.text, &note, took);
        self.ledger.enter(promise, Outcome::Shown { took, note });
    }

    /// Kept or broken, as it came out; whether it was kept.
    pub(crate) fn judge(&mut self, promise: Promise, result: Result<Kept, Error>) -> bool {
        match result {
            Ok(kept) => {
                self.kept(promise, kept);
                true
            }
            Err(error) => {
                let why = runtime::exit::chain(&error);
                self.tell.broken(promise.text, &why);
                self.ledger.enter(promise, Outcome::Failed { why });
                false
            }
        }
    }

    /// What cannot be shown on this machine, and what to do about it.
    pub(crate) fn not_shown(&mut self, promises: &[Promise], why: &str) {
        for &promise in promises {
            self.tell.not_shown(promise.text);
            self.ledger.enter(promise, Outcome::NotShown { why: why.to_owned() });
        }
    }

    /// The number of the act that comes next.
    pub(crate) fn next_act(&self) -> usize {
        self.acts + 1
    }

    /// A group of acts could not go on. What it promised and did not show counts as not kept; acts that were not even
    /// begun are counted too, so `promises` has all acts of the group, the first of which has the number `first`.
    pub(crate) fn broke_off(&mut self, first: usize, promises: &[&[Promise]], error: &Error) {
        let why = runtime::exit::chain(error);
        self.tell.broken("This could not go on", &why);
        let all = (first..).zip(promises);
        self.ledger.broke_off(
            all.flat_map(|(act, some)| some.iter().map(move |&one| (act, one))),
            &why,
        );
        self.acts = first + promises.len() - 1;
    }

    /// The end: the table; after a failure also the ends of the logs, which then stay.
    pub(crate) fn close(mut self) -> Report {
        let report = self.ledger.report(self.began.elapsed());
        if !report.ok {
            self.show_logs();
        }
        self.tell.heading("What was shown");
        let palette = self.tell.palette();
        self.tell.raw(&table(&report, palette));
        if report.ok {
            self.tell.gap();
        } else {
            // From here on the folder belongs to whoever reads the logs.
            let kept = self.folder.keep();
            self.tell.raw(&format!("  Logs and state: {}\n\n", kept.display()));
        }
        report
    }

    fn show_logs(&mut self) {
        for (path, lines) in child::tails(self.folder.path(), TAIL) {
            self.tell.heading(&format!("The end of {}", path.display()));
            let palette = self.tell.palette();
            for line in lines {
                self.tell
                    .raw(&format!("  {}\n", palette.dim(shorten(&line, 3 * WIDTH))));
            }
        }
    }
}

/// A program that cargo built beside the demo itself, or that a variable names.
fn beside_us(name: &str, variable: &str) -> Result<PathBuf, Failure> {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty());
    let path = match named {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()
            .context("finding the demo's own program")
            .exit(Exit::Usage)?
            .with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX)),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::usage(format!(
        "the program {name} is missing: expected it at {}, where cargo puts it beside the demo; run `make demo`, which builds \
         it, or `cargo build --package {name}`, or name another one in {variable}",
        path.display()
    )))
}
