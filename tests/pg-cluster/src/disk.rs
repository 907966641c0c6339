//! Owns small disks: a file system of a few MiB that can run full without harm.
//!
//! As root it is a tmpfs mount. Another user mounts it in a user namespace of their own, which a process holds open; the
//! server is started inside. Where neither is allowed the answer is [`Unavailable`].

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Error, file_error, io_error};
use crate::install::Unavailable;
use crate::user;

/// Ends when its input does.
const HOLD: &str = r#"mount -t tmpfs -o "$2" tmpfs "$1" && echo mounted && read -r _"#;

/// Whether servers with a small disk can be had here.
///
/// # Errors
/// Mounting is not allowed.
pub fn small_disk_possible() -> Result<(), Unavailable> {
    let attempt = || -> Result<(), Error> {
        let home = crate::home::Home::new()?;
        SmallDisk::mount(home.path(), 1).map(drop)
    };
    attempt().map_err(|error| match error {
        Error::Unavailable(unavailable) => unavailable,
        other => unavailable(&other.to_string()),
    })
}

fn unavailable(why: &str) -> Unavailable {
    Unavailable {
        wanted: "small file system".to_owned(),
        why: format!("{}; run as root, or allow user namespaces", why.trim()),
    }
}

#[derive(Debug)]
pub(crate) struct SmallDisk {
    path: PathBuf,
    holder: Option<Child>,
}

impl SmallDisk {
    /// A new one at `<folder>/small`.
    pub(crate) fn mount(folder: &Path, mib: u32) -> Result<Self, Error> {
        let path = folder.join("small");
        std::fs::create_dir(&path).map_err(file_error("make", &path))?;
        let options = format!("size={mib}m,mode=0700");
        let holder = match user::other() {
            Some(uid) => {
                mount(&path, &format!("{options},uid={uid},gid={uid}"))?;
                None
            }
            None => Some(hold(&path, &options)?),
        };
        Ok(Self { path, holder })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The command that starts a server where the disk can be seen.
    pub(crate) fn command(&self, server: &Path) -> Command {
        let Some(holder) = &self.holder else {
            return user::command(server);
        };
        let mut command = user::command(Path::new("nsenter"));
        // The search path was taken away with the rest of the environment.
        command
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .args(["--user", "--mount", "--preserve-credentials", "--target"])
            .arg(holder.id().to_string())
            .arg("--")
            .arg(server);
        command
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        match &mut self.holder {
            Some(holder) => {
                let _ = holder.kill();
                let _ = holder.wait();
            }
            None => {
                // Lazily: a server that was killed a moment ago may still be in it.
                let _ = Command::new("umount").arg("-l").arg(&self.path).output();
            }
        }
    }
}

fn mount(path: &Path, options: &str) -> Result<(), Error> {
    let output = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(path)
        .output()
        .map_err(io_error("run mount"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(unavailable(&String::from_utf8_lossy(&output.stderr)).into())
}

fn hold(path: &Path, options: &str) -> Result<Child, Error> {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let mut child = Command::new("unshare")
        .args(["--user", "--mount", "--keep-caps"])
        .arg(format!("--map-user={uid}"))
        .arg(format!("--map-group={gid}"))
        .args(["sh", "-c", HOLD, "pg-cluster-disk"])
        .arg(path)
        .arg(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| unavailable(&format!("cannot run unshare: {error}")))?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        // A line, or the end of its output.
        let _ = BufReader::new(output).read_line(&mut line);
    }
    if line.trim() == "mounted" {
        return Ok(child);
    }
    let mut said = String::new();
    if let Some(mut output) = child.stderr.take() {
        let _ = output.read_to_string(&mut said);
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(unavailable(&said).into())
}
