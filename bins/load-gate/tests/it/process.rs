//! Starts the program with an environment of its own, and never waits for it without an end.

use std::ffi::OsStr;
use std::io::Read;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than any command takes on a busy machine; a command that is still there then hangs.
const LIMIT: Duration = Duration::from_mins(1);

/// The program with these arguments, an empty environment, and no terminal.
pub(crate) fn load_gate<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_load-gate"));
    command
        .args(args)
        .env_clear()
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The one JSON line on stdout.
    pub(crate) fn json(&self) -> serde_json::Value {
        let mut lines = self.stdout.lines();
        let line = lines.next().unwrap_or_else(|| panic!("nothing on stdout: {self:?}"));
        assert_eq!(lines.next(), None, "more than one line on stdout");
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// A started process whose output is read all the time. Killed when the test ends, however it ends.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().map(read_all);
        let stderr = child.stderr.take().map(read_all);
        Self { child, stdout, stderr }
    }

    /// Sends SIGTERM, as Kubernetes does.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success(), "kill -TERM {id}");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process can be waited for").is_some()
    }

    pub(crate) fn wait(mut self) -> Ended {
        let until = Instant::now() + LIMIT;
        while !self.has_ended() {
            if Instant::now() >= until {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("still running after {LIMIT:?}; stderr: {}", join(self.stderr.take()));
            }
            std::thread::sleep(Duration::from_millis(2));
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

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Running::start(command).wait()
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

/// An address at which nobody listens, as long as it is held: bound, so that nobody else gets it, but not listening.
pub(crate) struct Nobody(
    #[expect(dead_code, reason = "holds the port")] tokio::net::TcpSocket,
    u16,
);

impl Nobody {
    pub(crate) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self(socket, port)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.1)
    }
}
