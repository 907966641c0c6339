//! Owns child processes: free ports, a log file for each, what they used of processor and memory, and their end.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use procfs::process::Process;

/// Starting, loading, activating: whatever is waited for comes within this time, or something is broken.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that ends with this value.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    name: &'static str,
}

impl Running {
    /// Starts `command` with an empty environment besides `PATH`, both outputs going to `log`.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            child,
            log: log.to_owned(),
            name,
        })
    }

    /// Asks until `ready` says yes.
    pub(crate) fn wait_until(
        &mut self,
        pause: Duration,
        mut ready: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let last = match ready() {
                Ok(true) => return Ok(()),
                Ok(false) => "not yet".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended by itself ({status}): {}", self.name, self.log_end());
            }
            if Instant::now() > until {
                bail!(
                    "{} was not there within {} s ({last}): {}",
                    self.name,
                    PATIENCE.as_secs(),
                    self.log_end()
                );
            }
            sleep(pause);
        }
    }

    pub(crate) fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(8)..)
            .unwrap_or_default()
            .join("\n")
    }

    fn process(&self) -> anyhow::Result<Process> {
        let pid = i32::try_from(self.child.id()).context("process id")?;
        Process::new(pid).with_context(|| format!("looking at {}", self.name))
    }

    /// Resident memory now and at its highest, MiB.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = self.process()?.status().context("reading /proc/PID/status")?;
        let mib = |kib: Option<u64>| {
            kib.map(|kib| kib as f64 / 1024.0)
                .context("no figure in /proc/PID/status")
        };
        Ok(Memory {
            rss: mib(status.vmrss)?,
            peak: mib(status.vmhwm)?,
        })
    }

    /// Processor time so far, milliseconds: the run time of all threads that are alive, which the scheduler counts in
    /// nanoseconds. `utime + stime` would come in steps of 10 ms.
    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        let mut nanoseconds = 0_u64;
        for task in self.process()?.tasks().context("listing threads")? {
            let path = format!("/proc/{}/task/{}/schedstat", self.child.id(), task?.tid);
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            nanoseconds += text
                .split_whitespace()
                .next()
                .and_then(|word| word.parse::<u64>().ok())
                .with_context(|| format!("no run time in {path}"))?;
        }
        Ok(nanoseconds as f64 / 1e6)
    }
}

/// MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) rss: f64,
    pub(crate) peak: f64,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses that were free a moment ago.
pub(crate) fn free_addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    // All are held at once, so that they differ.
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()
        .context("looking for a free port")?;
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr().context("looking for a free port")?;
    }
    Ok(addresses)
}
