//! A verdict on latency that can be trusted, in CI and in an Argo analysis.

pub mod args;
mod commands;
mod evidence;
mod push;
mod serve;

use args::{Cli, Command};
use std::process::ExitCode;

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    runtime::exit::report(match cli.command {
        Command::Run(args) => commands::run::run(*args),
        Command::Evidence(args) => commands::evidence::evidence(&args),
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Compare(args) => commands::compare::compare(&args),
        Command::Merge(args) => commands::merge::merge(&args),
        Command::Schema(args) => commands::schema::schema(&args),
    })
}
