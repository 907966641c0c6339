//! A verdict on latency that can be trusted, in CI and in an Argo analysis.

pub mod args;
mod commands;
mod evidence;
mod exit_code;
mod measure;
mod outputs;
mod samples;
mod saved;
mod serve;
mod show;
mod termination;

use args::{Cli, Command};
use std::process::ExitCode;

/// Does what the command line says.
pub fn main(cli: Cli) -> ExitCode {
    runtime::exit::report(match cli.command {
        // The only one whose exit codes may be k6's.
        Command::Run(args) => return commands::run::run(&args),
        Command::Evidence(args) => commands::evidence::evidence(&args),
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Compare(args) => commands::compare::compare(&args),
        Command::Merge(args) => commands::merge::merge(&args),
        Command::Schema(args) => commands::schema::schema(&args),
    })
}
