//! Installs a program with `go install`, `cargo install`, `apt-get install` or from Maven, whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use crate::catalog::{Source, Spec, Tool};
use crate::toolbox::{Toolbox, Why};
use crate::{go, maven, probe};

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

/// Installs a program from where it comes. The caller holds the folder's lock.
pub(crate) fn install(tool: Tool, spec: &Spec, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    let started = Instant::now();
    let path = match &spec.source {
        Source::Go {
            package,
            built_name,
            go,
        } => {
            let go = go::at_least(go, toolbox)?;
            (toolbox.report)(&format!(
                "{tool}: running `go install {package}` with Go {}; the first time takes some minutes",
                go.version
            ));
            let staging = staging(&toolbox.folder)?;
            let mut command = Command::new(&go.program);
            command
                .args(["install", "-trimpath", "-ldflags", "-s -w", package])
                .current_dir(staging.path())
                .env("GOBIN", staging.path())
                // Never fetch another toolchain, never build for another machine, never look at a surrounding workspace.
                .env("GOTOOLCHAIN", "local")
                .env("GOWORK", "off")
                .env("CGO_ENABLED", "0")
                .env_remove("GOOS")
                .env_remove("GOARCH");
            let recipe = format!("go install {package}");
            run(&mut command, &recipe)?;
            keep(&staging.path().join(built_name), spec, &recipe, toolbox)?
        }
        Source::Crate { name, version } => by_cargo(tool, name, version, spec, toolbox)?,
        Source::Debian { package } => by_apt(tool, package, spec, toolbox)?,
        Source::Maven { version } => by_maven(tool, version, spec, toolbox)?,
    };
    (toolbox.report)(&format!(
        "{tool}: installed {} in {:.1} s",
        path.display(),
        started.elapsed().as_secs_f64()
    ));
    Ok(path)
}

fn by_cargo(tool: Tool, name: &str, version: &str, spec: &Spec, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    let recipe = format!("cargo install {name} --locked --version ={version}");
    let cargo = builder("cargo", &recipe, toolbox)?;
    (toolbox.report)(&format!(
        "{tool}: running `{recipe}`; the first time takes some minutes"
    ));
    let staging = staging(&toolbox.folder)?;
    let mut command = Command::new(cargo);
    command
        .args(["install", name, "--locked", "--version", &format!("={version}")])
        .arg("--root")
        .arg(staging.path())
        .current_dir(staging.path())
        // A build folder of its own that goes away with the rest, and none of the flags of our own release builds.
        .env("CARGO_TARGET_DIR", staging.path().join("target"))
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTFLAGS");
    run(&mut command, &recipe)?;
    keep(&staging.path().join("bin").join(name), spec, &recipe, toolbox)
}

/// Debian's packages go to the system: only where that is ours to change.
fn by_apt(tool: Tool, package: &'static str, spec: &Spec, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    let cannot = |reason| Why::Package { package, reason };
    let recipe = format!("apt-get install {package}");
    let apt = builder("apt-get", &recipe, toolbox).map_err(|_| cannot("apt-get is not here"))?;
    let user = builder("id", &recipe, toolbox)
        .ok()
        .and_then(|id| probe::run(Command::new(id).arg("-u")).ok())
        .map(|output| output.stdout);
    if user.as_deref().map(<[u8]>::trim_ascii) != Some(b"0".as_slice()) {
        return Err(cannot("this is not root"));
    }
    (toolbox.report)(&format!("{tool}: running `{recipe}`"));
    let install = || {
        let mut command = Command::new(&apt);
        command
            .args(["install", "--yes", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if run(&mut install(), &recipe).is_err() {
        // The package lists may be old, or not there at all, as in most container images.
        run(Command::new(&apt).arg("update"), "apt-get update")?;
        run(&mut install(), &recipe)?;
    }
    toolbox.on_path(tool, spec).ok_or_else(|| Why::Unexpected {
        recipe,
        found: "none that will do".to_owned(),
        wanted: spec.accepts,
    })
}

fn by_maven(tool: Tool, version: &str, spec: &Spec, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    let what = format!("PostgreSQL {version} from Maven Central");
    (toolbox.report)(&format!("{tool}: fetching {what}, about 15 MB"));
    let staging = staging(&toolbox.folder)?;
    let unpacked = staging.path().join("unpacked");
    maven::fetch(version, &unpacked).map_err(|detail| Why::Fetch {
        what: what.clone(),
        detail,
    })?;
    let program = unpacked.join("bin/postgres");
    check(&program, spec, &what)?;
    let home = toolbox.folder.join("postgresql").join(version);
    fs::create_dir_all(toolbox.folder.join("postgresql")).map_err(Why::io("create", &home))?;
    // What is there has no program that works, or we would not be here; one that was half deleted, say.
    if home.exists() {
        fs::remove_dir_all(&home).map_err(Why::io("remove the broken", &home))?;
    }
    fs::rename(&unpacked, &home).map_err(Why::io("move the programs to", &home))?;
    Ok(home.join("bin/postgres"))
}

fn builder(name: &'static str, recipe: &str, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    probe::candidates(&toolbox.search_path, name)
        .into_iter()
        .next()
        .ok_or_else(|| Why::NoBuilder {
            recipe: recipe.to_owned(),
            program: name,
        })
}

fn run(command: &mut Command, recipe: &str) -> Result<(), Why> {
    let program = PathBuf::from(command.get_program());
    let output = probe::run(command).map_err(Why::io("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Why::Build {
        recipe: recipe.to_owned(),
        detail: error_tail(&output),
    })
}

/// Moves what was built into place, if it is what was asked for: nobody ever sees half of it.
fn keep(built: &Path, spec: &Spec, recipe: &str, toolbox: &Toolbox) -> Result<PathBuf, Why> {
    check(built, spec, recipe)?;
    let home = toolbox.folder.join("bin").join(spec.installed_name);
    fs::rename(built, &home).map_err(Why::io("move the program to", &home))?;
    Ok(home)
}

/// Whether the new program says the version that was asked for.
fn check(built: &Path, spec: &Spec, recipe: &str) -> Result<(), Why> {
    let version = probe::version_of(built, &spec.says);
    if version.as_ref().is_some_and(|version| spec.accepts(version)) {
        return Ok(());
    }
    Err(Why::Unexpected {
        recipe: recipe.to_owned(),
        found: version.map_or_else(|| "none".to_owned(), |version| version.to_string()),
        wanted: spec.accepts,
    })
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
