//! Owns one run of a load tool: its processor time, its memory, its output.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use procfs::process::Process;

/// How often memory is looked at.
const PAUSE: Duration = Duration::from_millis(10);
/// On top of the time that a run should take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a run used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) spawned: Instant,
    /// Processor time, user and system, seconds.
    pub(crate) cpu_s: f64,
    /// Most resident memory, MiB.
    pub(crate) peak_mib: f64,
    /// Resident memory after half of the time, MiB.
    pub(crate) half_mib: f64,
    /// Resident memory when last seen, MiB.
    pub(crate) end_mib: f64,
}

/// Runs a tool to its end, with what it prints going to files in `folder`. A verdict by exit code is no failure.
pub(crate) fn run(
    command: &mut Command,
    folder: &Path,
    takes: Duration,
    codes: &[i32],
) -> anyhow::Result<(Usage, String)> {
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let create = |path: &Path| File::create(path).with_context(|| format!("creating {}", path.display()));
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(create(&stdout)?)
        .stderr(create(&stderr)?);
    let before = children_cpu()?;
    let spawned = Instant::now();
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let pid = i32::try_from(child.id()).context("process id")?;
    let mut usage = Usage {
        spawned,
        cpu_s: 0.0,
        peak_mib: 0.0,
        half_mib: 0.0,
        end_mib: 0.0,
    };
    let status = loop {
        // Gone in the meantime, or only just begun: no figures then.
        if let Ok(seen) = Process::new(pid).and_then(|process| process.status())
            && let (Some(rss), Some(peak)) = (seen.vmrss, seen.vmhwm)
        {
            usage.peak_mib = peak as f64 / 1024.0;
            usage.end_mib = rss as f64 / 1024.0;
            if spawned.elapsed() < takes / 2 {
                usage.half_mib = usage.end_mib;
            }
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if spawned.elapsed() > takes + PATIENCE {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
            bail!("{name} did not end within {} s", (takes + PATIENCE).as_secs());
        }
        sleep(PAUSE);
    };
    usage.cpu_s = children_cpu()? - before;
    let text = std::fs::read_to_string(&stdout).context("reading what the tool printed")?;
    ensure!(
        status.code().is_some_and(|code| codes.contains(&code)),
        "{name} ended with {status}: {}{}",
        tail(&text),
        tail(&std::fs::read_to_string(&stderr).unwrap_or_default())
    );
    Ok((usage, text))
}

/// Of all children that were waited for; one at a time runs here.
fn children_cpu() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("reading the processor time of children")?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(8)..)
        .unwrap_or_default()
        .join("\n")
}
