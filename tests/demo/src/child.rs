//! Owns processes: started with a clean environment, their words in a file, gone when dropped.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Longer than any run on stage takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at whether it has ended.
const PACE: Duration = Duration::from_millis(2);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    process: std::process::Child,
}

impl Child {
    /// Starts a program. What it says is added to the file. Nothing of our environment reaches it: a variable such as
    /// `MC_TOKEN` or `HTTP_PROXY` of whoever runs the demo would change what it does.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Self> {
        Self::start_apart(name, program, args, log, log)
    }

    /// The same with what it says on stdout in a file of its own.
    pub(crate) fn start_apart<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        out: &Path,
        log: &Path,
    ) -> Result<Self> {
        let process = Command::new(program)
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(open(out)?)
            .stderr(open(log)?)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { name, process })
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How the process ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.process.try_wait().context("asking for the state of a process")
    }

    /// An error if the process is gone although nobody ended it.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} has ended by itself ({status}); its log says why", self.name),
        }
    }

    /// Kills the process as `kill -9` does and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process
            .kill()
            .and_then(|()| self.process.wait())
            .map(drop)
            .with_context(|| format!("killing {}", self.name))
    }
}

/// What a program that has ended left behind.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code.
    pub(crate) code: i32,
    /// All of its stdout.
    pub(crate) out: String,
    /// All of its stderr.
    pub(crate) log: String,
    /// From its start to its end.
    pub(crate) took: Duration,
}

impl Done {
    /// What stands after `error: `, if it ended with one.
    pub(crate) fn error(&self) -> Option<String> {
        self.log.split_once("error: ").map(|(_, error)| error.trim().to_owned())
    }
}

/// Runs a program to its end, as [`Child::start_apart`] starts it.
pub(crate) async fn to_its_end<A: AsRef<OsStr>>(
    name: &'static str,
    program: &Path,
    args: impl IntoIterator<Item = A>,
    out: &Path,
    log: &Path,
) -> Result<Done> {
    let started = Instant::now();
    let mut child = Child::start_apart(name, program, args, out, log)?;
    let status = loop {
        match child.ended()? {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => bail!("{name} did not end within {} s", PATIENCE.as_secs()),
            None => tokio::time::sleep(PACE).await,
        }
    };
    let took = started.elapsed();
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    Ok(Done {
        code: status.code().with_context(|| format!("{name} was ended by a signal"))?,
        out: read(out)?,
        log: read(log)?,
        took,
    })
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn open(log: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("opening {}", log.display()))
}

/// The last lines of each log in a folder, with the path of the file.
pub(crate) fn tails(folder: &Path, lines: usize) -> Vec<(PathBuf, Vec<String>)> {
    let mut logs: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("log")))
        .collect();
    logs.sort();
    logs.into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            let tail = all.iter().skip(all.len().saturating_sub(lines));
            let tail = tail.map(|line| (*line).to_owned()).collect();
            (path, tail)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_process_is_gone_and_its_words_are_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("shell.log");
        let mut child = Child::start("sh", Path::new("/bin/sh"), ["-c", "echo one; echo two; exit 3"], &log).unwrap();
        let ended = loop {
            if let Err(error) = child.still_runs() {
                break error.to_string();
            }
            std::thread::yield_now();
        };
        assert!(ended.contains("sh has ended by itself (exit status: 3)"), "{ended}");
        assert_eq!(tails(folder.path(), 1), [(log.clone(), vec!["two".to_owned()])]);

        let sleeper = Child::start("sh", Path::new("/bin/sh"), ["-c", "exec sleep 600"], &log).unwrap();
        let process = PathBuf::from(format!("/proc/{}", sleeper.pid()));
        assert!(process.exists() || !cfg!(target_os = "linux"));
        drop(sleeper);
        assert!(!process.exists());
    }
}
