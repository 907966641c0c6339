//! `tools`: puts the real programs that tests need in place, and adds up test results.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tools::{Tool, tally};

/// Finds or installs the real programs that tests need, into the git-ignored folder `.tools`.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Put programs in place: found on PATH, found in .tools, or installed (minutes, the first time)
    Ensure {
        /// opa, cosign2, cosign3, chromium, pushgateway, postgres14, postgres18, and the peers in benchmarks oha, wrk,
        /// k6; all but the peers when none is named
        tools: Vec<Tool>,
    },
    /// Print where a program is, installed first if need be
    Path {
        /// opa, cosign2, cosign3, chromium, pushgateway, oha, wrk, k6, postgres14 or postgres18
        tool: Tool,
    },
    /// Run a test command, show its output as it comes, and close with "N passed, N failed, N skipped"
    Tally {
        /// The command and its arguments
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

/// Something the tests depend on is not to be had.
const DEPENDENCY: u8 = 4;

fn main() -> ExitCode {
    match Args::parse().command {
        Sub::Ensure { tools } => ensure(if tools.is_empty() { &Tool::FOR_TESTS } else { &tools }),
        Sub::Path { tool } => match tools::ensure(tool) {
            Ok(path) => print_line(&path.display().to_string()),
            Err(missing) => {
                error(&format!("{missing}: {}", missing.why));
                ExitCode::from(DEPENDENCY)
            }
        },
        Sub::Tally { command } => run_tally(&command),
    }
}

/// Tries every one of them, so that one run names all that is missing.
fn ensure(wanted: &[Tool]) -> ExitCode {
    let missing: Vec<_> = wanted.iter().filter_map(|tool| tools::ensure(*tool).err()).collect();
    for missing in &missing {
        error(&format!("{missing}: {}", missing.why));
    }
    if missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DEPENDENCY)
    }
}

fn run_tally(command: &[OsString]) -> ExitCode {
    let (status, counts) = match tally::run(command, &mut std::io::stdout().lock()) {
        Ok(result) => result,
        Err(cause) => {
            error(&format!("cannot run {}: {cause}", command[0].to_string_lossy()));
            return ExitCode::from(DEPENDENCY);
        }
    };
    if !status.success() {
        error(&format!("the tests ended with {status}"));
    }
    let nothing_ran = counts.nothing_ran();
    if nothing_ran {
        error("no test ran");
    }
    let printed = print_line(&counts.closing(status.success()).to_string());
    if status.success() && !nothing_ran {
        return printed;
    }
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .filter(|code| *code != 0);
    ExitCode::from(code.unwrap_or(1))
}

fn print_line(line: &str) -> ExitCode {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn error(line: &str) {
    // Nothing is left to tell when stderr is closed.
    let _ = writeln!(std::io::stderr().lock(), "error: {line}");
}
