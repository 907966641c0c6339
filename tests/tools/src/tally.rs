//! Runs the test command with its output shown as it comes, and adds up every `test result:` line at the end.
//!
//! cargo prints one such line for each test binary; nobody adds them up, so "how many, and was anything skipped" has
//! no answer. The closing line is `N passed, N failed, N skipped`.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read as _, Write};
use std::process::{Command, ExitStatus, Stdio};

/// What all `test result:` lines say together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Tests that ran and held.
    pub passed: u64,
    /// Tests that ran and did not.
    pub failed: u64,
    /// Tests that could not run here (libtest says "ignored").
    pub skipped: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

impl Counts {
    /// Adds one line of output, if it is a result line.
    pub fn add_line(&mut self, line: &str) {
        let line = without_colour(line);
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }

    /// The counts to report once the command has ended. A test process that dies prints no result line, so a runner
    /// that failed although no test did stands for at least one failure.
    #[must_use]
    pub fn closing(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    /// Whether no test ran at all.
    pub fn nothing_ran(&self) -> bool {
        self.passed + self.failed == 0
    }
}

/// Drops ANSI colour sequences (`ESC [ ... m`).
fn without_colour(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        rest = rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest);
    }
    out + rest
}

/// Runs `command`, copies what it prints (both streams, in order) to `out` as it comes, and counts.
///
/// # Errors
/// When the command cannot be started, or `out` cannot be written.
pub fn run(command: &[OsString], out: &mut impl Write) -> io::Result<(ExitStatus, Counts)> {
    let [program, args @ ..] = command else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command to run"));
    };
    let (mut reader, writer) = io::pipe()?;
    let mut child = {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        // `cargo run` sets these for us; a cargo below would take them for the user's, and build scripts that watch
        // them would run again each time.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        // Our copies of the writing end go with `command`, or the pipe would never end.
        command.spawn()?
    };
    let mut counts = Counts::default();
    let mut line = Vec::new();
    let mut chunk = [0_u8; 16 * 1024];
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // By chunk, not by line: `test name ... ` is seen while the test still runs.
        out.write_all(&chunk[..read])?;
        out.flush()?;
        for byte in &chunk[..read] {
            if *byte == b'\n' {
                counts.add_line(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        counts.add_line(&String::from_utf8_lossy(&line));
        // Whatever follows starts on a line of its own.
        out.write_all(b"\n")?;
    }
    Ok((child.wait()?, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up_and_others_do_not_count() {
        let mut counts = Counts::default();
        counts.add_line("running 3 tests");
        counts
            .add_line("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s");
        counts.add_line("test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add_line("7 passed; 7 failed");
        assert_eq!(counts.to_string(), "13 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn colour_does_not_hide_a_result() {
        let mut counts = Counts::default();
        counts.add_line(
            "test result: \u{1b}[32mok\u{1b}[0m. 5 passed; \u{1b}[1;31m1 failed\u{1b}[m; 2 ignored; 0 measured",
        );
        assert_eq!(
            counts,
            Counts {
                passed: 5,
                failed: 1,
                skipped: 2
            }
        );
    }

    #[test]
    fn a_runner_that_died_is_a_failure() {
        let counts = Counts {
            passed: 4,
            failed: 0,
            skipped: 0,
        };
        assert_eq!(counts.closing(false).failed, 1);
        assert_eq!(counts.closing(true).failed, 0);
        assert!(
            Counts {
                skipped: 3,
                ..Counts::default()
            }
            .nothing_ran()
        );
    }
}
