//! Starts a program with an environment of its own, and never waits for it without an end.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// Longer than any command takes on a busy machine; a command that is still there then hangs.
const LIMIT: Duration = Duration::from_mins(1);
/// How often an end is looked for.
const LOOK: Duration = Duration::from_millis(2);

/// A program with these arguments, an environment that is empty but for a width of 100 columns, and no terminal.
///
/// Variables are added by the caller with [`Command::env`]. What the program writes is captured by [`Running`].
pub fn command<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Ended {
    Running::start(command).wait()
}

/// What a process left behind.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All that it wrote there.
    pub stdout: String,
    /// All that it wrote there.
    pub stderr: String,
}

impl Ended {
    /// The one JSON line on stdout.
    ///
    /// # Panics
    /// There is none, more than one, or it is not JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let mut lines = self.stdout.lines();
        let line = lines.next().unwrap_or_else(|| panic!("nothing on stdout: {self:?}"));
        assert_eq!(lines.next(), None, "more than one line on stdout");
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// A started process whose output is read all the time. Killed when the test ends, however it ends.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a command, normally from [`command`].
    ///
    /// # Panics
    /// It cannot be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(read_all);
        Self { child, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM, as Kubernetes does.
    #[track_caller]
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends any signal.
    ///
    /// # Panics
    /// The process was waited for already.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the process is ours, and not yet waited for");
    }

    /// Ends it at once, without a chance to clean up, as a power cut or the kernel's memory killer would.
    #[track_caller]
    pub fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be waited for").is_some()
    }

    /// Waits for its end, a minute at the most.
    ///
    /// # Panics
    /// It hangs; its stderr is shown.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let until = Instant::now() + LIMIT;
        while !self.has_ended() {
            if Instant::now() >= until {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("still running after {LIMIT:?}; stderr: {}", join(self.stderr.take()));
            }
            std::thread::sleep(LOOK);
        }
        Ended {
            code: self.child.wait().expect("it has ended").code(),
            stdout: join(self.stdout.take()),
            stderr: join(self.stderr.take()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is worth showing too.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap_or_else(|error| panic!("output is not UTF-8: {error}"))
    })
}

fn join(reader: Option<JoinHandle<String>>) -> String {
    reader
        .map(|reader| reader.join().expect("the output is text"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        command("/bin/sh", ["-c", script])
    }

    #[test]
    fn code_and_output_are_captured_and_the_environment_is_its_own() {
        let ended = run(shell("echo \"{\\\"x\\\":\\\"$X$HOME\\\"}\"; echo oh >&2; exit 3").env("X", "y"));
        assert_eq!(ended.code, Some(3));
        assert_eq!(ended.json()["x"], "y");
        assert_eq!(ended.stderr, "oh\n");
    }

    #[test]
    fn signals_arrive() {
        let script = "trap 'echo told; exit 7' TERM; echo ready >&2; while :; do :; done";
        let mut command = shell(script);
        command.stderr(Stdio::piped());
        let mut running = command.spawn().unwrap();
        // Only once it listens to the signal.
        let mut ready = [0; 6];
        running.stderr.as_mut().unwrap().read_exact(&mut ready).unwrap();
        let stdout = running.stdout.take().map(read_all);
        let running = Running {
            child: running,
            stdout,
            stderr: None,
        };
        running.terminate();
        let ended = running.wait();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(7), "told\n"));
    }

    #[test]
    fn a_killed_program_has_no_code() {
        let mut running = Running::start(&mut shell("while :; do :; done"));
        assert!(!running.has_ended());
        assert_eq!(running.kill().code, None);
    }

    #[test]
    fn a_program_does_not_outlive_its_test() {
        let running = Running::start(&mut shell("while :; do :; done"));
        let pid = Pid::from_child(&running.child);
        drop(running);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
