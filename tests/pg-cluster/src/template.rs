//! Owns new data folders: `initdb` runs once for each release and set of arguments, then its result is copied.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tools::Toolbox;

use crate::copy::copy_tree;
use crate::error::{Error, file_error, io_error};
use crate::install::Install;
use crate::user;

/// Makes a new data folder at `data`.
pub(crate) fn make(install: &Install, arguments: &[String], data: &Path) -> Result<(), Error> {
    // What is kept is for speed alone: where it cannot be kept (a read-only checkout, another user's files), each
    // server has its own `initdb`.
    let Some(kept) = place(install, arguments) else {
        return initdb(install, arguments, data);
    };
    if kept.exists() && copy_tree(&kept, data, user::other()).is_ok() {
        return Ok(());
    }
    remove(data)?;
    let lock = fs::File::create(kept.with_extension("lock")).and_then(|file| file.lock().map(|()| file));
    if lock.is_ok() && kept.exists() {
        // Somebody else has made it while we waited.
        return copy_tree(&kept, data, user::other());
    }
    initdb(install, arguments, data)?;
    if lock.is_ok() {
        let _ = keep(data, &kept);
    }
    Ok(())
}

/// Nobody ever sees half of it.
fn keep(data: &Path, kept: &Path) -> Result<(), Error> {
    let parent = kept.parent().unwrap_or(kept);
    let staging = tempfile::tempdir_in(parent).map_err(file_error("make a folder in", parent))?;
    let new = staging.path().join("data");
    copy_tree(data, &new, None)?;
    fs::rename(&new, kept).map_err(file_error("move a data folder to", kept))
}

fn place(install: &Install, arguments: &[String]) -> Option<PathBuf> {
    let folder = Toolbox::of_this_repo().folder.join("postgresql/data");
    fs::create_dir_all(&folder).ok()?;
    let uid = rustix::process::geteuid().as_raw();
    let name = format!("{} {} {uid}", install.version, arguments.join(" "));
    Some(folder.join(user::name_of(&name).replace('.', "-")))
}

fn remove(data: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(data) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error("remove", data)(error)),
        _ => Ok(()),
    }
}

fn initdb(install: &Install, arguments: &[String], data: &Path) -> Result<(), Error> {
    // `initdb` itself may not make a folder where only its caller can.
    fs::create_dir(data).map_err(file_error("make", data))?;
    user::give(data)?;
    let output = user::command(&install.bin.join("initdb"))
        .args(["--auth=trust", "--no-sync", "--username=postgres"])
        .args(["--encoding=UTF8", "--locale=C"])
        .args(arguments)
        .arg("--pgdata")
        .arg(data)
        .output()
        .map_err(io_error("run initdb"))?;
    succeeded("initdb", &output)
}

/// Sets the superuser's password in a data folder whose server does not run.
pub(crate) fn set_password(install: &Install, data: &Path, password: &str) -> Result<(), Error> {
    if password.chars().any(char::is_control) {
        return Err(Error::Unsupported("a password of control characters".to_owned()));
    }
    // Single-user mode takes one statement a line, and needs no access rules and no port.
    let script = data.join("password.sql");
    let statement = format!("ALTER ROLE postgres PASSWORD '{}'\n", password.replace('\'', "''"));
    user::write_private(&script, &statement)?;
    let input = fs::File::open(&script).map_err(file_error("open", &script))?;
    fs::remove_file(&script).map_err(file_error("remove", &script))?;
    let output = user::command(&install.bin.join("postgres"))
        .args(["--single", "-c", "exit_on_error=true", "-D"])
        .arg(data)
        .arg("postgres")
        .stdin(Stdio::from(input))
        .output()
        .map_err(io_error("run postgres --single"))?;
    succeeded("postgres --single", &output)
}

fn succeeded(program: &'static str, output: &std::process::Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    Err(Error::Failed {
        program,
        said: said.into_owned(),
    })
}
