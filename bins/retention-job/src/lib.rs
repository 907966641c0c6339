//! Deletes and anonymises what the retention policy says is due, and proves it.

pub mod args;
mod commands;
mod failure;
mod metrics;
mod setup;
mod summary;

use args::{Cli, Command};
use std::process::ExitCode;

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    let result = match cli.command {
        Some(Command::Hold(command)) => commands::hold::hold(&command),
        Some(Command::Init(args)) => commands::init::init(&args),
        Some(Command::Status(args)) => commands::status::status(&args),
        _ => return ExitCode::from(2),
    };
    runtime::exit::report(result)
}
