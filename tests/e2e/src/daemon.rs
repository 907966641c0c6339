//! Owns a child process: its log is kept, it is killed when dropped, and a failing test prints its last lines.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use crate::wait::within;

/// So many of the last lines are printed when a test fails.
const LINES_SHOWN: usize = 120;

/// A running program.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: Log,
    readers: Vec<JoinHandle<()>>,
}

/// Lines of stdout and stderr as they come; shared by several lives of one program.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether some line has all of these words.
    pub fn has(&self, words: &[&str]) -> bool {
        self.lines()
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    }

    fn add(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn follow(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                log.add(String::from_utf8_lossy(&line).into_owned());
            }
        })
    }
}

impl Daemon {
    /// Starts the program.
    pub fn start(name: impl Into<String>, mut command: Command, log: Log) -> Self {
        let name = name.into();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let readers = vec![
            log.follow(child.stdout.take().unwrap()),
            log.follow(child.stderr.take().unwrap()),
        ];
        Self {
            name,
            child,
            log,
            readers,
        }
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }

    /// Sends a signal by its name without SIG.
    pub fn signal(&self, name: &str) {
        // `kill` is built into every shell; a system call would need unsafe code.
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "cannot send SIG{name} to {}", self.name);
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it still runs after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let name = self.name.clone();
        let (status, _) = within(limit, &format!("{name} ends"), async || self.ended()).await;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        status
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let lines = self.log.lines();
            let from = lines.len().saturating_sub(LINES_SHOWN);
            eprintln!("---- log of {} ----\n{}\n----", self.name, lines[from..].join("\n"));
        }
    }
}
