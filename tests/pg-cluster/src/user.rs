//! Owns the user that a server runs as, and what that user can reach.
//!
//! `initdb` and `postgres` refuse to run as root. Where we are root, they run as `nobody` (or as `PG_CLUSTER_UID`), who
//! must be able to read the programs and to own the data; elsewhere they run as we do.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tools::Toolbox;

use crate::copy::copy_tree;
use crate::error::{Error, file_error};
use crate::install::{Install, Unavailable};

/// `nobody` on every Linux we know. `initdb` wants a user that has a name.
const NOBODY: u32 = 65534;

/// The user to run servers as, where that is not ourselves.
pub(crate) fn other() -> Option<u32> {
    rustix::process::geteuid().is_root().then(|| {
        std::env::var("PG_CLUSTER_UID")
            .ok()
            .and_then(|uid| uid.parse().ok())
            .unwrap_or(NOBODY)
    })
}

/// Makes a file or folder the server's.
pub(crate) fn give(path: &Path) -> Result<(), Error> {
    let Some(uid) = other() else { return Ok(()) };
    std::os::unix::fs::lchown(path, Some(uid), Some(uid)).map_err(file_error("give to the server's user", path))
}

/// Writes a file that the server alone may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(file_error("write", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(file_error("close", path))?;
    give(path)
}

/// A program that runs as the server's user, with nothing of our environment.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        // Ctrl-C is for the test or the demo; what happens to its servers is up to that.
        .process_group(0);
    if let Some(uid) = other() {
        // Gives up the supplementary groups as well.
        command.uid(uid).gid(uid);
    }
    command
}

/// The first folder on the way to `path` that the server's user cannot pass.
pub(crate) fn closed(path: &Path) -> io::Result<Option<PathBuf>> {
    let Some(uid) = other() else { return Ok(None) };
    let path = fs::canonicalize(path)?;
    for folder in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        let meta = fs::metadata(folder)?;
        let passes = match meta.uid() {
            owner if owner == uid => 0o100,
            _ => 0o001,
        };
        if meta.mode() & passes == 0 {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

/// The installation, or a copy of it where the server's user can reach it.
pub(crate) fn reachable(install: &Install) -> Result<Install, Error> {
    let server = install.bin.join("postgres");
    let Some(barrier) = closed(&server).map_err(file_error("look at the folders above", &server))? else {
        return Ok(install.clone());
    };
    let tools = Toolbox::of_this_repo().folder;
    let root = install.bin.parent().filter(|root| root.starts_with(&tools));
    let Some(root) = root else {
        // It has files elsewhere, which only its packager knows.
        return Err(Error::Unavailable(Unavailable {
            wanted: format!("PostgreSQL {} that an unprivileged user can run", install.version),
            why: format!("{} is closed to others: `chmod o+x` it", barrier.display()),
        }));
    };
    let home = shared_folder()?;
    let copy = home.join(name_of(&install.version));
    let lock = home.join("lock");
    let lock = fs::File::create(&lock).map_err(file_error("open", &lock))?;
    lock.lock().map_err(file_error("lock", &home))?;
    if !copy.exists() {
        let staging = tempfile::tempdir_in(&home).map_err(file_error("make a folder in", &home))?;
        let new = staging.path().join("copy");
        copy_tree(root, &new, None)?;
        fs::rename(&new, &copy).map_err(file_error("move a copy to", &copy))?;
    }
    Ok(Install {
        bin: copy.join("bin"),
        ..install.clone()
    })
}

/// `<temporary folder>/pg-cluster-<our uid>`, ours alone to write.
fn shared_folder() -> Result<PathBuf, Error> {
    let uid = rustix::process::geteuid().as_raw();
    let folder = std::env::temp_dir().join(format!("pg-cluster-{uid}"));
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(file_error("make the folder", &folder)(error));
        }
        made => drop(made),
    }
    let meta = fs::symlink_metadata(&folder).map_err(file_error("look at", &folder))?;
    if !meta.is_dir() || meta.uid() != uid {
        let taken = io::Error::other("it is there already and not ours");
        return Err(file_error("use the folder", &folder)(taken));
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(file_error("open", &folder))?;
    Ok(folder)
}

/// A version (or a few arguments) as a file name.
pub(crate) fn name_of(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
        .collect()
}
