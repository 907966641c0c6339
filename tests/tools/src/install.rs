//! Installs a program with `go install`, whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use crate::catalog::{Spec, Tool};
use crate::toolbox::{Toolbox, Why};
use crate::{go, probe};

/// Waits for the folder's lock, which the system gives back when the file is closed or its process dies.
pub(crate) fn lock(toolbox: &Toolbox) -> Result<File, Why> {
    let path = &toolbox.folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Why::io("open", path))?;
    if file.try_lock().is_err() {
        (toolbox.report)("waiting for another process that is installing");
        file.lock().map_err(Why::io("lock", path))?;
    }
    Ok(file)
}

/// Builds the package in a folder of its own and moves the result into place, so that nobody ever sees half of it.
///
/// The caller holds the folder's lock.
pub(crate) fn by_go(tool: Tool, spec: &Spec, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    let go = go::at_least(&spec.go, toolbox)?;
    (toolbox.report)(&format!(
        "{tool}: running `go install {}` with Go {}; the first time takes some minutes",
        spec.package, go.version
    ));
    let started = Instant::now();
    let staging = staging(&toolbox.folder)?;
    let output = probe::run(
        Command::new(&go.program)
            .args(["install", "-trimpath", "-ldflags", "-s -w", spec.package])
            .current_dir(staging.path())
            .env("GOBIN", staging.path())
            // Never fetch another toolchain, never build for another machine, never look at a surrounding workspace.
            .env("GOTOOLCHAIN", "local")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "0")
            .env_remove("GOOS")
            .env_remove("GOARCH"),
    )
    .map_err(Why::io("run", &go.program))?;
    if !output.status.success() {
        return Err(Why::Build {
            package: spec.package,
            detail: error_tail(&output),
        });
    }
    let built = staging.path().join(spec.built_name);
    let version = probe::version_of(&built, spec.version_args, spec.version_label);
    if !version.as_ref().is_some_and(|version| spec.accepts(version)) {
        let found = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        return Err(Why::Unexpected {
            package: spec.package,
            found,
            wanted: spec.accepts,
        });
    }
    let home = toolbox.folder.join("bin").join(spec.installed_name);
    fs::rename(&built, &home).map_err(Why::io("move the program to", &home))?;
    (toolbox.report)(&format!(
        "{tool}: installed {} in {:.1} s",
        home.display(),
        started.elapsed().as_secs_f64()
    ));
    Ok(home)
}

/// A folder beside the final place (a rename must not cross file systems), removed when dropped.
pub(crate) fn staging(folder: &Path) -> Result<tempfile::TempDir, Why> {
    tempfile::Builder::new()
        .prefix("installing-")
        .tempdir_in(folder)
        .map_err(Why::io("create a folder in", folder))
}

/// How a command ended, with the last lines that it printed.
pub(crate) fn error_tail(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("go: downloading "))
        .collect();
    let tail = lines[lines.len().saturating_sub(12)..].join("\n  ");
    format!("{}\n  {tail}", output.status)
}
