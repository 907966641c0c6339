//! Deletes and anonymises what the retention policy says is due, and proves it.

pub mod args;
mod commands;
mod failure;
mod job;
mod keys;
mod metrics;
mod pack;
mod policy;
mod progress;
mod push;
mod setup;
mod summary;

use args::{Cli, Command};
use std::process::ExitCode;

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    runtime::exit::report(match cli.command {
        None => commands::run::run(&cli.run),
        Some(Command::Run(args)) => commands::run::run(&args),
        Some(Command::Plan(args)) => commands::plan::plan(&args),
        Some(Command::Apply(args)) => commands::run::apply(&args),
        Some(Command::Erase(args)) => commands::run::erase(&args),
        Some(Command::Hold(command)) => commands::hold::hold(&command),
        Some(Command::Receipts(command)) => commands::receipts::receipts(&command),
        Some(Command::Init(args)) => commands::init::init(&args),
        Some(Command::Lint(args)) => commands::lint::lint(&args),
        Some(Command::Status(args)) => commands::status::status(&args),
        Some(Command::Schema(_)) => commands::schema::schema(),
    })
}
