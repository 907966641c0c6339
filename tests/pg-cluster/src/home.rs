//! Owns a server's folder, and sees to it that folder and server go even when this process is killed.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Error, file_error, io_error};
use crate::install::Unavailable;
use crate::user;

/// Waits until its input ends, which is when we are gone, however we went; then stops the server (whose working folder
/// must be ours: process numbers are used again) and removes the folder.
///
/// Not `PR_SET_PDEATHSIG`: that goes by the *thread* which started a server, and tests have a thread each.
const WATCH: &str = r#"
trap '' HUP INT QUIT TERM
read -r _
if read -r pid < "$1/data/postmaster.pid" && [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]; then
  kill -QUIT "$pid"; kill -CONT "$pid"
  left=100
  while kill -0 "$pid" && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
  kill -KILL "$pid"
fi
umount -l "$1/small"
rm -rf "${1:?}"
"#;

/// A temporary folder, removed when dropped, and when this process is killed.
#[derive(Debug)]
pub(crate) struct Home {
    /// Without links: the server's working folder is compared with it.
    path: PathBuf,
    folder: Option<tempfile::TempDir>,
    watch: Child,
}

impl Home {
    /// A new one that the server's user can pass, and write to.
    pub(crate) fn new() -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("pg-")
            .tempdir()
            .map_err(io_error("make a temporary folder"))?;
        let path = fs::canonicalize(folder.path()).map_err(file_error("find", folder.path()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(file_error("open", &path))?;
        if let Some(barrier) = user::closed(&path).map_err(file_error("look at the folders above", &path))? {
            return Err(Error::Unavailable(Unavailable {
                wanted: "folder for the server's user".to_owned(),
                why: format!(
                    "{} is closed to others: set TMPDIR to an open folder",
                    barrier.display()
                ),
            }));
        }
        user::give(&path)?;
        let watch = Command::new("/bin/sh")
            .args(["-c", WATCH, "pg-cluster-watch"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to our whole group must not end the one who cleans up.
            .process_group(0)
            .spawn()
            .map_err(io_error("start /bin/sh"))?;
        Ok(Self {
            path,
            folder: Some(folder),
            watch,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let removed = self.folder.take().map_or(Ok(()), tempfile::TempDir::close);
        if removed.is_ok() || matches!(&removed, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            let _ = self.watch.kill();
        }
        // Where something is left, the end of its input (in `wait`) lets it try once more.
        let _ = self.watch.wait();
    }
}
