//! This test binary as another process: the test [`entry`] does nothing unless a variable tells it what to be.

use runtime::{Exit, Failure, HttpOptions, LogArgs, LogFormat, Shutdown, exit, http, log, output};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const VARIABLE: &str = "RUNTIME_TEST_CHILD";
/// Our own lines on stdout begin like this; the test harness writes there too.
const MARK: &str = "child> ";
const LONG: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Works until the first signal, needs a moment more, ends with 0.
    Graceful,
    /// Blocks its only thread: nothing asynchronous runs any more.
    Stuck,
    /// Never ends by itself; the drain period is 50 ms.
    NeverEnds,
    /// Fetches TEST_URLS and says the status of each.
    Fetch,
    /// Fails with a chain of errors and code 4.
    Fails,
    /// Parses the harness's own arguments, which are wrong usage for us.
    Usage,
    /// Logs after stderr was closed.
    LogsIntoTheVoid,
    /// Logs in the format chosen by itself, writes the final line.
    LogsAndEnds,
}

const MODES: [Mode; 8] = [
    Mode::Graceful,
    Mode::Stuck,
    Mode::NeverEnds,
    Mode::Fetch,
    Mode::Fails,
    Mode::Usage,
    Mode::LogsIntoTheVoid,
    Mode::LogsAndEnds,
];

/// What a finished child left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout
            .lines()
            .filter_map(|line| line.split_once(MARK).map(|(_, said)| said))
            .collect()
    }
}

/// Starts a child; it is killed when dropped.
pub(crate) fn start(mode: Mode, env: &[(&str, &OsStr)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["child::entry", "--exact", "--nocapture"])
        // What the machine of the tests has set must not decide.
        .env_remove("RUST_LOG")
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env(VARIABLE, format!("{mode:?}"))
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command.spawn().unwrap()
}

pub(crate) async fn run(mode: Mode, env: &[(&str, &OsStr)]) -> Output {
    end(start(mode, env)).await
}

/// Waits for the end, but not for ever.
pub(crate) async fn end(child: Child) -> Output {
    let output = tokio::time::timeout(LONG, child.wait_with_output())
        .await
        .expect("the child hangs")
        .unwrap();
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits until the child has said `what`.
pub(crate) async fn said(child: &mut Child, what: &str) {
    let stdout = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::with_capacity(1, stdout).lines();
    let wanted = format!("{MARK}{what}");
    let search = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.ends_with(&wanted) {
                return;
            }
        }
        panic!("the child ended without saying {what:?}");
    };
    tokio::time::timeout(LONG, search).await.expect("the child hangs");
}

/// Sends a signal by its name, through the shell: the standard library cannot.
pub(crate) fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("still running");
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .unwrap();
    assert!(status.success());
}

/// Where the child's life begins.
#[test]
fn entry() {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    let mode = MODES
        .into_iter()
        .find(|mode| format!("{mode:?}") == name)
        .expect("a known mode");
    let code = match mode {
        Mode::Graceful | Mode::NeverEnds | Mode::Stuck => async_main(listen(mode)),
        Mode::Fetch => async_main(fetch()),
        Mode::Fails => {
            let error = anyhow::Error::new(std::io::Error::other("no route")).context("cannot reach MC");
            let code = exit::report(Err(Failure::new(Exit::Dependency, error)));
            same(code, Exit::Dependency)
        }
        Mode::Usage => {
            #[derive(Debug, clap::Parser)]
            #[command(version)]
            struct Args {}
            same(
                exit::parse::<Args>().expect_err("--exact is no option of ours"),
                Exit::Usage,
            )
        }
        Mode::LogsIntoTheVoid => {
            start_logging(LogFormat::Json);
            // The parent closes stderr before it closes our stdin.
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            tracing::info!("nobody reads this");
            tracing::error!("nor this");
            same(exit::report(Err(Failure::usage("nor this"))), Exit::Usage)
        }
        Mode::LogsAndEnds => {
            start_logging(LogFormat::Auto);
            tracing::info!(answer = 42, "at work");
            say("final line follows");
            output::final_line(&serde_json::json!({ "outcome": "done" })).unwrap();
            0
        }
    };
    leave(code)
}

fn async_main(work: impl Future<Output = u8>) -> u8 {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

async fn listen(mode: Mode) -> u8 {
    let drain = if mode == Mode::NeverEnds {
        Duration::from_millis(50)
    } else {
        LONG
    };
    let shutdown = Shutdown::listen(drain).unwrap();
    say("ready");
    shutdown.recv().await;
    say("draining");
    match mode {
        Mode::Graceful => {
            let rest = tokio::time::sleep(Duration::from_millis(50));
            shutdown.within_drain(rest).await.unwrap();
            shutdown.finish();
            shutdown.over().await;
            say("work is done");
            Exit::Done.code()
        }
        Mode::Stuck => {
            std::thread::sleep(LONG);
            Exit::Done.code()
        }
        _ => std::future::pending().await,
    }
}

async fn fetch() -> u8 {
    let options = HttpOptions {
        ca_file: std::env::var_os("TEST_CA_FILE").map(Into::into),
        no_proxy: true,
        ..HttpOptions::new("child/1")
    };
    match http::client(&options) {
        Err(error) => say(&format!("no client: {error}")),
        Ok(client) => {
            for url in std::env::var("TEST_URLS").unwrap().split(' ') {
                match client.get(url).send().await {
                    Ok(answer) => say(answer.status().as_str()),
                    Err(_) => say("failed"),
                }
            }
        }
    }
    0
}

fn start_logging(log_format: LogFormat) {
    log::init(&LogArgs {
        log_format,
        ..LogArgs::default()
    })
    .unwrap();
}

/// `ExitCode` cannot be compared or used with `exit`; its debug text can.
fn same(code: std::process::ExitCode, expected: Exit) -> u8 {
    assert_eq!(
        format!("{code:?}"),
        format!("{:?}", std::process::ExitCode::from(expected))
    );
    expected.code()
}

fn say(what: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{MARK}{what}").unwrap();
    stdout.flush().unwrap();
}

#[allow(clippy::disallowed_methods)] // Past the test harness, which knows only success and failure.
fn leave(code: u8) -> ! {
    std::process::exit(code.into())
}
