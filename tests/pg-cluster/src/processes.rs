//! Owns signals, and the finding of a server's processes.

use std::io;

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal.
pub(crate) fn signal(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("not the number of a process"))?;
    kill_process(pid, signal).map_err(io::Error::from)
}

/// The processes that `parent` has started.
pub(crate) fn children(parent: u32) -> io::Result<Vec<u32>> {
    let numbers = std::fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // One that has ended meanwhile has no file any more.
    Ok(numbers
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| parent_in(&stat) == Some(parent))
        })
        .collect())
}

/// The name stands in brackets and may hold anything, brackets too; then come state and parent.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parent_in;

    #[test]
    fn a_name_cannot_pass_for_a_parent() {
        assert_eq!(parent_in("12 (a) S 7 (b) S 41 1 1 0"), Some(41));
        assert_eq!(parent_in("12 (a"), None);
    }
}
